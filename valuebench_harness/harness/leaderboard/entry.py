"""One row of a leaderboard: what a run says of a method on a model."""

from __future__ import annotations

from valuebench_harness.harness.compare.observations import digest
from valuebench_harness.harness.records import Record
from valuebench_harness.harness.results import ConditionResult
from valuebench_harness.harness.run import Run
from valuebench_harness.metrics.harmonic import harmonic
from valuebench_harness.metrics.paired import Change
from valuebench_harness.metrics.rates import Rate

BASE = "base"


class Entry(Record):
    """A method on a model.

    Attributes:
        method: its name, with the gate and settings that are not its own.
        model: that was steered.
        revision: of the model: commit or fingerprint.
        values: steered, in order.
        direction: towards them or away from them.
        strengths: by value; empty for the base.
        chosen: how the strengths were chosen.
        csr: answers on the side aimed at.
        fr: fluent answers.
        success: on that side and fluent, of all answers.
        exam: right answers.
        exam_change: against the base, on the same items.
        consistency: of the questionnaire.
        side_effects: root mean square change of the values not aimed at.
        score: harmonic mean of control, fluency and share of the exam kept, in [0, 1].
        new_tokens: written, for each answer.
        prompt_tokens: read, for each answer.
        fit_seconds: of all fits, when they were made.
        unscored: share of verdicts without a label.
        items: digest of the questions.
        training: digest of the method's code and of what it learned from.
    """

    method: str
    model: str
    revision: str
    values: tuple[str, ...]
    direction: str = "positive"
    strengths: dict[str, float] = {}
    chosen: str = ""
    csr: Rate
    fr: Rate
    success: Rate
    exam: Rate | None = None
    exam_change: Change | None = None
    consistency: Rate | None = None
    side_effects: float | None = None
    score: float | None = None
    new_tokens: float
    prompt_tokens: float
    fit_seconds: float
    unscored: float
    items: str
    training: str = ""

    @property
    def key(self) -> tuple[str, str, str, tuple[str, ...]]:
        """What makes two entries the same method on the same model."""
        return self.model, self.method, self.direction, self.values


def entry_of(run: Run) -> Entry:
    """The row of a run: all its values pooled, at its first strength."""
    pooled = next(r for r in run.results.pooled if r.condition.level == 0)
    members = [r for r in run.results.conditions if r.condition.level == 0]
    assert pooled.csr is not None
    assert pooled.fr is not None
    assert pooled.success is not None
    exam = pooled.exam.gated if pooled.exam else None
    return Entry(
        method=method_name(run),
        strengths={str(r.condition.value): r.condition.strength for r in members},
        chosen=_chosen(run),
        csr=pooled.csr.after,
        fr=pooled.fr.after,
        success=pooled.success.after,
        exam=exam.after if exam else None,
        exam_change=exam.change if exam else None,
        consistency=pooled.consistency.rate if pooled.consistency else None,
        side_effects=pooled.entanglement,
        score=_score(pooled.csr.after, pooled.fr.after, exam.before if exam else None, exam.after if exam else None),
        fit_seconds=round(run.results.cost.fit_seconds, 2),
        training=run.info.training,
        **_common(run, pooled, steered=True),
    )


def base_entry(run: Run) -> Entry:
    """The unsteered model on the same items, judged by the same aim."""
    pooled = next(r for r in run.results.pooled if r.condition.level == 0)
    assert pooled.csr is not None
    assert pooled.fr is not None
    assert pooled.success is not None
    exam = pooled.exam.gated.before if pooled.exam else None
    return Entry(
        method=BASE,
        csr=pooled.csr.before,
        fr=pooled.fr.before,
        success=pooled.success.before,
        exam=exam,
        side_effects=0.0,
        score=_score(pooled.csr.before, pooled.fr.before, exam, exam),
        fit_seconds=0.0,
        **_common(run, pooled, steered=False),
    )


def _common(run: Run, pooled: ConditionResult, *, steered: bool) -> dict[str, object]:
    facts = run.info.model
    asked = [s for s in run.samples.values() if (s.condition != BASE) == steered]
    return {
        "model": run.info.config.model,
        "revision": str(facts.get("commit") or facts.get("fingerprint") or ""),
        "values": pooled.members,
        "direction": pooled.condition.direction,
        "new_tokens": round(sum(s.new_tokens for s in asked) / max(1, len(asked)), 2),
        "prompt_tokens": round(sum(s.prompt_tokens for s in asked) / max(1, len(asked)), 2),
        "unscored": run.results.unscored_share,
        "items": items_digest(run),
    }


def items_digest(run: Run) -> str:
    """What identifies the questions of a run, whatever method answered them."""
    import hashlib

    lines = sorted(f"{d.id} {digest(d)}" for d in run.documents.values())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def method_name(run: Run) -> str:
    """The method with what is not its own default."""
    config = run.info.config
    parts = [config.steerer.lower() if ".py:" not in config.steerer else config.steerer.rpartition(":")[2]]
    if config.gate is not None:
        parts.append(f"gate={config.gate.lower()}")
    if config.layers is not None:
        parts.append(f"layers={','.join(map(str, config.layers))}")
    parts += [f"{key}={value}" for key, value in sorted(config.settings.items())]
    if not config.context_controlled:
        parts.append("straightforward")
    if config.pairs is not None:
        parts.append(f"pairs={config.pairs}")
    return " ".join(parts)


def _chosen(run: Run) -> str:
    results, config = run.results, run.info.config
    if results.tuned:
        items = {item for tuned in results.tuned for item in tuned.items}
        return f"tuned on {len(items)} other items"
    if results.matched:
        return f"KL {results.matched[0].target:g} from the base"
    return "given" if config.strength is not None else "shipped"


def _score(csr: Rate, fr: Rate, exam_before: Rate | None, exam_after: Rate | None) -> float | None:
    """Control, fluency and capability kept, as a harmonic mean: none can make up for another (after AxBench)."""
    parts = [csr.estimate, fr.estimate]
    if exam_before is not None and exam_after is not None and exam_before.estimate and exam_after.estimate is not None:
        parts.append(min(1.0, exam_after.estimate / exam_before.estimate))
    return harmonic(*parts)
