"""From samples and verdicts to results. Pure: the same records give the same numbers."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from valuebench_harness.harness.levels import by_level, pool
from valuebench_harness.harness.outcomes import OutcomeReader
from valuebench_harness.harness.records import BASE, Condition, Document, FitRecord, Sample, VerdictRecord
from valuebench_harness.harness.result_statistics import (
    Doses,
    Evidence,
    changes_by_pair,
    dose_response,
    exam_by_subject,
    statistics,
)
from valuebench_harness.harness.results import BaseValue, ConditionResult, Cost, Effect, Exam, Results
from valuebench_harness.harness.settling import Settled
from valuebench_harness.metrics.consistency import Consistency, consistency
from valuebench_harness.metrics.paired import Change, Outcomes, paired_change
from valuebench_harness.metrics.rates import Rate, rate

Outcome = Callable[[Sample], bool | None]
Side = Sequence[tuple[Condition, Mapping[str, Change]]]
LmEval = dict[str, dict[str, dict[str, float]]]


@dataclass(frozen=True)
class Scorer:
    """Scores a run's records.

    Attributes:
        system: name of the value system that is steered.
        conditions: of the run.
        documents: by id.
        samples: all of them.
        verdicts: by sample key and question.
        angles: places of the values on their circle, in degrees.
    """

    system: str
    conditions: Sequence[Condition]
    documents: Mapping[str, Document]
    samples: Sequence[Sample]
    verdicts: Mapping[tuple[str, str], VerdictRecord]
    angles: Mapping[str, float] = field(default_factory=dict)

    def results(
        self,
        *,
        judge: str,
        fits: Iterable[FitRecord],
        generate_seconds: float,
        lm_eval: LmEval | None = None,
        settled: Settled | None = None,
    ) -> Results:
        """All results of the run."""
        steered = [c for c in self.conditions if c.id != BASE.id and not c.is_twin]
        reasons = Counter(v.reason for v in self.verdicts.values() if v.label is None)
        return Results(
            judge=judge,
            base=self._base(),
            base_exam=self._rate(self._of(BASE, "exam"), self._read.right),
            conditions=tuple(self._condition([c]) for c in steered),
            pooled=tuple(self._condition(level) for level in by_level(steered)),
            doses=self._doses(by_level(steered)),
            lm_eval=lm_eval or {},
            verdicts=len(self.verdicts),
            unscored=sum(reasons.values()),
            unscored_reasons=dict(sorted(reasons.items(), key=lambda r: (-r[1], r[0]))[:10]),
            cost=Cost(
                answers=len(self.samples),
                prompt_tokens=sum(s.prompt_tokens for s in self.samples),
                new_tokens=sum(s.new_tokens for s in self.samples),
                fit_seconds=sum(f.seconds for f in fits),
                generate_seconds=generate_seconds,
                judge_tokens=sum(v.tokens for v in self.verdicts.values()),
            ),
            tuned=settled.tuned if settled else (),
            matched=settled.matched if settled else (),
        )

    def _base(self) -> dict[str, BaseValue]:
        out = {}
        for value in self._values:
            samples = self._of(BASE, "dilemma", value)
            favour, fluent = self._rate(samples, self._read.favours), self._rate(samples, self._read.fluent)
            if favour is not None and fluent is not None:
                out[value] = BaseValue(favour=favour, fr=fluent)
        return out

    def _condition(self, members: Sequence[Condition]) -> ConditionResult:
        """Scores one condition, or pools several that steer different values at the same level."""
        head, single = members[0], len(members) == 1
        side = [(c, self._side_effects(c)) for c in members]
        touched = [s.steered for c in members for s in self._own_dilemmas(c, c)]
        gated = self._exam(members)
        return ConditionResult(
            condition=head if single else pool(members),
            members=tuple(c.value for c in members if c.value),
            csr=self._own(members, lambda c: lambda s: self._read.aimed(s, c)),
            csr_by_target=self._by_target(head) if single else {},
            fr=self._own(members, lambda _: self._read.fluent),
            success=self._own(members, lambda c: lambda s: self._read.success(s, c)),
            consistency=self._consistency(members),
            exam=Exam(gated=gated, ungated=self._exam([t for c in members for t in self._twins(c)])) if gated else None,
            scenes=self._scenes(members),
            side_effects=side[0][1] if single else {},
            entanglement=_entanglement(side),
            orientations=self._orientations(head) if single else {},
            steered_share=sum(touched) / len(touched) if touched else None,
            statistics=statistics(self._evidence(members, side), self.angles),
        )

    def _evidence(self, members: Sequence[Condition], side: Side) -> Evidence:
        """What the statistics of one condition, or of several pooled, are made from."""
        exam = self._exam(members)
        aimed_at = [value for c in members for value in c.targets]
        return Evidence(
            sign=members[0].sign,
            aimed=(self._control(members, steered=False), self._control(members)),
            asked_once=len(set(aimed_at)) == len(aimed_at),
            fluent=self._fluency(members),
            changes=changes_by_pair(side),
            exam=exam.change if exam else None,
            exam_subjects=exam_by_subject(self._subjects([BASE]), self._subjects(members)),
        )

    def _control(self, members: Sequence[Condition], *, steered: bool = True) -> Outcomes:
        """Outcomes on the side aimed at, by item."""
        return _by_item(
            (s, self._read.aimed(s, c)) for c in members for s in self._own_dilemmas(c if steered else BASE, c)
        )

    def _fluency(self, members: Sequence[Condition], *, steered: bool = True) -> Outcomes:
        return _by_item(
            (s, self._read.fluent(s)) for c in members for s in self._own_dilemmas(c if steered else BASE, c)
        )

    def _subjects(self, members: Sequence[Condition]) -> dict[str, Outcomes]:
        """Outcomes of the exam by subject."""
        found: dict[str, list[tuple[Sample, bool | None]]] = defaultdict(list)
        for s in (s for c in members for s in self._of(c, "exam")):
            found[self.documents[s.document].scene or ""].append((s, self._read.right(s)))
        return {subject: _by_item(outcomes) for subject, outcomes in found.items()}

    def _doses(self, levels: Sequence[Sequence[Condition]]) -> Doses | None:
        """Curves over the strengths at which all values were steered alike."""
        alike = [members for members in levels if len({c.strength for c in members}) == 1]
        if not alike or len({members[0].strength for members in alike}) < len(alike):  # other layers, not doses
            return None
        control = {0.0: self._control(alike[0], steered=False)}
        fluency = {0.0: self._fluency(alike[0], steered=False)}
        for members in alike:
            control[members[0].strength] = self._control(members)
            fluency[members[0].strength] = self._fluency(members)
        return dose_response(control, fluency)

    # Groups of samples

    @cached_property
    def _read(self) -> OutcomeReader:
        return OutcomeReader(self.documents, self.verdicts)

    @cached_property
    def _groups(self) -> dict[tuple[str, str, str | None], list[Sample]]:
        out: dict[tuple[str, str, str | None], list[Sample]] = defaultdict(list)
        for s in sorted(self.samples, key=lambda s: (s.document, s.repeat)):
            d = self.documents[s.document]
            value = d.value if d.system in ("", self.system) else f"{d.system}:{d.value}"
            out[s.condition, d.kind, value].append(s)
        return out

    @cached_property
    def _values(self) -> list[str]:
        """Values of the steered system that have dilemmas, in the order asked."""
        found = (d.value for d in self.documents.values() if d.kind == "dilemma" and d.system == self.system)
        return [v for v in dict.fromkeys(found) if v]

    def _of(self, condition: Condition, kind: str, value: str | None = None) -> list[Sample]:
        return self._groups.get((condition.id, kind, value), [])

    def _own_dilemmas(self, answered: Condition, condition: Condition) -> list[Sample]:
        """Answers under one condition to the dilemmas of the values that another steers."""
        return [s for value in condition.targets for s in self._of(answered, "dilemma", value)]

    def _twins(self, condition: Condition) -> list[Condition]:
        return [c for c in self.conditions if c.id == condition.twin_id]

    # Groups to numbers

    def _rate(self, samples: Sequence[Sample], outcome: Outcome) -> Rate | None:
        return rate([outcome(s) for s in samples], [s.document for s in samples]) if samples else None

    def _own(self, members: Sequence[Condition], outcome_of: Callable[[Condition], Outcome]) -> Effect | None:
        """The effect on the dilemmas of each member's own values."""
        before = [(s, outcome_of(c)(s)) for c in members for s in self._own_dilemmas(BASE, c)]
        after = [(s, outcome_of(c)(s)) for c in members for s in self._own_dilemmas(c, c)]
        return _effect(before, after)

    def _by_target(self, condition: Condition) -> dict[str, Effect]:
        """Control success on each of several values' dilemmas."""
        out = {}
        for value in condition.weights:
            before = [(s, self._read.aimed(s, condition)) for s in self._of(BASE, "dilemma", value)]
            after = [(s, self._read.aimed(s, condition)) for s in self._of(condition, "dilemma", value)]
            effect = _effect(before, after)
            if effect is not None:
                out[value] = effect
        return out

    def _exam(self, members: Sequence[Condition]) -> Effect | None:
        """The effect on the exam; under a pool each item has one answer before and one a member after."""
        before = [(s, self._read.right(s)) for s in self._of(BASE, "exam")]
        after = [(s, self._read.right(s)) for c in members for s in self._of(c, "exam")]
        return _effect(before, after)

    def _side_effects(self, condition: Condition) -> dict[str, Change]:
        out = {}
        for value in self._values:
            before, after = (
                _by_item((s, self._read.favours(s)) for s in self._of(c, "dilemma", value)) for c in (BASE, condition)
            )
            if before and after:
                out[value] = paired_change(before, after)
        return out

    def _consistency(self, members: Sequence[Condition]) -> Consistency | None:
        before: dict[tuple[str, int], int | None] = {}
        after: dict[tuple[str, int], int | None] = {}
        for place, c in enumerate(members):
            for value in c.targets:
                turn = c.aim(value) * c.sign  # a value of negative weight is counted from its other side
                for answered, found in ((BASE, before), (c, after)):
                    for s in self._of(answered, "questionnaire", value):
                        # Two members may steer one value: the second's answers are further answers to the item.
                        found[s.document, s.repeat * len(members) + place] = self._read.orientation(s, turn)
        return consistency(before, after, members[0].sign) if before and after else None

    def _scenes(self, members: Sequence[Condition]) -> dict[str, Rate]:
        found: dict[str, list[tuple[Sample, bool | None]]] = defaultdict(list)
        for c in members:
            for s in self._own_dilemmas(c, c):
                scene = self.documents[s.document].scene
                if scene:
                    found[scene].append((s, self._read.aimed(s, c)))
        return {scene: rate([o for _, o in x], [s.document for s, _ in x]) for scene, x in sorted(found.items())}

    def _orientations(self, condition: Condition) -> dict[str, tuple[float | None, float | None]]:
        """Questionnaires of other systems, such as ValueBench's values, before and after."""
        names = [v for c, kind, v in self._groups if c == condition.id and kind == "questionnaire" and v and ":" in v]
        return {
            v: (self._mean_orientation(BASE, v), self._mean_orientation(condition, v)) for v in dict.fromkeys(names)
        }

    def _mean_orientation(self, condition: Condition, value: str) -> float | None:
        found = [self._read.orientation(s) for s in self._of(condition, "questionnaire", value)]
        scored = [o for o in found if o is not None]
        return sum(scored) / len(scored) if scored else None


def _by_item(outcomes: Iterable[tuple[Sample, bool | None]]) -> dict[str, list[bool | None]]:
    out: dict[str, list[bool | None]] = defaultdict(list)
    for s, outcome in outcomes:
        out[s.document].append(outcome)
    return out


def _effect(before: Sequence[tuple[Sample, bool | None]], after: Sequence[tuple[Sample, bool | None]]) -> Effect | None:
    if not before or not after:
        return None
    return Effect(
        before=rate([o for _, o in before], [s.document for s, _ in before]),
        after=rate([o for _, o in after], [s.document for s, _ in after]),
        change=paired_change(_by_item(before), _by_item(after)),
    )


def _entanglement(side: Side) -> float | None:
    """Root mean square of the changes of the values not aimed at (SteeringControl's entanglement)."""
    off = [
        change.estimate
        for condition, effects in side
        for value, change in effects.items()
        if value not in condition.targets and change.estimate is not None
    ]
    return math.sqrt(sum(x * x for x in off) / len(off)) if off else None
