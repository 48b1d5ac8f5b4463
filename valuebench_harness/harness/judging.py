"""The stage that judges: samples in, verdicts on disk out. It needs no model and can be repeated."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from valuebench_harness.harness.cache import Cache, content_key
from valuebench_harness.harness.loops import run_to_end
from valuebench_harness.harness.records import Document, Sample, VerdictRecord
from valuebench_harness.judges.base import Judge, JudgeItem, RuleJudge, Verdict

if TYPE_CHECKING:
    from valuebench_harness.data.values import ValueSystem
    from valuebench_harness.harness.progress import Advance
    from valuebench_harness.harness.store import ShardWriter

QUESTIONS: dict[str, tuple[Literal["csr", "fr", "stance"], ...]] = {
    "dilemma": ("csr", "fr"),
    "questionnaire": ("stance",),
    "exam": (),
}
FLUSH = 64


def judge_items(
    samples: Sequence[Sample], documents: Mapping[str, Document], system: ValueSystem
) -> list[tuple[str, JudgeItem]]:
    """Every question that every sample raises, with the sample's key."""
    out = []
    for s in samples:
        d = documents[s.document]
        for asks in QUESTIONS[d.kind]:
            value = system.get(d.value) if d.value is not None and d.value in system else None
            item = JudgeItem(
                asks=asks,
                prompt=d.text,
                answer=s.answer,
                value=d.value or "",
                value_name=value.name if value else (d.value or "").replace("_", " "),
                definition=value.definition if value else "",
                options=(d.options[0], d.options[1]) if len(d.options) == 2 else None,
                favours=d.favours,
                yes=d.yes,
            )
            out.append((s.key, item))
    return out


def check_judge(judge: Judge) -> None:
    """Has the judge judge nothing, so that a missing key or template is found before the model has run.

    Raises:
        UsageError: where the judge cannot work at all.
    """

    async def judge_nothing() -> None:
        async for _ in judge.judge([]):
            pass

    _ = judge.identity  # reads the templates
    run_to_end(judge_nothing())


def judge_all(
    items: Sequence[tuple[str, JudgeItem]],
    *,
    judge: Judge,
    cache: Cache,
    writer: ShardWriter,
    advance: Advance,
) -> None:
    """Judges all items; equal items are judged once, verdicts of paid judges are cached.

    Raises:
        UsageError: where the judge cannot work at all; verdicts so far are on disk.
    """
    run_to_end(_judge_all(items, judge, cache, writer, advance))


async def _judge_all(
    items: Sequence[tuple[str, JudgeItem]], judge: Judge, cache: Cache, writer: ShardWriter, advance: Advance
) -> None:
    owners: dict[str, list[str]] = defaultdict(list)
    distinct: dict[str, JudgeItem] = {}
    for sample, item in items:
        digest = item.digest
        owners[digest].append(sample)
        distinct[digest] = item
    identity = judge.identity
    keys = {digest: content_key("verdict", judge=identity, item=digest) for digest in distinct}
    cached = not isinstance(judge, RuleJudge)
    known = cache.get(keys.values()) if cached else {}
    fresh: dict[str, Verdict] = {}

    def flush() -> None:
        records = [
            VerdictRecord(
                sample=sample,
                asks=distinct[digest].asks,
                judge=identity,
                label=v.label,
                reason=v.reason,
                tokens=v.tokens if n == 0 else 0,
            )
            for digest, v in fresh.items()
            for n, sample in enumerate(owners[digest])
        ]
        writer.write(records)
        if cached:
            # An unscored verdict may be a passing fault: the next run shall ask again.
            done = {keys[d]: {"label": v.label, "reason": v.reason} for d, v in fresh.items() if v.label is not None}
            cache.put("verdict", done)
        fresh.clear()
        advance(len(records))

    for digest, key in keys.items():
        if key in known:
            fresh[digest] = Verdict(**known[key])
    flush()
    todo = [digest for digest, key in keys.items() if key not in known]
    if not todo:
        return  # a run that is only shown again needs no key
    try:
        async for index, verdict in judge.judge([distinct[d] for d in todo]):
            fresh[todo[index]] = verdict
            if len(fresh) >= FLUSH:
                flush()
    finally:
        flush()
