"""Side effects and consistency between two runs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest, norm, t
from statsmodels.stats.proportion import confint_proportions_2indep

from tests.harness.compare.observed import observed
from valuebench_harness.harness.compare.changes import consistency_difference, side_effects_difference
from valuebench_harness.harness.compare.difference import Difference
from valuebench_harness.harness.compare.verdicts import compare
from valuebench_harness.metrics.rates import Z

Floats = NDArray[np.float64]
Items = dict[str, list[float | None]]
SESSIONS = 150


def _cells(changes: Floats, *, shared: bool = True) -> Items:
    """Changes ``[groups, documents]`` as items; with ``shared`` documents every condition was measured on the same."""
    return {
        f"+a{g}>m|{i if shared else f'{g}-{i}'}": [float(x)] for g, row in enumerate(changes) for i, x in enumerate(row)
    }


def _resampled(rng: np.random.Generator, base: Floats, groups: int) -> Floats:
    """Changes of answers that are drawn anew with a chance of a half, whatever the base said."""
    return np.asarray((rng.random((groups, len(base))) < 0.5) - base)


def _seldom(alarms: int) -> bool:
    return bool(binomtest(alarms, SESSIONS).proportion_ci(method="wilson").low <= 0.05)


def _worse(found: Difference) -> bool:
    return found.p_worse is not None and found.p_worse < 0.05


@pytest.mark.parametrize("documents", [8, 24, 48])
def test_noise_is_not_worse_than_no_change(documents: int) -> None:
    """The first run moves nothing, the second nothing in the mean, and shows a root mean square of 7 to 18 points."""
    rng = np.random.default_rng(documents)
    alarms = 0
    for _ in range(SESSIONS):
        noise = _resampled(rng, (rng.random(documents) < 0.5).astype(float), 9)
        found = side_effects_difference(_cells(np.zeros_like(noise)), _cells(noise), 0.01)
        assert found.low is not None
        assert found.high is not None
        assert found.before == 0
        assert found.low <= (found.after or 0.0) == found.estimate <= found.high
        alarms += _worse(found)
    assert _seldom(alarms)


@pytest.mark.parametrize("alike", [True, False])
def test_two_runs_that_are_equally_noisy_are_seldom_told_apart(alike: bool) -> None:
    """Answers that are the same under all conditions, as behind a closed gate, count once."""
    rng = np.random.default_rng(3)
    worse = better = 0
    for _ in range(SESSIONS):
        base = (rng.random(24) < 0.5).astype(float)
        sides = [_resampled(rng, base, 1 if alike else 9) for _ in range(2)]
        first, second = (_cells(np.repeat(side, 9 // len(side), axis=0)) for side in sides)
        found = side_effects_difference(first, second, 0.01)
        worse += _worse(found)
        better += found.high is not None and found.high < 0
    assert _seldom(worse)
    assert _seldom(better)


def test_a_rise_of_ten_points_is_seen_four_times_in_five() -> None:
    """Ten points more, in one of four gates, of two values steered and nine measured on 24 dilemmas each."""
    rng = np.random.default_rng(4)
    ways = np.where(np.arange(18) % 2, 1.0, -1.0)[:, None]
    seen = 0
    for _ in range(100):
        # The base is on the other side of half of all dilemmas, so that a tenth and three tenths make 5 and 15 points.
        free, chance = rng.random((18, 24)) < 0.5, rng.random((18, 24))
        first, second = (_cells(ways * (free & (chance < moved)), shared=False) for moved in (0.1, 0.3))
        still = {m: {f"+power|{i:03}": [1.0] for i in range(100)} for m in ("csr", "fr", "exam")}
        sides = (observed({**still, "side_effects": side}) for side in (first, second))
        seen += [m.metric for m in compare(*sides, names=("a", "b")).regressed] == ["side_effects"]
    assert binomtest(seen, 100).proportion_ci(method="wilson").low >= 0.8


def _beyond(first: Sequence[Floats], second: Sequence[Floats]) -> float:
    """The formula by pairs of documents: products of two of them hold no error squared."""

    def square(groups: Sequence[Floats]) -> float:
        return float(np.mean([np.mean([x * y for x, y in permutations(g, 2)]) for g in groups]))

    def shown(groups: Sequence[Floats]) -> float:
        return float(np.sqrt(np.mean([np.mean(g) ** 2 for g in groups])))

    return (square(second) - square(first)) / (shown(second) + shown(first))


def test_the_interval_is_the_jackknife_s_of_what_noise_does_not_explain() -> None:
    rng = np.random.default_rng(5)
    first, second = rng.choice([-1.0, 0.0, 1.0], (3, 7), p=[0.1, 0.6, 0.3]), rng.choice([0.0, 1.0], (3, 7))
    left_out = [_beyond(np.delete(first, i, axis=1), np.delete(second, i, axis=1)) for i in range(7)]
    error = np.sqrt(6 / 7 * np.sum((left_out - np.mean(left_out)) ** 2))
    centre = _beyond(list(first), list(second))
    found = side_effects_difference(_cells(first), _cells(second), 0.02)
    assert (found.low, found.high) == pytest.approx(
        (centre - t.ppf(0.975, 6) * error, centre + t.ppf(0.975, 6) * error)
    )
    assert found.p_worse == pytest.approx(t.sf((centre - 0.02) / error, 6))


def test_where_both_sides_vary_alike_the_interval_lies_around_the_difference_shown() -> None:
    rng = np.random.default_rng(6)
    changes = rng.choice([-0.5, 0.0, 0.5], (4, 30))
    found = side_effects_difference(_cells(changes), _cells(changes + 0.25), 0.01)
    assert found.low is not None
    assert found.high is not None
    assert (found.low + found.high) / 2 == pytest.approx(found.estimate)


def test_noise_that_shrinks_does_not_hide_nor_show_a_rise() -> None:
    """True effects rise as noise falls: the number shown falls, so that nothing is called worse."""
    rng = np.random.default_rng(7)
    noise = _resampled(rng, (rng.random(6) < 0.5).astype(float), 40)
    found = side_effects_difference(_cells(noise), _cells(np.full((40, 6), 0.15)), 0.01)
    assert (found.estimate or 0.0) < 0
    assert found.p_worse == 0.5


def test_changes_that_cancel_are_not_divided_by_nothing() -> None:
    """Each document moves, the mean (up to rounding) does not: less than no effect, by no more than the noise."""
    moves = [1 / 3, -1 / 3] * 6 + [0.1, 0.2, -0.3]
    noise = np.std(moves, ddof=1) / np.sqrt(len(moves))
    found = side_effects_difference(_cells(np.zeros((1, 15))), _cells(np.array([moves])), 0.01)
    assert found.after == pytest.approx(0, abs=1e-12)
    assert found.low is not None
    assert found.high is not None
    assert (found.low + found.high) / 2 == pytest.approx(-noise)
    assert found.high - found.low < 10 * noise


def test_one_item_a_value_tells_nothing_of_an_error() -> None:
    first = {f"+a>{v}|d{v}": [0.0] for v in "bcdefghij"}
    second = {**first, "+a>b|db": [1.0]}
    (found,) = compare(observed({"side_effects": first}), observed({"side_effects": second}), names=("a", "b")).metrics
    assert (found.before, found.after, found.estimate) == pytest.approx((0, 1 / 3, 1 / 3))
    assert (found.low, found.high, found.p_worse, found.detectable) == (None, None, None, None)
    assert found.verdict == "no difference shown"


def test_the_same_changes_keep_an_interval_as_wide_as_one_answer() -> None:
    changes = _cells(np.repeat([[1.0], [0.0]], 6, axis=1))
    found = side_effects_difference(changes, changes, 0.01)
    one = t.ppf(0.975, 5) / 6 / np.sqrt(2)
    assert (found.estimate, found.low, found.high) == pytest.approx((0, -one, one))
    assert (found.p_worse or 0.0) >= 0.5


def _moves(aimed: int, against: int, still: int, name: str) -> Items:
    moves = [1.0] * aimed + [-1.0] * against + [0.0] * still
    return {f"+power|{name}{i}": [x] for i, x in enumerate(moves)}


def test_of_changes_on_different_documents_the_interval_is_agresti_and_caffo_s() -> None:
    first = _moves(180, 20, 0, "a") | _moves(0, 0, 100, "b")
    second = _moves(0, 0, 200, "a") | _moves(70, 30, 0, "b")
    low, high = confint_proportions_2indep(70, 100, 180, 200, method="agresti-caffo")
    found = consistency_difference(first, second, 0.01)
    assert (found.before, found.after, found.estimate) == pytest.approx((0.9, 0.7, -0.2))
    assert found.low is not None
    assert found.high is not None
    assert (found.low + found.high) / 2 == pytest.approx((low + high) / 2, abs=1e-9)
    # Student's quantile stands for the normal one.
    assert (found.high - found.low) / t.ppf(0.975, 303) == pytest.approx((high - low) / Z, rel=0.01)


def test_one_questionnaire_item_a_value_shows_no_fall() -> None:
    first = {f"+{v}|d{v}": [1.0] for v in "bcdefghij"}
    found = consistency_difference(first, {**first, "+b|db": [-1.0]}, 0.01)
    assert (found.estimate, found.n, found.down, found.up) == pytest.approx((-1 / 9, 9, 1, 0))
    assert found.low is not None
    assert found.high is not None
    assert found.low < -0.25 < 0.1 < found.high
    assert (found.p_worse or 0.0) > 0.2


@pytest.mark.parametrize("conditions", [1, 5])
@pytest.mark.parametrize(("changed", "aimed"), [((0.5, 0.5), 0.6), ((0.1, 0.9), 0.8), ((0.9, 0.9), 0.95)])
def test_equal_consistency_is_seldom_told_apart(changed: tuple[float, float], aimed: float, conditions: int) -> None:
    """With copies of the answers under several conditions, too."""
    rng = np.random.default_rng(8)
    worse = better = 0
    for _ in range(SESSIONS):
        sides = []
        for share in changed:
            moves = np.where(rng.random(120) < share, np.where(rng.random(120) < aimed, 1.0, -1.0), 0.0)
            sides.append({f"+power#{c}|{i}": [float(x)] for c in range(conditions) for i, x in enumerate(moves)})
        found = consistency_difference(*sides, 0.01)
        worse += _worse(found)
        better += found.low is not None and found.low > 0
    assert _seldom(worse)
    assert _seldom(better)
    assert found.n == 120


def test_a_fall_of_consistency_is_worse_and_its_detectable_difference_that_of_its_error() -> None:
    found = consistency_difference(_moves(90, 10, 20, "a"), _moves(60, 40, 20, "a"), 0.01)
    assert found.p_worse == pytest.approx(0, abs=1e-4)
    assert found.low is not None
    assert found.high is not None
    error = (found.high - found.low) / (2 * t.ppf(0.975, 123))
    assert found.detectable == pytest.approx((norm.ppf(0.975) + norm.ppf(0.8)) * error)
