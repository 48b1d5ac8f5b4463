"""``metrics.json``: what a run found, as typed numbers."""

from __future__ import annotations

from valuebench_harness.causal.graph import ValueGraph
from valuebench_harness.causal.side_effects import SideEffects
from valuebench_harness.harness.records import SCHEMA_VERSION, Condition, Record
from valuebench_harness.harness.result_statistics import Doses, Statistics
from valuebench_harness.harness.settling import Matched, Tuned
from valuebench_harness.metrics.consistency import Consistency
from valuebench_harness.metrics.paired import Change
from valuebench_harness.metrics.rates import Rate


class BaseValue(Record):
    """The unsteered model on one value's dilemmas.

    Attributes:
        favour: answers that act for the value.
        fr: fluent answers.
    """

    favour: Rate
    fr: Rate


class Effect(Record):
    """A rate without and with steering, and its paired change."""

    before: Rate
    after: Rate
    change: Change


class Exam(Record):
    """The exam, gated as the condition is and, where there is a gate, without it."""

    gated: Effect
    ungated: Effect | None = None


class ConditionResult(Record):
    """One steered condition, or several pooled.

    Attributes:
        condition: what was done; for a pool, of its first member with ``value=None``.
        members: values pooled.
        csr: answers on the side aimed at, on the dilemmas of the value or values steered.
        csr_by_target: the same by value, where several are steered at once, each on its own side.
        fr: fluent answers.
        success: on that side *and* fluent, over all answers, unscored ones counting as failures.
        consistency: of the questionnaire.
        exam: capability.
        scenes: control success by kind of scene.
        side_effects: change of the favour rate of every value's dilemmas, the steered one included.
        entanglement: root mean square of the changes of the values not aimed at (SteeringControl).
        orientations: questionnaires of other systems: mean orientation before and after, by value.
        steered_share: answers that steering touched at all (a gate may keep it off).
        statistics: what follows from the numbers above.
    """

    condition: Condition
    members: tuple[str, ...] = ()
    csr: Effect | None = None
    csr_by_target: dict[str, Effect] = {}
    fr: Effect | None = None
    success: Effect | None = None
    consistency: Consistency | None = None
    exam: Exam | None = None
    scenes: dict[str, Rate] = {}
    side_effects: dict[str, Change] = {}
    entanglement: float | None = None
    orientations: dict[str, tuple[float | None, float | None]] = {}
    steered_share: float | None = None
    statistics: Statistics = Statistics()


class Cost(Record):
    """What a run cost.

    Attributes:
        answers: samples.
        prompt_tokens: read, over all samples.
        new_tokens: written.
        fit_seconds: of all fits, when they were made.
        generate_seconds: of the model, in the session that finished; answers from the cache cost none.
        judge_tokens: of a paid judge.
    """

    answers: int
    prompt_tokens: int
    new_tokens: int
    fit_seconds: float
    generate_seconds: float
    judge_tokens: int


class CausalReport(Record):
    """The side effects beside what a graph of values foretells of them (``--report causal``).

    Attributes:
        name: of the graph.
        graph: that foretold.
        levels: one for each level of strength.
        combined: conditions left out, which steer several values at once or one with a weight.
        outside: values of the run that the graph does not speak of.
    """

    name: str
    graph: ValueGraph
    levels: tuple[SideEffects, ...]
    combined: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()


class Results(Record):
    """All numbers of a run.

    Attributes:
        judge: identity of the judge.
        base: the unsteered model, by value.
        base_exam: its exam.
        conditions: steered conditions (gated ones only), in order.
        pooled: one row for each strength level, over all values steered.
        doses: control and fluency over strengths, where there are several, all values pooled.
        lm_eval: metrics of lm-eval tasks: condition id to task to metric to number.
        verdicts: verdicts asked for.
        unscored: those that stayed unscored.
        unscored_reasons: how often each reason was given, most frequent first.
        cost: of the run.
        tuned: strengths that ``--tune`` chose, with all that was tried and on which items.
        matched: strengths that ``--match-kl`` chose.
        causal: what a graph foretold of the side effects, where it was asked.
    """

    schema_version: int = SCHEMA_VERSION
    judge: str
    base: dict[str, BaseValue]
    base_exam: Rate | None = None
    conditions: tuple[ConditionResult, ...] = ()
    pooled: tuple[ConditionResult, ...] = ()
    doses: Doses | None = None
    lm_eval: dict[str, dict[str, dict[str, float]]] = {}
    verdicts: int
    unscored: int
    unscored_reasons: dict[str, int] = {}
    cost: Cost
    tuned: tuple[Tuned, ...] = ()
    matched: tuple[Matched, ...] = ()
    causal: CausalReport | None = None

    @property
    def unscored_share(self) -> float:
        """Share of verdicts that stayed unscored."""
        return self.unscored / self.verdicts if self.verdicts else 0.0
