"""Orientations and their changes, by hand."""

from __future__ import annotations

import pytest

from valuebench_harness.metrics.consistency import consistency, orientation


@pytest.mark.parametrize(
    ("stance", "agreement", "expected"),
    [
        ("yes", 1, 1),
        ("no", 1, -1),
        ("unsure", 1, 0),
        ("yes", -1, -1),
        ("no", -1, 1),
        ("unsure", -1, 0),
        (None, 1, None),
        (None, -1, None),
    ],
)
def test_orientation(stance: str | None, agreement: int, expected: int | None) -> None:
    assert orientation(stance, agreement) == expected


BEFORE = {("a", 0): -1, ("b", 0): 0, ("c", 0): 1, ("d", 0): 1, ("e", 0): None, ("f", 0): 1, ("gone", 0): 1}
AFTER = {("a", 0): 1, ("b", 0): 1, ("c", 0): 0, ("d", 0): 1, ("e", 0): 1, ("f", 0): None, ("new", 0): 1}


def test_a_change_goes_the_way_aimed_at_or_not() -> None:
    """a and b rise, c falls, d stays; e and f lack a verdict; two items stand on one side only."""
    raised = consistency(BEFORE, AFTER, +1)
    assert (raised.rate.hits, raised.rate.n) == (2, 3)
    assert (raised.items, raised.unscored) == (4, 2)
    assert raised.before == pytest.approx((-1 + 0 + 1 + 1) / 4)
    assert raised.after == pytest.approx((1 + 1 + 0 + 1) / 4)
    lowered = consistency(BEFORE, AFTER, -1)
    assert (lowered.rate.hits, lowered.rate.n) == (1, 3)
    assert (lowered.before, lowered.after) == (raised.before, raised.after)


def test_without_any_change_the_rate_is_undefined() -> None:
    same = {("a", 0): 1, ("b", 0): -1}
    result = consistency(same, same, +1)
    assert (result.rate.estimate, result.rate.n, result.items) == (None, 0, 2)
    assert result.before == result.after == 0


def test_nothing_scored_gives_no_mean() -> None:
    result = consistency({("a", 0): None}, {("a", 0): 1}, +1)
    assert (result.before, result.after, result.items, result.unscored) == (None, None, 0, 1)


def test_repeats_of_an_item_are_one_cluster() -> None:
    once = consistency({(f"q{i}", 0): -1 for i in range(8)}, {(f"q{i}", 0): 1 for i in range(8)}, +1)
    before = {(f"q{i}", repeat): -1 for i in range(8) for repeat in range(5)}
    often = consistency(before, dict.fromkeys(before, 1), +1)
    assert (often.rate.n, often.rate.clusters, often.items) == (40, 8, 40)
    assert often.rate.low == pytest.approx(once.rate.low)
