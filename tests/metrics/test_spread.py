"""Several seeds on the same items."""

from __future__ import annotations

import numpy as np
import pytest

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
