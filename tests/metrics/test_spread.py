"""Several seeds on the same items."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_ind
from statsmodels.stats.proportion import proportion_confint

from valuebench_harness.metrics.rates import rate
from valuebench_harness.metrics.spread import spread


def draw(rng: np.random.Generator, items: int, seeds: int, seed_sd: float) -> np.ndarray:
    chance = 0.5 + rng.uniform(-0.4, 0.4, size=(items, 1)) + rng.normal(0, seed_sd, size=(1, seeds))
    return rng.random((items, seeds)) < chance


def test_the_parts_of_the_variance() -> None:
    table = draw(np.random.default_rng(0), 40, 5, 0.05)
    found = spread(table.tolist())
    assert found is not None
    assert (found.seeds, found.items) == (5, 40)
    assert found.mean == pytest.approx(table.mean())
    assert found.between_seeds == pytest.approx(table.mean(axis=0).std(ddof=1))
    assert found.low < found.mean < found.high
    assert found.next_low < found.mean < found.next_high


@pytest.mark.parametrize(("items", "seeds", "seed_sd"), [(48, 5, 0.0), (48, 5, 0.08), (100, 8, 0.04)])
def test_intervals_cover_a_rate_over_items_and_seeds(items: int, seeds: int, seed_sd: float) -> None:
    rng = np.random.default_rng(1)
    mean = further = 0
    trials = 400
    for _ in range(trials):
        table = draw(rng, items, seeds + 1, seed_sd)
        found = spread(table[:, :seeds].tolist())
        assert found is not None
        mean += found.low <= 0.5 <= found.high
        further += found.next_low <= table[:, seeds].mean() <= found.next_high
    assert mean / trials >= 0.93
    assert 0.92 <= further / trials <= 0.98


def test_the_interval_is_welchs_of_item_means_and_seed_means() -> None:
    """Two parts of the variance, Satterthwaite's degrees of freedom: the width of Welch's interval of a difference."""
    table = draw(np.random.default_rng(3), 30, 3, 0.1).astype(float)
    found = spread((table > 0).tolist())
    assert found is not None
    ends = ttest_ind(table.mean(axis=1), table.mean(axis=0), equal_var=False).confidence_interval()
    assert found.high - found.low == pytest.approx(ends.high - ends.low)
    assert found.high + found.low == pytest.approx(2 * table.mean())


@pytest.mark.parametrize(("items", "seeds", "seed_sd"), [(48, 2, 0.05), (48, 2, 0.1), (48, 3, 0.1), (100, 2, 0.07)])
def test_intervals_of_few_seeds_that_differ(items: int, seeds: int, seed_sd: float) -> None:
    rng = np.random.default_rng(4)
    trials = 2000
    found = [spread(draw(rng, items, seeds, seed_sd).tolist()) for _ in range(trials)]
    held = sum(f.low <= 0.5 <= f.high for f in found if f)
    assert binomtest(held, trials).proportion_ci().high >= 0.93


def test_an_interval_keeps_a_width_where_every_answer_hits() -> None:
    found = spread([[True, True]] * 10)
    assert found is not None
    assert (found.low, found.high) == pytest.approx(proportion_confint(10, 10, method="wilson"))
    one_miss = spread([[True, False]] + [[True, True]] * 9)
    assert one_miss is not None
    assert found.next_low == pytest.approx(1 - 1.959964 * one_miss.by_chance * np.sqrt(1 + 1 / 2))
    assert found.next_high == 1.0


def test_seeds_never_make_a_rate_more_certain_than_its_items() -> None:
    rng = np.random.default_rng(5)
    for chance in (0.5, 0.9, 0.98):
        for _ in range(50):
            table = rng.random((20, 3)) < chance
            found, pooled = spread(table.tolist()), rate(table.ravel().tolist(), np.repeat(range(20), 3).tolist())
            assert found is not None
            assert pooled.low is not None
            assert pooled.high is not None
            assert found.low <= pooled.low <= pooled.high <= found.high


def test_the_next_seed_is_foretold_near_one() -> None:
    rng = np.random.default_rng(6)
    held, trials = 0, 1000
    for _ in range(trials):
        table = rng.random((48, 3)) < rng.beta(20, 0.6, size=(48, 1))
        found = spread(table[:, :2].tolist())
        assert found is not None
        held += found.next_low - 1e-9 <= table[:, 2].mean() <= found.next_high + 1e-9
    assert held / trials >= 0.9


def test_seeds_that_differ_in_nothing_but_the_draw() -> None:
    rng = np.random.default_rng(2)
    found = [spread(draw(rng, 60, 6, 0.0).tolist()) for _ in range(200)]
    between = np.mean([f.between_seeds**2 for f in found if f])
    chance = np.mean([f.by_chance**2 for f in found if f])
    assert between == pytest.approx(chance, rel=0.15)


def test_one_seed_or_one_item_has_no_spread() -> None:
    assert spread([[True], [False]]) is None
    assert spread([[True, False]]) is None
    assert spread([]) is None
    assert spread([[True, None], [False, True], [None, None]]) is None


def test_unequal_numbers_of_answers_have_no_seeds() -> None:
    assert spread([[True, False], [True, True, False], [False, True]]) is None
    assert spread([[True, False], [True], [False, True]]) is None
    assert spread([[True, False], [True, None, False], [False, True]]) is None
