"""From two sets of outcomes to a verdict on each metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Literal

from valuebench_harness.errors import UsageError, unknown_name
from valuebench_harness.harness.compare.observations import METRIC_IDS, Observations, document_of, select
from valuebench_harness.harness.compare.statistics import difference
from valuebench_harness.harness.records import Record
from valuebench_harness.metrics.families import holm
from valuebench_harness.metrics.ids import METRICS

Verdict = Literal["better", "worse", "equivalent", "no difference shown", "not comparable"]

MARGIN = 0.01
"""Harm that would not matter: one point."""
LOST = 0.1
"""Share of the items with a verdict that may lose it: more, and what is left to compare is not the same sample."""
UNMEASURED = "neither side measured it"
ALPHA = 0.05
"""Chance, over all metrics together, that something is called worse though nothing is."""


class MetricVerdict(Record):
    """One metric of two runs.

    Attributes:
        metric: its id.
        margin: harm that would not matter.
        verdict: ``worse``: a change for the worse beyond the margin is shown. ``better``: the 95% interval lies
            on the good side of no change. ``equivalent``: it lies within the margin. Else nothing is shown.
        reason: why a metric is not comparable.
        before: on the first side; ``None`` where undefined.
        after: on the second.
        estimate: second minus first.
        low: lower end of the 95% interval; ``None`` where the sample does not tell how far the estimate is to be
            trusted.
        high: upper end.
        n: documents compared: what was asked, however many conditions it was answered under.
        unscored: documents under a condition that are left out, since one side has no verdict on them.
        up: documents whose outcome rose, over all conditions.
        down: documents whose outcome fell.
        p_worse: one-sided p of no harm beyond the margin.
        adjusted: the same by Holm over all metrics compared together.
        detectable: the least true difference that 80% of such samples would show.
    """

    metric: str
    margin: float
    verdict: Verdict = "no difference shown"
    reason: str = ""
    before: float | None = None
    after: float | None = None
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    unscored: int = 0
    up: int = 0
    down: int = 0
    p_worse: float | None = None
    adjusted: float | None = None
    detectable: float | None = None


class Comparison(Record):
    """A second run against a first.

    Attributes:
        first: what the first is called.
        second: what the second is called.
        margin: harm that would not matter.
        alpha: chance of any false "worse".
        metrics: a verdict each.
        notes: what differs between the two besides their answers.
    """

    first: str
    second: str
    margin: float
    alpha: float
    metrics: tuple[MetricVerdict, ...]
    notes: tuple[str, ...] = ()

    @property
    def regressed(self) -> tuple[MetricVerdict, ...]:
        """The metrics that are shown to be worse."""
        return tuple(m for m in self.metrics if m.verdict == "worse")

    @property
    def incomparable(self) -> tuple[MetricVerdict, ...]:
        """The metrics that could not be compared."""
        return tuple(m for m in self.metrics if m.verdict == "not comparable")


def compare(
    first: Observations,
    second: Observations,
    *,
    names: tuple[str, str],
    metrics: Iterable[str] | None = None,
    margin: float = MARGIN,
    alpha: float = ALPHA,
) -> Comparison:
    """Compares two runs metric by metric, on the same items.

    Args:
        first: the one that is the measure.
        second: the one in question.
        names: what they are called.
        metrics: ids; ``None`` for all that both hold.
        margin: harm that would not matter, as a share.
        alpha: chance of any false "worse", over all metrics.

    Raises:
        UsageError: for an unknown metric, or a margin or alpha that is none.
    """
    check_margin(margin, alpha)
    chosen = tuple(metrics) if metrics is not None else METRIC_IDS
    for metric in chosen:
        if metric not in METRIC_IDS:
            raise unknown_name("metric", metric, METRIC_IDS)
    found = [
        judge_metric(m, first, second, margin) for m in chosen if _held(m, first, second, asked=metrics is not None)
    ]
    return Comparison(
        first=names[0],
        second=names[1],
        margin=margin,
        alpha=alpha,
        metrics=decide(found, alpha=alpha),
        notes=differences_of_setup(first, second),
    )


def check_margin(margin: float, alpha: float) -> None:
    """Raises ``UsageError`` for a margin or alpha that makes no sense."""
    if not 0 <= margin < 1:
        raise UsageError(f"Margin {margin:g} must be a share from 0 to below 1; 0.01 is one point (--margin).")
    if not 0 < alpha < 0.5:
        raise UsageError(f"Alpha {alpha:g} must lie between 0 and 0.5; 0.05 is usual (--alpha).")


def _held(metric: str, first: Observations, second: Observations, *, asked: bool) -> bool:
    return asked or metric in first.outcomes or metric in second.outcomes


def judge_metric(metric: str, first: Observations, second: Observations, margin: float) -> MetricVerdict:
    """The difference of one metric; whether it is a regression is decided over all metrics, by :func:`decide`."""
    before, after = first.outcomes.get(metric, {}), second.outcomes.get(metric, {})
    reason = _incomparable(first, second, before, after)
    if reason:
        return MetricVerdict(metric=metric, margin=margin, verdict="not comparable", reason=reason)
    items = list(before)
    found = difference(metric, select(before, items), select(after, items), margin)
    return MetricVerdict(metric=metric, margin=margin, **asdict(found))


def _incomparable(
    first: Observations,
    second: Observations,
    before: Mapping[str, Sequence[float | None]],
    after: Mapping[str, Sequence[float | None]],
) -> str:
    """Why outcomes of different questions are not compared; empty where they may be."""
    if first.judge != second.judge:
        return f"judged by '{first.judge}' and by '{second.judge}'"
    if not before and not after:
        return UNMEASURED
    if not before or not after:
        return f"only the {'second' if after else 'first'} side measured it"
    if before.keys() != after.keys():
        missing, added = before.keys() - after.keys(), after.keys() - before.keys()
        example = next(iter(sorted(missing or added)))
        return f"other items: {len(missing)} of {len(before)} are gone, {len(added)} are new (such as '{example}')"
    documents = dict.fromkeys(map(document_of, before))
    changed = [d for d in documents if first.questions.get(d) != second.questions.get(d)]
    if changed:
        return (
            f"the data changed: {len(changed)} of {len(documents)} questions have other words (such as '{changed[0]}')"
        )
    known = [item for item, outcomes in before.items() if _scored(outcomes)]
    lost = sum(not _scored(after[item]) for item in known)
    if lost > max(1, LOST * len(known)):
        return f"{lost} of {len(known)} items that had a verdict have none any more"
    return ""


def _scored(outcomes: Sequence[float | None]) -> bool:
    return any(outcome is not None for outcome in outcomes)


def decide(found: Sequence[MetricVerdict], *, alpha: float) -> tuple[MetricVerdict, ...]:
    """Turns differences into verdicts, "worse" being held at ``alpha`` over all of them by Holm's procedure."""
    adjusted = holm({n: m.p_worse for n, m in enumerate(found)})
    return tuple(
        m.model_copy(update={"adjusted": adjusted[n], "verdict": _verdict(m, adjusted[n], alpha)})
        for n, m in enumerate(found)
    )


def _verdict(m: MetricVerdict, adjusted: float | None, alpha: float) -> Verdict:
    if m.verdict == "not comparable":
        return m.verdict
    if adjusted is not None and adjusted < alpha:
        return "worse"
    if m.low is None or m.high is None:
        return "no difference shown"
    higher = METRICS[m.metric].higher_is_better
    if m.low > 0 if higher else m.high < 0:
        return "better"
    return "equivalent" if -m.margin <= m.low and m.high <= m.margin else "no difference shown"


def differences_of_setup(first: Observations, second: Observations) -> tuple[str, ...]:
    """What differs besides the answers, each in words."""
    out = []
    if first.model == second.model and first.revision != second.revision:
        out.append(f"The weights of '{first.model}' changed: {first.revision[:12]} to {second.revision[:12]}.")
    for key in sorted({*first.identity, *second.identity}):
        a, b = first.identity.get(key), second.identity.get(key)
        if a != b:
            out.append(f"'{key}' differs: {_short(a)} and {_short(b)}.")
    return tuple(out)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
