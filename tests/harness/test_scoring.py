"""Every number of the results, recomputed from hand-made records with numpy and plain loops."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from valuebench_harness.harness.records import BASE, Condition, Document, FitRecord, Sample, VerdictRecord
from valuebench_harness.harness.results import ConditionResult, Results
from valuebench_harness.harness.scoring import Scorer

VALUES = ("power", "security", "tradition")
ITEMS, QUESTIONS, EXAM, REPEATS = 7, 6, 9, 2


@dataclass
class Records:
    """A run's records, drawn with a seed: three values, two strengths, two answers an item, a gate."""

    direction: str = "positive"
    seed: int = 0
    conditions: list[Condition] = field(default_factory=list)
    documents: dict[str, Document] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    verdicts: dict[tuple[str, str], VerdictRecord] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self._documents()
        self.conditions = [BASE]
        for value in VALUES[:2]:
            for level, strength in enumerate((1.0, 2.5)):
                mark = "+" if self.direction == "positive" else "-"
                made = Condition.model_validate(
                    {
                        "id": f"conva:{value}:{mark}{strength:g}",
                        "steerer": "conva",
                        "value": value,
                        "direction": self.direction,
                        "strength": strength,
                        "level": level,
                        "gate": "probe",
                    }
                )
                self.conditions += [made, made.model_copy(update={"id": made.twin_id, "gate": "none"})]
        for condition in self.conditions:
            for document in self.documents.values():
                if self._answers(condition, document):
                    for repeat in range(1 if document.kind == "exam" else REPEATS):
                        self._answer(condition, document, repeat)
        self.rng.shuffle(self.samples)

    def _documents(self) -> None:
        made: list[dict[str, Any]] = []
        for value in VALUES:
            for n in range(ITEMS):
                scene = ("work", "travel", "money")[n % 3]
                made.append(
                    {
                        "id": f"{value}/{n}",
                        "kind": "dilemma",
                        "system": "schwartz",
                        "value": value,
                        "scene": scene,
                        "options": ("a", "b"),
                        "favours": n % 2,
                    }
                )
            for system in ("schwartz", "valuebench"):
                for n in range(QUESTIONS):
                    agreement = 1 if n % 2 else -1
                    made.append(
                        {
                            "id": f"{system}/q/{value}/{n}",
                            "kind": "questionnaire",
                            "system": system,
                            "value": value,
                            "agreement": agreement,
                        }
                    )
        for n in range(EXAM):
            made.append({"id": f"exam/{n}", "kind": "exam", "options": ("a", "b", "c", "d"), "answer": n % 4})
        self.documents = {d["id"]: Document.model_validate({"task": "t", "text": "?", **d}) for d in made}

    def _answers(self, condition: Condition, document: Document) -> bool:
        if condition.id == "base":
            return True
        if condition.is_twin:
            return document.kind == "exam"
        own = document.kind != "questionnaire" or document.system != "schwartz" or document.value == condition.value
        return own

    def _answer(self, condition: Condition, document: Document, repeat: int) -> None:
        rng = self.rng
        choice = rng.randrange(4) if document.kind == "exam" else None
        made = Sample(
            condition=condition.id,
            document=document.id,
            repeat=repeat,
            prompt="p",
            prompt_tokens=rng.randrange(5, 50),
            new_tokens=rng.randrange(1, 32),
            steered=condition.id != "base" and rng.random() < 0.8,
            choice=choice,
        )
        self.samples.append(made)
        if document.kind == "dilemma":
            self._verdict(made, "csr", rng.choice(["yes", "yes", "no", "no", None]))
            self._verdict(made, "fr", rng.choice(["fluent", "fluent", "fluent", "broken", None]))
        elif document.kind == "questionnaire":
            self._verdict(made, "stance", rng.choice(["yes", "no", "unsure", None]))

    def _verdict(self, made: Sample, asks: str, label: str | None) -> None:
        reason = "" if label else self.rng.choice(["hedges", "names neither", "empty"])
        self.verdicts[made.key, asks] = VerdictRecord.model_validate(
            {"sample": made.key, "asks": asks, "judge": "j", "label": label, "reason": reason, "tokens": 3}
        )

    # An independent way to the numbers

    def label(self, made: Sample, asks: str) -> str | None:
        return self.verdicts[made.key, asks].label

    def of(self, condition: str, kind: str, value: str | None, system: str | None = None) -> list[Sample]:
        def wanted(d: Document) -> bool:
            return d.kind == kind and d.value == value and system in (None, d.system)

        return [s for s in self.samples if s.condition == condition and wanted(self.documents[s.document])]

    @property
    def sign(self) -> int:
        return 1 if self.direction == "positive" else -1

    def results(self) -> Results:
        scorer = Scorer("schwartz", self.conditions, self.documents, self.samples, self.verdicts)
        fits = [
            FitRecord(method="conva", value=v, digest="d", layers=(1,), seconds=1.5, cached=False) for v in VALUES[:2]
        ]
        return scorer.results(judge="j", fits=fits, generate_seconds=12.0, lm_eval={"base": {"t": {"acc": 0.5}}})


Pick = Callable[[Sample], bool | None]


def favours(records: Records) -> Pick:
    return lambda s: {"yes": True, "no": False, None: None}[records.label(s, "csr")]


def aimed(records: Records) -> Pick:
    wanted = "yes" if records.sign > 0 else "no"
    return lambda s: None if records.label(s, "csr") is None else records.label(s, "csr") == wanted


def fluent(records: Records) -> Pick:
    return lambda s: None if records.label(s, "fr") is None else records.label(s, "fr") == "fluent"


def success(records: Records) -> Pick:
    return lambda s: aimed(records)(s) is True and records.label(s, "fr") == "fluent"


def right(records: Records) -> Pick:
    return lambda s: s.choice == records.documents[s.document].answer


def plain_rate(samples: Iterable[Sample], pick: Pick) -> tuple[int, int, int, float | None]:
    outcomes = [pick(s) for s in samples]
    scored = [o for o in outcomes if o is not None]
    return len(scored), sum(scored), outcomes.count(None), float(np.mean(scored)) if scored else None


def plain_change(before: Sequence[Sample], after: Sequence[Sample], pick: Pick) -> tuple[int, int, float]:
    """Items scored on both sides, those that are not, and the mean difference of the items' means."""
    documents = {s.document for s in before} & {s.document for s in after}
    differences = []
    for document in documents:
        sides = [[pick(s) for s in side if s.document == document] for side in (before, after)]
        kept = [[o for o in side if o is not None] for side in sides]
        if all(kept):
            differences.append(float(np.mean(kept[1])) - float(np.mean(kept[0])))
    return len(differences), len(documents) - len(differences), float(np.mean(differences))


def check_effect(effect: Any, before: Sequence[Sample], after: Sequence[Sample], pick: Pick) -> None:
    for found, samples in ((effect.before, before), (effect.after, after)):
        n, hits, unscored, estimate = plain_rate(samples, pick)
        assert (found.n, found.hits, found.unscored) == (n, hits, unscored)
        assert found.estimate == pytest.approx(estimate)
        assert found.worst == pytest.approx(hits / len(samples))
        assert found.best == pytest.approx((hits + unscored) / len(samples))
        assert found.clusters == len({s.document for s in samples if pick(s) is not None})
    n, unscored, estimate = plain_change(before, after, pick)
    assert (effect.change.n, effect.change.unscored) == (n, unscored)
    assert effect.change.estimate == pytest.approx(estimate)
    assert effect.change.low <= estimate <= effect.change.high


@pytest.fixture(scope="module", params=[("positive", 0), ("negative", 1)], ids=["positive", "negative"])
def records(request: pytest.FixtureRequest) -> Records:
    direction, seed = request.param
    return Records(direction, seed)


@pytest.fixture(scope="module")
def results(records: Records) -> Results:
    return records.results()


def members(records: Records, level: int) -> list[Condition]:
    return [c for c in records.conditions[1:] if not c.is_twin and c.level == level]


def singles(records: Records, results: Results) -> list[tuple[Condition, ConditionResult]]:
    expected = [c for c in records.conditions[1:] if not c.is_twin]
    assert [r.condition for r in results.conditions] == expected
    return list(zip(expected, results.conditions, strict=True))


def test_one_condition(records: Records, results: Results) -> None:
    for condition, found in singles(records, results):
        before = records.of("base", "dilemma", condition.value)
        after = records.of(condition.id, "dilemma", condition.value)
        assert len(before) == len(after) == ITEMS * REPEATS
        assert found.members == (condition.value,)
        check_effect(found.csr, before, after, aimed(records))
        check_effect(found.fr, before, after, fluent(records))
        check_effect(found.success, before, after, success(records))
        assert found.success is not None
        assert found.success.after.unscored == 0, "unscored answers are failures here"
        assert found.steered_share == pytest.approx(np.mean([s.steered for s in after]))


def test_the_base(records: Records, results: Results) -> None:
    assert list(results.base) == list(VALUES)
    for value, found in results.base.items():
        samples = records.of("base", "dilemma", value)
        assert found.favour.estimate == pytest.approx(plain_rate(samples, favours(records))[3])
        assert found.fr.estimate == pytest.approx(plain_rate(samples, fluent(records))[3])
    exam = [s for s in records.samples if s.condition == "base" and s.choice is not None]
    assert results.base_exam is not None
    assert (results.base_exam.n, results.base_exam.hits) == plain_rate(exam, right(records))[:2]


def test_side_effects_are_changes_of_the_favour_rate_whatever_the_direction(records: Records, results: Results) -> None:
    for condition, found in singles(records, results):
        assert list(found.side_effects) == list(VALUES)
        for value, change in found.side_effects.items():
            before, after = records.of("base", "dilemma", value), records.of(condition.id, "dilemma", value)
            assert (change.n, change.unscored, change.estimate) == pytest.approx(
                plain_change(before, after, favours(records))
            )
        own = found.side_effects[str(condition.value)].estimate
        assert found.csr is not None
        assert found.csr.change.estimate == pytest.approx(records.sign * (own or 0))
        off = [c.estimate or 0 for v, c in found.side_effects.items() if v != condition.value]
        assert found.entanglement == pytest.approx(math.sqrt(np.mean(np.square(off))))


def test_the_exam_stands_beside_its_ungated_twin(records: Records, results: Results) -> None:
    before = records.of("base", "exam", None)
    for condition, found in singles(records, results):
        assert found.exam is not None
        check_effect(found.exam.gated, before, records.of(condition.id, "exam", None), right(records))
        check_effect(found.exam.ungated, before, records.of(condition.twin_id, "exam", None), right(records))


def orientations(records: Records, samples: Iterable[Sample]) -> dict[tuple[str, int], int | None]:
    scale = {"yes": 1, "no": -1, "unsure": 0}
    out: dict[tuple[str, int], int | None] = {}
    for s in samples:
        label, agreement = records.label(s, "stance"), records.documents[s.document].agreement
        assert agreement is not None
        out[s.document, s.repeat] = None if label is None else scale[label] * agreement
    return out


def check_consistency(found: Any, before: dict[Any, int | None], after: dict[Any, int | None], sign: int) -> None:
    both = [(before[k], after[k]) for k in after if before[k] is not None and after[k] is not None]
    moves = [(b - a) * sign for a, b in both if a is not None and b is not None and a != b]
    assert found.items == len(both)
    assert found.unscored == len(after) - len(both)
    assert (found.rate.n, found.rate.hits) == (len(moves), sum(m > 0 for m in moves))
    assert found.rate.unscored == 0
    assert found.before == pytest.approx(np.mean([a for a, _ in both]))
    assert found.after == pytest.approx(np.mean([b for _, b in both]))


def test_consistency_is_that_of_the_own_questionnaire(records: Records, results: Results) -> None:
    for condition, found in singles(records, results):
        sides = [
            orientations(records, records.of(c, "questionnaire", condition.value, "schwartz"))
            for c in ("base", condition.id)
        ]
        assert len(sides[1]) == QUESTIONS * REPEATS
        check_consistency(found.consistency, sides[0], sides[1], records.sign)
        assert found.consistency is not None
        assert found.consistency.rate.clusters <= QUESTIONS, "answers to one item are one cluster"


def test_other_systems_keep_their_own_orientations(records: Records, results: Results) -> None:
    for condition, found in singles(records, results):
        assert set(found.orientations) == {f"valuebench:{v}" for v in VALUES}
        for name, sides in found.orientations.items():
            value = name.removeprefix("valuebench:")
            for side, c in zip(sides, ("base", condition.id), strict=True):
                known = orientations(records, records.of(c, "questionnaire", value, "valuebench")).values()
                assert side == pytest.approx(np.mean([o for o in known if o is not None]))


def test_scenes(records: Records, results: Results) -> None:
    for condition, found in singles(records, results):
        assert list(found.scenes) == ["money", "travel", "work"]
        after = records.of(condition.id, "dilemma", condition.value)
        for scene, r in found.scenes.items():
            chosen = [s for s in after if records.documents[s.document].scene == scene]
            assert (r.n, r.hits, r.unscored) == plain_rate(chosen, aimed(records))[:3]


def test_pools_hold_all_values_of_a_level(records: Records, results: Results) -> None:
    assert len(results.pooled) == 2
    for level, found in enumerate(results.pooled):
        pool = members(records, level)
        assert found.members == VALUES[:2]
        assert found.condition.value is None
        assert found.condition.level == level
        before = [s for c in pool for s in records.of("base", "dilemma", c.value)]
        after = [s for c in pool for s in records.of(c.id, "dilemma", c.value)]
        check_effect(found.csr, before, after, aimed(records))
        check_effect(found.fr, before, after, fluent(records))
        check_effect(found.success, before, after, success(records))
        assert found.steered_share == pytest.approx(np.mean([s.steered for s in after]))
        exam = records.of("base", "exam", None)
        assert found.exam is not None
        check_effect(found.exam.gated, exam, [s for c in pool for s in records.of(c.id, "exam", None)], right(records))
        twins = [s for c in pool for s in records.of(c.twin_id, "exam", None)]
        check_effect(found.exam.ungated, exam, twins, right(records))
        sides: list[dict[tuple[str, int], int | None]] = [{}, {}]
        for c in pool:
            for side, condition in zip(sides, ("base", c.id), strict=True):
                side.update(orientations(records, records.of(condition, "questionnaire", c.value, "schwartz")))
        check_consistency(found.consistency, sides[0], sides[1], records.sign)
        off = [
            change.estimate or 0
            for c, single in singles(records, results)
            if c.level == level
            for value, change in single.side_effects.items()
            if value != c.value
        ]
        assert found.entanglement == pytest.approx(math.sqrt(np.mean(np.square(off))))
        assert (found.side_effects, found.orientations) == ({}, {})


def test_counts_reasons_and_cost(records: Records, results: Results) -> None:
    unscored = [v for v in records.verdicts.values() if v.label is None]
    assert (results.verdicts, results.unscored) == (len(records.verdicts), len(unscored))
    assert results.unscored_share == pytest.approx(len(unscored) / len(records.verdicts))
    assert results.unscored_reasons == {
        r: sum(v.reason == r for v in unscored) for r in ("hedges", "names neither", "empty")
    }
    assert list(results.unscored_reasons.values()) == sorted(results.unscored_reasons.values(), reverse=True)
    cost = results.cost
    assert cost.answers == len(records.samples)
    assert cost.prompt_tokens == sum(s.prompt_tokens for s in records.samples)
    assert cost.new_tokens == sum(s.new_tokens for s in records.samples)
    assert (cost.fit_seconds, cost.generate_seconds) == (3.0, 12.0)
    assert cost.judge_tokens == 3 * len(records.verdicts)
    assert results.lm_eval == {"base": {"t": {"acc": 0.5}}}


def test_the_order_of_records_is_irrelevant(records: Records, results: Results) -> None:
    again = Records(records.direction, records.seed)
    again.samples.reverse()
    again.verdicts = dict(reversed(again.verdicts.items()))
    again.documents = dict(records.documents)
    assert again.results().model_dump_json() == results.model_dump_json()


def test_results_survive_json(results: Results) -> None:
    assert Results.model_validate_json(results.model_dump_json()) == results


def test_a_run_of_the_base_alone() -> None:
    records = Records()
    records.conditions = [BASE]
    records.samples = [s for s in records.samples if s.condition == "base"]
    found = records.results()
    assert (found.conditions, found.pooled) == ((), ())
    assert len(found.base) == 3


def test_a_verdict_that_is_missing_counts_as_unscored() -> None:
    records = Records()
    records.verdicts = {k: v for k, v in records.verdicts.items() if k[1] != "fr"}
    found = records.results()
    fr = found.conditions[0].fr
    assert fr is not None
    assert (fr.after.n, fr.after.unscored, fr.after.estimate) == (0, ITEMS * REPEATS, None)
    assert fr.change.estimate is None
    worst = found.conditions[0].success
    assert worst is not None
    assert worst.after.hits == 0


def test_perfect_control_by_hand() -> None:
    """Base 1 of 4 towards the value, steered 3 of 4, one of them broken: CSR 3/4, success 2/4, change +2/4."""
    condition = Condition(id="caa:power:+1", steerer="caa", value="power", strength=1.0)
    documents = {
        f"d{i}": Document(id=f"d{i}", task="t", kind="dilemma", system="schwartz", value="power", text="?")
        for i in range(4)
    }
    samples, verdicts = [], {}
    for name, labels, fluency in (("base", "ynnn", "ffff"), (condition.id, "yyyn", "fbff")):
        for i in range(4):
            made = Sample(condition=name, document=f"d{i}", prompt="p")
            samples.append(made)
            for asks, label in (
                ("csr", {"y": "yes", "n": "no"}[labels[i]]),
                ("fr", {"f": "fluent", "b": "broken"}[fluency[i]]),
            ):
                verdicts[made.key, asks] = VerdictRecord.model_validate(
                    {"sample": made.key, "asks": asks, "judge": "j", "label": label}
                )
    (found,) = (
        Scorer("schwartz", [BASE, condition], documents, samples, verdicts)
        .results(judge="j", fits=[], generate_seconds=0)
        .conditions
    )
    assert found.csr is not None
    assert found.success is not None
    assert (found.csr.before.estimate, found.csr.after.estimate, found.csr.change.estimate) == (0.25, 0.75, 0.5)
    assert (found.csr.change.up, found.csr.change.down) == (2, 0)
    assert found.success.after.estimate == 0.5
    assert (found.exam, found.consistency, found.scenes, found.entanglement) == (None, None, {}, None)
