"""Paired changes against a plain derivation, and how often their intervals cover the truth."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from valuebench_harness.metrics.paired import Change, Outcomes, paired_change


def table(both: int, up: int, down: int, neither: int) -> tuple[Outcomes, Outcomes]:
    """Outcomes with one answer an item and these numbers of items."""
    before = [True] * both + [False] * up + [True] * down + [False] * neither
    after = [True] * both + [True] * up + [False] * down + [False] * neither
    return {str(i): [o] for i, o in enumerate(before)}, {str(i): [o] for i, o in enumerate(after)}


def agresti_min(both: int, up: int, down: int, neither: int) -> tuple[float, float]:
    """Wald's interval for matched proportions with half a pair added to each of the four cells."""
    cells = np.array([both, up, down, neither]) + 0.5
    p = cells / cells.sum()
    difference = p[1] - p[2]
    error = np.sqrt((p[1] + p[2] - difference**2) / cells.sum())
    return difference - 1.959963984540054 * error, difference + 1.959963984540054 * error


TABLES = [(10, 12, 3, 23), (0, 48, 0, 0), (0, 0, 48, 0), (20, 0, 0, 28), (1, 0, 0, 0), (0, 1, 0, 0), (30, 7, 8, 55)]


@pytest.mark.parametrize("cells", TABLES)
def test_single_answers_have_agresti_and_mins_interval(cells: tuple[int, int, int, int]) -> None:
    _, up, down, _ = cells
    change = paired_change(*table(*cells))
    n = sum(cells)
    low, high = agresti_min(*cells)
    assert change.estimate == pytest.approx((up - down) / n)
    assert change.low == pytest.approx(max(-1, min(low, (up - down) / n)), abs=1e-12)
    assert change.high == pytest.approx(min(1, max(high, (up - down) / n)), abs=1e-12)
    assert (change.n, change.up, change.down, change.unscored) == (n, up, down, 0)


@cache
def interval(n: int, up: int, down: int) -> tuple[float, float]:
    change = paired_change(*table(0, up, down, n - up - down))
    assert change.low is not None
    assert change.high is not None
    return change.low, change.high


@pytest.mark.parametrize(
    ("n", "cells"),
    [
        (48, (0.35, 0.30, 0.05, 0.30)),
        (48, (0.40, 0.05, 0.05, 0.50)),
        (100, (0.10, 0.60, 0.02, 0.28)),
        (25, (0.30, 0.20, 0.20, 0.30)),
    ],
)
def test_intervals_of_single_answers_cover(n: int, cells: tuple[float, float, float, float]) -> None:
    """Few changes make the interval conservative, never too narrow."""
    draws = np.random.default_rng(1).multinomial(n, cells, size=4000)
    intervals = np.array([interval(n, int(up), int(down)) for _, up, down, _ in draws])
    truth = cells[1] - cells[2]
    share = np.mean((intervals[:, 0] <= truth) & (truth <= intervals[:, 1]))
    assert 0.94 <= share <= 0.98


@pytest.mark.parametrize("repeats", [2, 5])
def test_intervals_of_several_answers_cover(repeats: int) -> None:
    """Items differ in how likely they are answered well and in how much steering moves them."""
    rng = np.random.default_rng(2)
    hits, trials, n = 0, 400, 48
    for _ in range(trials):
        chance = rng.uniform(0.1, 0.5, size=n)
        gain = rng.uniform(0.0, 0.4, size=n)  # 0.2 in the mean
        first = rng.random((n, repeats)) < chance[:, None]
        second = rng.random((n, repeats)) < (chance + gain)[:, None]
        change = paired_change({str(i): list(first[i]) for i in range(n)}, {str(i): list(second[i]) for i in range(n)})
        assert change.low is not None
        assert change.high is not None
        hits += change.low <= 0.2 <= change.high
    assert 0.93 <= hits / trials <= 0.98


def test_several_answers_count_by_item() -> None:
    """Differences of +1, 0 and +1/2 with two items added: n = 5, sum 1.5, sum of squares 2.25."""
    change = paired_change(
        {"a": [False, False], "b": [True, False], "c": [False, False]},
        {"a": [True, True], "b": [False, True], "c": [True, False]},
    )
    half = 1.959963984540054 * np.sqrt(2.25 - 1.5**2 / 5) / 5
    assert change.estimate == pytest.approx(0.5)
    assert (change.low, change.high) == pytest.approx((1.5 / 5 - half, 1.5 / 5 + half))
    assert (change.up, change.down) == (0, 0)


def test_no_change_at_all_is_still_uncertain() -> None:
    for repeats in (1, 3):
        same: Outcomes = {str(i): [i % 2 == 0] * repeats for i in range(20)}
        change = paired_change(same, same)
        assert change.estimate == 0
        assert change.low is not None
        assert change.high is not None
        assert change.low < -0.05
        assert change.high > 0.05
        assert not change.shown


def test_unscored_and_unmatched_items_are_left_out_and_counted() -> None:
    before: Outcomes = {"a": [True], "b": [None], "c": [False], "only before": [True]}
    after: Outcomes = {"a": [True], "b": [True], "c": [None], "only after": [True]}
    change = paired_change(before, after)
    assert (change.n, change.unscored, change.estimate) == (1, 2, 0.0)
    assert paired_change({"a": [None]}, {"a": [True]}) == Change(
        estimate=None, low=None, high=None, n=0, up=0, down=0, unscored=1, p=None, variance=None
    )


def test_an_item_counts_while_one_of_its_answers_is_scored() -> None:
    change = paired_change({"a": [None, True]}, {"a": [False, None]})
    assert (change.n, change.down, change.estimate) == (1, 1, -1.0)


answers = st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=3)
runs = st.dictionaries(st.sampled_from("abcdefghij"), answers, max_size=10)


@settings(deadline=None)
@given(runs, runs)
def test_any_change(before: Outcomes, after: Outcomes) -> None:
    change, back = paired_change(before, after), paired_change(after, before)
    assert (change.n, change.unscored, change.up, change.down) == (back.n, back.unscored, back.down, back.up)
    if change.n == 0:
        assert change.estimate is change.low is change.high is None
        return
    assert change.estimate is not None
    assert change.low is not None
    assert change.high is not None
    assert -1 <= change.low <= change.estimate <= change.high <= 1
    assert change.low < change.high
    assert back.estimate == pytest.approx(-change.estimate)
    assert (back.low, back.high) == pytest.approx((-change.high, -change.low))


@settings(deadline=None)
@given(runs, runs)
def test_the_order_of_items_is_irrelevant(before: Outcomes, after: Outcomes) -> None:
    shuffled = dict(reversed(list(before.items())))
    assert paired_change(shuffled, after).model_dump() == pytest.approx(paired_change(before, after).model_dump())


@pytest.mark.parametrize(("cells", "shown"), [((10, 20, 0, 18), True), ((10, 2, 1, 35), False), ((0, 0, 30, 18), True)])
def test_shown_means_that_the_interval_excludes_no_change(cells: tuple[int, int, int, int], shown: bool) -> None:
    assert paired_change(*table(*cells)).shown is shown
