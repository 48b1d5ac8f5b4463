"""The rate that people would give, and its change, from a judge and a few labels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from ppi_py import ppi_mean_ci, ppi_mean_pointestimate
from scipy.stats import binomtest, norm, t

from tests.support.simulations import BiasedJudge, judged, opinions
from valuebench_harness.metrics.confusion import Estimate
from valuebench_harness.metrics.paired import paired_change
from valuebench_harness.metrics.ppi import CorrectedRate, Opinions, corrected_change, corrected_rate, labels_needed
from valuebench_harness.metrics.rates import rate, wilson


def sample(seed: int, n: int = 100, others: int = 900) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    people = rng.random(n + others) < 0.7
    return people, np.where(people, rng.random(n + others) > 0.05, rng.random(n + others) < 0.3)


def first(n: int, people: np.ndarray, judge: np.ndarray) -> CorrectedRate:
    """The first n labelled, each answer with an item of its own."""
    return corrected_rate(opinions(people, judge, np.arange(n)))


def width(found: CorrectedRate | Estimate) -> float:
    assert found.low is not None
    assert found.high is not None
    return found.high - found.low


def holds(found: CorrectedRate | Estimate, truth: float) -> bool:
    assert found.low is not None
    assert found.high is not None
    return found.low <= truth <= found.high


@pytest.mark.parametrize("seed", range(4))
def test_the_corrected_rate_is_ppi_pythons(seed: int) -> None:
    people, judge = sample(seed)
    y, f, rest = people[:100].astype(float), judge[:100].astype(float), judge[100:].astype(float)
    found = first(100, people, judge)
    expected = float(np.squeeze(ppi_mean_pointestimate(y, f, rest, lam=found.trust)))
    assert found.estimate == pytest.approx(expected)
    tuned = float(np.squeeze(ppi_mean_pointestimate(y, f, rest)))
    assert found.estimate == pytest.approx(tuned, abs=0.004)
    low, high = (float(np.squeeze(x)) for x in ppi_mean_ci(y, f, rest, alpha=0.05))
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.02), "ours is a little wider: small samples"
    assert found.judged == pytest.approx(judge.mean())
    assert found.labelled == pytest.approx(y.mean())
    assert found.bias == pytest.approx(f.mean() - y.mean())
    assert (found.labels, found.answers, found.items) == (100, 1000, 1000)


def test_the_interval_is_ppi_pythons_where_labels_are_many() -> None:
    people, judge = sample(3, n=4000, others=16_000)
    y, f, rest = people[:4000].astype(float), judge[:4000].astype(float), judge[4000:].astype(float)
    low, high = (float(np.squeeze(x)) for x in ppi_mean_ci(y, f, rest, alpha=0.05))
    found = first(4000, people, judge)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-4)
    assert width(found) == pytest.approx(high - low, rel=0.01)


def test_corrected_intervals_cover_and_naive_ones_do_not() -> None:
    corrected = naive = narrower = 0
    trials = 300
    for seed in range(trials):
        people, judge = sample(seed + 100)
        found = first(100, people, judge)
        corrected += holds(found, 0.7)
        low, high = wilson(int(judge.sum()), 1000)
        naive += low <= 0.7 <= high
        low, high = wilson(int(people[:100].sum()), 100)
        narrower += width(found) < high - low
    assert binomtest(corrected, trials).proportion_ci().high >= 0.93
    assert corrected / trials > 0.91
    assert naive / trials < 0.8
    assert narrower / trials > 0.9, "the judge must be worth its while"


def test_a_judge_that_never_errs_leaves_an_interval_all_the_same() -> None:
    people = np.array(([True] * 80 + [False] * 20) * 6)
    found = first(100, people, people)
    assert found.estimate == pytest.approx(0.8)
    assert 0.03 < width(found) < 0.12


def test_all_labelled_and_none_labelled() -> None:
    whole = first(40, np.array([True, False] * 20), np.full(40, True))
    assert (whole.estimate, whole.trust, whole.answers) == (0.5, 0.0, 40)
    half = t.ppf(0.975, 39) * math.sqrt(0.25 / 42)  # of 21 of 42: a hit and a miss are added
    assert (whole.low, whole.high) == pytest.approx((0.5 - half, 0.5 + half))
    nothing = first(0, np.array([True, False]), np.array([True, False]))
    assert (nothing.estimate, nothing.judged, nothing.labels) == (None, 0.5, 0)
    assert corrected_rate([]).judged is None
    assert labels_needed(nothing, 0.1) is None


@pytest.mark.parametrize(
    "judge",
    [
        BiasedJudge(0.6, 0.05, 0.05, 480, 10, 0.9),
        BiasedJudge(0.9, 0.05, 0.05, 480, 10, 0.5),
        BiasedJudge(0.6, 0.1, 0.1, 100, 5, 0.5),
        BiasedJudge(0.6, 0.05, 0.05, 480),
    ],
    ids=str,
)
@pytest.mark.parametrize("labels", [30, 90])
def test_items_with_several_answers_are_a_sample_as_well(judge: BiasedJudge, labels: int) -> None:
    """Few labels are no better than a label on every answer, whose interval counts items."""
    rng, covered, widths, all_labelled = np.random.default_rng(0), 0, [], []
    trials = 250
    for _ in range(trials):
        people, verdicts, items = judged(judge, rng)
        found = corrected_rate(opinions(people, verdicts, rng.permutation(judge.answers)[:labels], items))
        covered += holds(found, judge.truth)
        widths.append(width(found))
        whole = rate(people.tolist(), [str(i) for i in items])
        assert whole.low is not None
        assert whole.high is not None
        all_labelled.append(whole.high - whole.low)
    assert binomtest(covered, trials).proportion_ci().high >= 0.95
    assert np.mean(widths) > np.mean(all_labelled)


def test_answers_that_are_all_alike_count_an_item_once() -> None:
    """The judge never errs and items agree with themselves: 200 answers tell what 20 do."""
    people = np.repeat(np.array([True] * 14 + [False] * 6), 10)
    picked = np.random.default_rng(0).permutation(200)[:100]
    many = corrected_rate(opinions(people, people, picked, np.arange(200) // 10))
    few = first(20, people[::10], people[::10])
    assert many.items == few.items == 20
    assert width(many) == pytest.approx(width(few), rel=0.2)


def test_labels_on_one_item_alone_say_next_to_nothing() -> None:
    people = np.array([True] * 9 + [False])
    found = corrected_rate(opinions(people, people, np.arange(5), np.zeros(10)))
    assert (found.low, found.high) == (0.0, 1.0)
    copies = corrected_rate(opinions(people, people, np.arange(5), np.arange(10) // 5, np.arange(10) // 5))
    assert width(copies) == 1.0


def test_labels_needed_give_the_width_wanted() -> None:
    people, judge = sample(1, n=100, others=4900)
    found = first(100, people, judge)
    needed = labels_needed(found, 0.08)
    assert needed is not None
    widths = []
    for seed in range(20):
        people, judge = sample(seed + 50, n=needed, others=5000 - needed)
        widths.append(width(first(needed, people, judge)))
    assert np.mean(widths) == pytest.approx(0.08, rel=0.25)
    assert labels_needed(found, 0.001) is None, "the answers themselves are too few"
    with pytest.raises(ValueError, match="width"):
        labels_needed(found, 0.0)


@pytest.mark.parametrize("copies", [1, 5])
def test_labels_needed_know_the_items(copies: int) -> None:
    """With equal answers, which share a label, as without; no labels make it narrower than the items allow."""
    rng, judge = np.random.default_rng(0), BiasedJudge(0.6, 0.2, 0.2, 480 // copies, 10 // copies, 0.3)

    def once(labels: int) -> CorrectedRate:
        people, verdicts, items = (np.repeat(x, copies) for x in judged(judge, rng))
        texts = np.arange(480) // copies
        picked = np.isin(texts, rng.permutation(judge.answers)[: labels // copies])
        return corrected_rate(opinions(people, verdicts, np.flatnonzero(picked), items, texts))

    wanted = float(np.mean([width(once(200)) for _ in range(40)]))
    needed = [labels_needed(once(120), wanted) for _ in range(40)]
    assert np.median([n or 480 for n in needed]) == pytest.approx(200, rel=0.25)
    least = float(np.mean([width(once(480)) for _ in range(40)]))
    assert labels_needed(once(120), least / 2) is None


def test_a_width_that_is_there_needs_the_labels_that_are_there() -> None:
    rng = np.random.default_rng(0)
    people, verdicts, items = judged(BiasedJudge(0.5, 0.1, 0.1, 480, 4, 0.5), rng)
    found = corrected_rate(opinions(people, verdicts, rng.permutation(480)[:200], items))
    assert found.items == 120
    assert labels_needed(found, width(found)) == pytest.approx(200, abs=8), "degrees of freedom differ by a few"


def test_a_corrected_change_covers_the_truth() -> None:
    """Base 0.4, steered 0.7; the judge flatters the steered answers."""
    rng = np.random.default_rng(0)
    covered, trials = 0, 200
    for _ in range(trials):
        sides = []
        for truth, false_yes in ((0.4, 0.1), (0.7, 0.4)):
            people = rng.random(500) < truth
            judge = people | (rng.random(500) < false_yes)
            sides.append(opinions(people, judge, np.arange(60)))
        covered += holds(corrected_change(*sides), 0.3)
    assert binomtest(covered, trials).proportion_ci().high >= 0.95


def steered(
    rng: np.random.Generator, rates: tuple[float, float], items: int, repeats: int, alike: float, labels: int
) -> tuple[list[Opinions], list[Opinions]]:
    """Base and steered answers to the same items, whose hardness correlates by ``alike``; the judge errs in 5%."""
    place, own = np.arange(items * repeats) // repeats, rng.normal(size=items)
    sides = []
    for truth, hard in zip(rates, (own, alike * own + math.sqrt(1 - alike**2) * rng.normal(size=items)), strict=True):
        people = math.sqrt(0.7) * hard[place] + math.sqrt(0.3) * rng.normal(size=len(place)) < norm.ppf(truth)
        judge = people ^ (rng.random(len(place)) < 0.05)
        sides.append(opinions(people, judge, rng.permutation(len(place))[:labels], place))
    return sides[0], sides[1]


@pytest.mark.parametrize(("items", "repeats", "labels"), [(48, 10, 100), (240, 1, 80), (48, 1, 48)])
@pytest.mark.parametrize("alike", [0.9, 0.0, -0.9])
def test_a_change_on_shared_items_is_paired(items: int, repeats: int, labels: int, alike: float) -> None:
    rng, covered, paired, apart = np.random.default_rng(0), 0, [], []
    trials = 200
    for _ in range(trials):
        base, after = steered(rng, (0.5, 0.7), items, repeats, alike, labels)
        change = corrected_change(base, after)
        covered += holds(change, 0.2)
        paired.append(width(change))
        other = [Opinions(item=f"other {a.item}", text=a.text, judge=a.judge, people=a.people) for a in after]
        apart.append(width(corrected_change(base, other)))
    found = binomtest(covered, trials).proportion_ci()
    assert found.low <= 0.97
    assert found.high >= 0.93
    ratio = np.mean(paired) / np.mean(apart)
    assert ratio == pytest.approx(1, abs=0.03) if alike == 0 else (ratio < 0.95 if alike > 0 else ratio > 1.05)


def test_with_every_answer_labelled_the_change_is_that_of_matched_pairs() -> None:
    rng = np.random.default_rng(0)
    before, after = rng.random(60) < 0.5, rng.random(60) < 0.7
    found = corrected_change(*(opinions(x, x, np.arange(60)) for x in (before, after)))
    pairs = paired_change(*({str(n): [bool(o)] for n, o in enumerate(x)} for x in (before, after)))
    assert found.estimate == pytest.approx(pairs.estimate)
    assert pairs.low is not None
    assert pairs.high is not None
    wider = t.ppf(0.975, 59) / norm.ppf(0.975)
    assert width(found) == pytest.approx((pairs.high - pairs.low) * wider, rel=1e-3)
    assert (found.low or 0) + (found.high or 0) == pytest.approx(pairs.low + pairs.high)


def test_a_change_is_undefined_where_a_side_is() -> None:
    known = opinions(np.array([True, False] * 25), np.array([True, False] * 25), np.arange(40))
    assert corrected_change(known, []).estimate is None
    same = corrected_change(known, known)
    assert same.estimate == 0
    assert 0 < width(same) < 0.2, "a width is kept where nothing changed"
