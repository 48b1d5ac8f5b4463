"""Judges against people, raters against each other, and the rate that people would give."""

from __future__ import annotations

import krippendorff
import numpy as np
import pytest
from ppi_py import ppi_mean_ci, ppi_mean_pointestimate
from scipy.stats import binomtest
from sklearn.metrics import cohen_kappa_score, precision_recall_fscore_support
from statsmodels.stats.inter_rater import fleiss_kappa as sm_fleiss

from valuebench_harness.metrics.confusion import agreement
from valuebench_harness.metrics.ppi import corrected_change, corrected_rate, labels_needed
from valuebench_harness.metrics.rates import wilson
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
    whole = reliability(found, LABELS)
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
    whole = reliability(found, LABELS)
    assert whole.alpha.estimate == pytest.approx(expected)
    assert whole.alpha_items == sum(len(r) >= 2 for r in found)
    assert whole.fleiss_items == sum(len(r) == 3 for r in found)
    assert whole.alpha.low is not None
    assert whole.alpha.high is not None
    assert whole.alpha.low < expected < whole.alpha.high


def test_reliability_where_it_is_undefined() -> None:
    same = reliability([{"A": "yes", "B": "yes"}] * 10, LABELS)
    assert (same.alpha.estimate, same.fleiss.estimate) == (None, None), "chance agreement is perfect"
    apart = reliability([{"A": "yes"}, {"B": "no"}], LABELS)
    assert (apart.alpha_items, apart.alpha.estimate, apart.raters) == (0, None, 2)
    perfect = reliability([{"A": x, "B": x} for x in ("yes", "no") * 10], LABELS)
    assert (perfect.alpha.estimate, perfect.alpha.low) == (1.0, None)
    assert reliability([], LABELS).raters == 0


def test_alpha_of_opposed_raters_is_negative() -> None:
    counts = np.array([[1.0, 1.0]] * 10)
    assert float(krippendorff_alpha(counts)) < 0


def sample(seed: int, n: int = 100, others: int = 900) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    people = rng.random(n + others) < 0.7
    judge = np.where(people, rng.random(n + others) > 0.05, rng.random(n + others) < 0.3)
    return people, judge, judge[n:]


@pytest.mark.parametrize("seed", range(4))
def test_the_corrected_rate_is_ppi_pythons(seed: int) -> None:
    people, judge, rest = sample(seed)
    y, f = people[:100].astype(float), judge[:100].astype(float)
    found = corrected_rate(list(people[:100]), list(judge[:100]), list(rest))
    expected = float(np.squeeze(ppi_mean_pointestimate(y, f, rest.astype(float), lam=found.trust)))
    assert found.estimate == pytest.approx(expected)
    tuned = float(np.squeeze(ppi_mean_pointestimate(y, f, rest.astype(float))))
    assert found.estimate == pytest.approx(tuned, abs=0.004)
    low, high = (float(np.squeeze(x)) for x in ppi_mean_ci(y, f, rest.astype(float), alpha=0.05))
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.02), "ours is a little wider: small samples"
    assert found.judged == pytest.approx(judge.mean())
    assert found.labelled == pytest.approx(y.mean())
    assert found.bias == pytest.approx(f.mean() - y.mean())
    assert (found.labels, found.answers) == (100, 1000)


def test_corrected_intervals_cover_and_naive_ones_do_not() -> None:
    corrected = naive = narrower = 0
    trials = 300
    for seed in range(trials):
        people, judge, rest = sample(seed + 100)
        found = corrected_rate(list(people[:100]), list(judge[:100]), list(rest))
        assert found.low is not None
        assert found.high is not None
        corrected += found.low <= 0.7 <= found.high
        low, high = wilson(int(judge.sum()), 1000)
        naive += low <= 0.7 <= high
        low, high = wilson(int(people[:100].sum()), 100)
        narrower += found.high - found.low < high - low
    assert binomtest(corrected, trials).proportion_ci().high >= 0.93
    assert corrected / trials > 0.91
    assert naive / trials < 0.8
    assert narrower / trials > 0.9, "the judge must be worth its while"


def test_a_judge_that_never_errs_leaves_an_interval_all_the_same() -> None:
    found = corrected_rate([True] * 80 + [False] * 20, [True] * 80 + [False] * 20, [True] * 400 + [False] * 100)
    assert found.estimate == pytest.approx(0.8)
    assert found.low is not None
    assert found.high is not None
    assert 0.03 < found.high - found.low < 0.12


def test_all_labelled_and_none_labelled() -> None:
    whole = corrected_rate([True, False] * 20, [True] * 40, [])
    assert (whole.estimate, whole.trust, whole.answers) == (0.5, 0.0, 40)
    nothing = corrected_rate([], [], [True, False])
    assert (nothing.estimate, nothing.judged, nothing.labels) == (None, 0.5, 0)
    assert corrected_rate([], [], []).judged is None
    assert labels_needed(nothing, 0.1) is None


def test_several_answers_an_item_widen_the_interval() -> None:
    people = [n % 3 > 0 for n in range(30) for _ in range(4)]
    judge = [n % 4 > 0 for n in range(30) for _ in range(4)]
    names = [str(n) for n in range(30) for _ in range(4)]
    alone = corrected_rate(people, judge, [True] * 300)
    clustered = corrected_rate(people, judge, [True] * 300, names)
    assert clustered.estimate == alone.estimate
    assert clustered.residual is not None
    assert alone.residual is not None
    assert clustered.residual > 2 * alone.residual


def test_labels_needed_give_the_width_wanted() -> None:
    people, judge, rest = sample(1, n=100, others=4900)
    found = corrected_rate(list(people[:100]), list(judge[:100]), list(rest))
    needed = labels_needed(found, 0.08)
    assert needed is not None
    widths = []
    for seed in range(20):
        people, judge, rest = sample(seed + 50, n=needed, others=5000 - needed)
        again = corrected_rate(list(people[:needed]), list(judge[:needed]), list(rest))
        assert again.low is not None
        assert again.high is not None
        widths.append(again.high - again.low)
    assert np.mean(widths) == pytest.approx(0.08, rel=0.25)
    assert labels_needed(found, 0.001) is None, "the answers themselves are too few"
    with pytest.raises(ValueError, match="width"):
        labels_needed(found, 0.0)


def test_a_corrected_change_covers_the_truth() -> None:
    """Base 0.4, steered 0.7; the judge flatters the steered answers."""
    rng = np.random.default_rng(0)
    covered, trials = 0, 200
    for _ in range(trials):
        sides = []
        for truth, false_yes in ((0.4, 0.1), (0.7, 0.4)):
            people = rng.random(500) < truth
            judge = people | (rng.random(500) < false_yes)
            sides.append(corrected_rate(people[:60].tolist(), judge[:60].tolist(), judge[60:].tolist()))
        change = corrected_change(*sides)
        assert change.low is not None
        assert change.high is not None
        covered += change.low <= 0.3 <= change.high
    assert binomtest(covered, trials).proportion_ci().high >= 0.95


def test_a_change_is_undefined_where_a_side_is() -> None:
    known = corrected_rate([True, False] * 20, [True, False] * 20, [True] * 10)
    assert corrected_change(known, corrected_rate([], [], [])).estimate is None
    assert corrected_change(known, known).estimate == 0
