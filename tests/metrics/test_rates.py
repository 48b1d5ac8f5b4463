"""Rates against scipy and statsmodels, and what must hold for any outcomes."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from valuebench_harness.metrics.rates import Rate, design_effect, rate, score_interval, wilson

Outcomes = list[bool | None]

CASES = [(0, 1), (1, 1), (0, 48), (48, 48), (1, 48), (24, 48), (47, 48), (3, 7), (999, 1000), (0, 100_000)]


@pytest.mark.parametrize(("hits", "n"), CASES)
def test_wilson_is_scipys_and_statsmodels(hits: int, n: int) -> None:
    expected = stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
    assert wilson(hits, n) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert wilson(hits, n) == pytest.approx(proportion_confint(hits, n, 0.05, method="wilson"), abs=1e-12)


def covered(intervals: Sequence[tuple[float, float]], truth: float) -> float:
    """Exact share of binomial samples whose interval holds the truth; ``intervals`` are those of 0, 1, .. n hits."""
    n = len(intervals) - 1
    held = [low <= truth <= high for low, high in intervals]
    return float(stats.binom.pmf(np.arange(n + 1), n, truth)[held].sum())


def test_wilson_covers_in_95_of_100_samples() -> None:
    """Exact coverage, averaged over rates, from the binomial distribution: no simulation noise."""
    n = 48
    intervals = [wilson(k, n) for k in range(n + 1)]
    shares = [covered(intervals, rate) for rate in np.linspace(0.05, 0.95, 181)]
    assert 0.945 <= np.mean(shares) <= 0.965
    assert min(shares) > 0.91


def test_rates_near_zero_and_one_are_held_too() -> None:
    """Where Wilson's interval loses rates of which few or none are seen."""
    n = 48
    plain = [wilson(k, n) for k in range(n + 1)]
    ours = [score_interval(k, n) for k in range(n + 1)]
    near = np.concatenate([np.geomspace(0.0005, 0.1, 400), 1 - np.geomspace(0.0005, 0.1, 400)])
    shares = [covered(ours, rate) for rate in near]
    assert min(covered(plain, rate) for rate in near) < 0.86
    assert min(shares) > 0.91
    assert np.mean(shares) >= 0.95


def test_few_hits_or_misses_are_poissons() -> None:
    """Poisson's one-sided bound by the chi-square quantile (Garwood 1936)."""
    assert score_interval(1, 48)[0] == pytest.approx(stats.chi2.ppf(0.05, 2) / 2 / 48)
    assert score_interval(46, 48)[1] == pytest.approx(1 - stats.chi2.ppf(0.05, 4) / 2 / 48)
    assert score_interval(3, 100)[0] == pytest.approx(stats.chi2.ppf(0.05, 6) / 2 / 100)
    for hits, n in [(3, 48), (4, 100), (0, 48), (48, 48), (24, 48)]:
        assert score_interval(hits, n) == wilson(hits, n)


def robust_deff(outcomes: np.ndarray, clusters: np.ndarray) -> float:
    """Cluster-robust variance of a mean by statsmodels, over the binomial one."""
    fit = sm.OLS(outcomes.astype(float), np.ones(len(outcomes))).fit(cov_type="cluster", cov_kwds={"groups": clusters})
    p = outcomes.mean()
    return float(fit.cov_params()[0, 0] / (p * (1 - p) / len(outcomes)))


@pytest.mark.parametrize("seed", range(5))
def test_design_effect_is_that_of_a_cluster_robust_regression(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 6, size=30)
    clusters = np.repeat(np.arange(30), sizes)
    outcomes = rng.random(len(clusters)) < np.repeat(rng.beta(0.7, 0.7, size=30), sizes)
    plain = robust_deff(outcomes, clusters)
    assert plain > 1.2, "the example must have clustered answers"
    # One more item of alike answers, as large as the items that weigh as these do, right or wrong with equal chances.
    n, p = len(outcomes), outcomes.mean()
    size = n / (n**2 / (np.bincount(clusters) ** 2).sum())
    added = size * np.mean([(0 - p) ** 2, (1 - p) ** 2])
    expected = (plain * n * p * (1 - p) + size * added) / (n * p * (1 - p) + added)
    assert design_effect(list(outcomes), [str(c) for c in clusters]) == pytest.approx(expected, rel=1e-9)


def test_the_design_effect_is_never_below_one() -> None:
    rng = np.random.default_rng(0)
    balanced = np.tile([True, False], 20)  # each cluster holds a hit and a miss: less variance than chance
    clusters = np.repeat(np.arange(20), 2)
    rng.shuffle(clusters.reshape(20, 2))
    assert robust_deff(balanced, clusters) < 1
    assert design_effect(list(balanced), [str(c) for c in clusters]) == 1.0


def test_copies_of_an_answer_add_no_certainty() -> None:
    once = rate([True] * 10, [str(i) for i in range(10)])
    copied = rate([True] * 50, [str(i // 5) for i in range(50)])
    assert (copied.n, copied.clusters) == (50, 10)
    assert (copied.low, copied.high) == pytest.approx((once.low, once.high))
    assert rate([True, False], ["a", "a"]).low == pytest.approx(score_interval(0.5, 1)[0])


def test_a_few_misses_are_not_taken_for_single_ones() -> None:
    """48 items of 10 answers; half of the items are answered alike, and few items miss at all."""
    rng = np.random.default_rng(5)
    truth, trials, items = 0.975, 400, [str(i // 10) for i in range(480)]
    held = {"ours": 0, "by the design effect found": 0}
    for _ in range(trials):
        alike = np.broadcast_to(rng.random((48, 1)) < truth, (48, 10))
        answers = np.where(rng.random((48, 1)) < 0.5, alike, rng.random((48, 10)) < truth)
        outcomes = answers.ravel().tolist()
        found = rate(outcomes, items)
        assert found.low is not None
        assert found.high is not None
        held["ours"] += found.low <= truth <= found.high
        n = 480 / (max(1.0, robust_deff(answers.ravel(), np.repeat(np.arange(48), 10))) if found.hits < 480 else 10)
        low, high = score_interval(found.hits / 480 * n, n, float(stats.t.ppf(0.975, 47)))
        held["by the design effect found"] += low <= truth <= high
    assert held["ours"] >= 0.95 * trials
    assert held["by the design effect found"] < 0.85 * trials


def test_clustered_intervals_cover() -> None:
    """4 answers to each of 40 items that differ in difficulty; the target is the mean over all items."""
    rng = np.random.default_rng(3)
    clusters = [str(i // 4) for i in range(160)]
    covered = naive = 0
    trials = 500
    for _ in range(trials):
        chances = np.repeat(rng.beta(1.2, 0.8, size=40), 4)
        outcomes = list(rng.random(160) < chances)
        r = rate(outcomes, clusters)
        assert r.low is not None
        assert r.high is not None
        covered += r.low <= 0.6 <= r.high
        low, high = wilson(r.hits, r.n)
        naive += low <= 0.6 <= high
    assert covered / trials >= 0.92
    assert naive / trials < 0.92, "without clusters the interval would be too narrow"


def bounds(r: Rate) -> tuple[float, float, float]:
    assert r.low is not None
    assert r.estimate is not None
    assert r.high is not None
    return r.low, r.estimate, r.high


outcomes_with_items = st.lists(
    st.tuples(st.sampled_from([True, False, None]), st.sampled_from("abcdefgh")), max_size=60
)


@settings(deadline=None)
@given(outcomes_with_items)
def test_any_rate(pairs: list[tuple[bool | None, str]]) -> None:
    outcomes, items = [o for o, _ in pairs], [c for _, c in pairs]
    r = rate(outcomes, items)
    scored = [o for o in outcomes if o is not None]
    assert (r.n, r.hits, r.unscored) == (len(scored), sum(scored), len(outcomes) - len(scored))
    assert r.clusters == len({c for o, c in pairs if o is not None})
    if not scored:
        assert r.estimate is r.low is r.high is None
    else:
        low, estimate, high = bounds(r)
        assert 0 <= low <= estimate <= high <= 1
        assert high - low > 0
        assert math.isclose(estimate, sum(scored) / len(scored))
    if outcomes:
        assert r.worst == rate([bool(o) for o in outcomes], items).estimate
        assert r.best == rate([o is not False for o in outcomes], items).estimate
        assert r.worst is not None
        assert r.best is not None
        assert r.estimate is None or r.worst <= r.estimate <= r.best
    else:
        assert r.worst is r.best is None


@settings(deadline=None)
@given(outcomes_with_items, st.randoms(use_true_random=False))
def test_the_order_of_answers_and_the_names_of_items_are_irrelevant(
    pairs: list[tuple[bool | None, str]], rng: random.Random
) -> None:
    shuffled = list(pairs)
    rng.shuffle(shuffled)
    first = rate([o for o, _ in pairs], [c for _, c in pairs])
    second = rate([o for o, _ in shuffled], [f"item {c}" for _, c in shuffled])
    assert second.model_dump() == pytest.approx(first.model_dump(), nan_ok=True)


@settings(deadline=None)
@given(outcomes_with_items.filter(lambda pairs: any(o is not None for o, _ in pairs)))
def test_swapping_hits_and_misses_mirrors_a_rate(pairs: list[tuple[bool | None, str]]) -> None:
    items = [c for _, c in pairs]
    low, estimate, high = bounds(rate([o for o, _ in pairs], items))
    mirrored = bounds(rate([None if o is None else not o for o, _ in pairs], items))
    assert mirrored == pytest.approx((1 - high, 1 - estimate, 1 - low), abs=1e-9)


def test_more_answers_narrow_the_interval() -> None:
    widths = []
    for n in (10, 40, 160, 640):
        low, _, high = bounds(rate([i % 2 == 0 for i in range(n)], [str(i) for i in range(n)]))
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True)


def test_outcomes_and_items_must_match() -> None:
    with pytest.raises(ValueError, match="shorter"):
        rate([True, False], ["a"])
