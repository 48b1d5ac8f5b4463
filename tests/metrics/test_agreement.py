"""Judges against people, raters against each other."""

from __future__ import annotations

import krippendorff
import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, precision_recall_fscore_support
from statsmodels.stats.inter_rater import fleiss_kappa as sm_fleiss

from valuebench_harness.metrics.confusion import agreement
from valuebench_harness.metrics.reliability import fleiss_kappa, krippendorff_alpha, reliability

LABELS = ("yes", "no", "unsure")


def judged(seed: int, n: int = 150, wrong: float = 0.2) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(seed)
    people = rng.choice(LABELS, size=n, p=[0.6, 0.3, 0.1])
    judge = np.where(rng.random(n) < wrong, rng.choice(LABELS, size=n), people)
    return [str(x) for x in people], [str(x) for x in judge]


@pytest.mark.parametrize("seed", range(3))
def test_agreement_is_scikit_learns(seed: int) -> None:
    people, judge = judged(seed)
    found = agreement(people, judge, LABELS, [str(i) for i in range(150)])
    assert found.kappa.estimate == pytest.approx(cohen_kappa_score(people, judge))
    precision, recall, f1, _ = precision_recall_fscore_support(people, judge, labels=LABELS)
    for n, label in enumerate(LABELS):
        scores = found.classes[label]
        assert scores.precision.estimate == pytest.approx(precision[n])
        assert scores.recall.estimate == pytest.approx(recall[n])
        assert scores.f1.estimate == pytest.approx(f1[n])
        assert scores.f1.low is not None
        assert scores.f1.high is not None
        assert scores.f1.low < f1[n] < scores.f1.high
    assert found.accuracy.estimate == pytest.approx(np.mean(np.array(people) == np.array(judge)))


def test_intervals_of_kappa_cover() -> None:
    """Truth by exact calculation from the probabilities that draw the labels."""
    shares, wrong = np.array([0.6, 0.3, 0.1]), 0.2
    joint = (1 - wrong) * np.diag(shares) + wrong * np.outer(shares, np.full(3, 1 / 3))
    chance = float(joint.sum(axis=0) @ joint.sum(axis=1))
    truth = (np.trace(joint) - chance) / (1 - chance)
    covered, trials = 0, 100
    for seed in range(trials):
        people, judge = judged(seed)
        kappa = agreement(people, judge, LABELS, [str(i) for i in range(150)]).kappa
        assert kappa.low is not None
        assert kappa.high is not None
        covered += kappa.low <= truth <= kappa.high
    assert covered >= 88


def test_unscored_verdicts_are_left_out_and_counted() -> None:
    found = agreement(["yes", "yes", "no", "no"], ["yes", None, "no", "yes"], ("yes", "no"), list("abcd"))
    assert found.matrix == ((1, 0, 1), (1, 1, 0))
    assert (found.accuracy.hits, found.accuracy.n, found.accuracy.unscored) == (2, 3, 1)
    yes = found.classes["yes"]
    assert (yes.precision.estimate, yes.recall.estimate, yes.recall.unscored) == (0.5, 1.0, 1)
    assert yes.f1.estimate == pytest.approx(2 / 3)


def test_perfect_agreement_is_still_uncertain() -> None:
    found = agreement(["yes", "no"] * 20, ["yes", "no"] * 20, ("yes", "no"), [str(i) for i in range(40)])
    assert found.kappa.estimate == 1
    assert found.kappa.low is not None
    assert 0.8 < found.kappa.low < 0.99


def test_one_label_only_leaves_kappa_undefined() -> None:
    found = agreement(["yes"] * 5, ["yes"] * 5, ("yes", "no"), list("abcde"))
    assert found.kappa.estimate is None
    assert found.accuracy.estimate == 1
    assert found.classes["no"].precision.estimate is None
    assert found.classes["no"].f1.estimate is None
    empty = agreement([], [], ("yes", "no"), [])
    assert (empty.kappa.estimate, empty.accuracy.n) == (None, 0)


def ratings(seed: int, items: int = 60, missing: float = 0.0) -> list[dict[str, str]]:
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(items):
        true = rng.choice(LABELS, p=[0.5, 0.4, 0.1])
        found = {r: str(rng.choice(LABELS) if rng.random() < 0.3 else true) for r in "ABC" if rng.random() >= missing}
        out.append(found)
    return out


@pytest.mark.parametrize("seed", range(3))
def test_fleiss_kappa_is_statsmodels(seed: int) -> None:
    found = ratings(seed)
    counts = np.array([[list(r.values()).count(label) for label in LABELS] for r in found], dtype=float)
    assert float(fleiss_kappa(counts)) == pytest.approx(sm_fleiss(counts))
    whole = reliability(found, LABELS, range(len(found)))
    assert whole.fleiss.estimate == pytest.approx(sm_fleiss(counts))
    assert whole.fleiss.low is not None
    assert whole.fleiss.high is not None
    assert whole.fleiss.low < sm_fleiss(counts) < whole.fleiss.high


@pytest.mark.parametrize("seed", range(3))
def test_alpha_is_that_of_the_krippendorff_package(seed: int) -> None:
    found = ratings(seed, missing=0.3)
    table = [[r.get(name, "") for r in found] for name in "ABC"]
    numbers = np.array([[LABELS.index(x) if x else np.nan for x in row] for row in table])
    expected = krippendorff.alpha(reliability_data=numbers, level_of_measurement="nominal")
    whole = reliability(found, LABELS, range(len(found)))
    assert whole.alpha.estimate == pytest.approx(expected)
    assert whole.alpha_items == sum(len(r) >= 2 for r in found)
    assert whole.fleiss_items == sum(len(r) == 3 for r in found)
    assert whole.alpha.low is not None
    assert whole.alpha.high is not None
    assert whole.alpha.low < expected < whole.alpha.high


def test_reliability_where_it_is_undefined() -> None:
    same = reliability([{"A": "yes", "B": "yes"}] * 10, LABELS, range(10))
    assert (same.alpha.estimate, same.fleiss.estimate) == (None, None), "chance agreement is perfect"
    apart = reliability([{"A": "yes"}, {"B": "no"}], LABELS, "ab")
    assert (apart.alpha_items, apart.alpha.estimate, apart.raters) == (0, None, 2)
    perfect = reliability([{"A": x, "B": x} for x in ("yes", "no") * 10], LABELS, range(20))
    assert (perfect.alpha.estimate, perfect.alpha.low) == (1.0, None)
    assert reliability([], LABELS, []).raters == 0


def test_alpha_of_opposed_raters_is_negative() -> None:
    counts = np.array([[1.0, 1.0]] * 10)
    assert float(krippendorff_alpha(counts)) < 0
