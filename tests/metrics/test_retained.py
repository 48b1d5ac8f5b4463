"""The share of an effect that stays, and its interval."""

from __future__ import annotations

import numpy as np
import pytest

from valuebench_harness.metrics.retained import retained


def differences(rng: np.random.Generator, n: int, whole: float, kept: float) -> tuple[np.ndarray, np.ndarray]:
    """Items whose steered answers are hits by chance, in both circumstances by the same luck; before, none is."""
    luck = rng.random(n)
    return (luck < kept).astype(float), (luck < whole).astype(float)


def test_the_share_is_the_ratio_of_the_means() -> None:
    found = retained(np.array([1.0, 0, 0, 0]), np.array([1.0, 1, 0, 0]))
    assert (found.estimate, found.n) == (0.5, 4)
    assert retained(np.array([-1.0, 0]), np.array([1.0, 0])).estimate == -1
    assert retained(np.array([1.0, 0]), np.array([1.0, -1])).estimate is None
    assert retained(np.array([]), np.array([])).estimate is None


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    for n, whole, kept in ((40, 0.8, 0.4), (100, 0.6, 0.6), (200, 0.5, 0.1)):
        intervals = [retained(*differences(rng, n, whole, kept)) for _ in range(2_000)]
        covered = np.mean([r.low is None or r.high is None or r.low <= kept / whole <= r.high for r in intervals])
        assert covered >= 0.93, (n, whole, kept)


def test_the_ends_are_the_shares_at_which_the_difference_is_no_longer_told_from_zero() -> None:
    kept, whole = differences(np.random.default_rng(1), 80, 0.7, 0.3)
    found = retained(kept, whole)
    assert found.low is not None
    assert found.high is not None
    half = np.array([0.5, -0.5])  # two items more that sum to 0, their squares to 1 / 2 in each of two cells
    for r in (found.low, found.high):
        d = kept - r * whole
        # The two that are added differ in both circumstances and apart, so their squares are 1 and r^2.
        square = (d**2).sum() + 2 * (half**2).sum() * (1 + r * r)
        z = d.sum() / np.sqrt(square - d.sum() ** 2 / (len(d) + 2))
        assert abs(z) == pytest.approx(1.959964, abs=1e-5)


def test_an_interval_has_a_width_where_all_items_agree() -> None:
    ones = np.ones(30)
    found = retained(ones, ones)
    assert found.estimate == 1
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.95
    assert found.high > 1


def test_a_share_of_nothing_is_not_bounded() -> None:
    kept, whole = np.array([1.0] * 5 + [0.0] * 15), np.array([1.0, 0] * 2 + [0.0] * 16)
    found = retained(kept, whole)
    assert found.estimate == 2.5
    assert (found.low, found.high) == (None, None)


def test_an_effect_that_cancels_is_none_whatever_its_last_digits() -> None:
    thirds = np.array([1 / 3, 1 / 3, 1 / 3, -1.0] * 5) + 1e-17
    found = retained(np.full(20, 0.1), thirds + np.array([1e-16] * 20))
    assert found.estimate is None
