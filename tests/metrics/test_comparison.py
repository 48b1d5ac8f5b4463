"""Paired tests against scipy and statsmodels, and their error rates."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as sm_mcnemar
from statsmodels.stats.multitest import multipletests

from valuebench_harness.metrics.comparison import bootstrap_interval, compare
from valuebench_harness.metrics.families import holm
from valuebench_harness.metrics.paired import Outcomes, paired_change
from valuebench_harness.metrics.power import items_needed
from valuebench_harness.metrics.sign_flips import mcnemar, permutation_test


def outcomes(values: np.ndarray) -> Outcomes:
    """``[items]`` or ``[items, repeats]`` as outcomes by item."""
    return {f"i{n}": [bool(x) for x in np.atleast_1d(row)] for n, row in enumerate(values)}


@pytest.mark.parametrize(("up", "down"), [(0, 0), (5, 0), (0, 9), (7, 8), (20, 6), (1, 0)])
def test_mcnemar_is_statsmodels_exact_test(up: int, down: int) -> None:
    expected = sm_mcnemar([[10, up], [down, 10]], exact=True).pvalue if up + down else 1.0
    assert mcnemar(up, down) == pytest.approx(expected)


def test_the_permutation_test_on_single_answers_is_mcnemars() -> None:
    """Flipping the signs of +1 and -1 is tossing a coin for each changed item."""
    differences = np.array([1.0] * 9 + [-1.0] * 2 + [0.0] * 30)
    assert permutation_test(differences, [str(i) for i in range(41)]) == pytest.approx(mcnemar(9, 2))


def test_the_permutation_test_is_scipys() -> None:
    rng = np.random.default_rng(0)
    differences = rng.normal(0.4, 1, size=11)
    expected = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert permutation_test(differences, list("abcdefghijk")) == pytest.approx(expected.pvalue)
    many = rng.normal(0.15, 1, size=60)
    exact = stats.permutation_test((many,), np.mean, permutation_type="samples", n_resamples=20_000, rng=1).pvalue
    assert permutation_test(many, [str(i) for i in range(60)]) == pytest.approx(exact, abs=0.02)


def test_a_cluster_is_flipped_as_one() -> None:
    differences, clusters = np.array([1.0, 1.0, 1.0, -0.5]), ["a", "a", "b", "c"]
    sums = np.array([2.0, 1.0, -0.5])
    flips = [abs(np.dot(s, sums)) for s in product((-1, 1), repeat=3)]
    assert permutation_test(differences, clusters) == pytest.approx(np.mean(np.array(flips) >= 2.5 - 1e-9))


def test_the_bootstrap_is_scipys_bca() -> None:
    differences = np.random.default_rng(1).normal(0.2, 0.5, size=40)
    expected = stats.bootstrap((differences,), np.mean, method="BCa", n_resamples=20_000, rng=2).confidence_interval
    found = bootstrap_interval(differences, [str(i) for i in range(40)])
    assert found == pytest.approx((expected.low, expected.high), abs=0.02)


def test_what_resampling_cannot_say_is_undefined() -> None:
    assert bootstrap_interval(np.zeros(20), [str(i) for i in range(20)]) is None
    assert bootstrap_interval(np.array([1.0, 0.0]), ["a", "a"]) is None
    assert permutation_test(np.array([]), []) is None
    assert permutation_test(np.zeros(20), [str(i) for i in range(20)]) == 1.0


def test_a_comparison_holds_all_of_them() -> None:
    first, second = outcomes(np.array([0] * 20 + [1] * 20)), outcomes(np.array([1] * 15 + [0] * 5 + [1] * 20))
    found = compare(first, second)
    assert found.change == paired_change(first, second)
    assert (found.change.up, found.change.down) == (15, 0)
    assert found.mcnemar == pytest.approx(2 * 0.5**15)
    assert found.permutation is not None
    assert found.permutation < 0.001
    assert found.bootstrap is not None
    assert found.bootstrap[0] < 15 / 40 < found.bootstrap[1]
    assert found.clusters == 40
    assert compare(first, second, {name: str(n // 4) for n, name in enumerate(first)}).clusters == 10


def test_several_answers_have_no_mcnemar_test() -> None:
    first = outcomes(np.zeros((5, 3)))
    assert compare(first, outcomes(np.ones((5, 3)))).mcnemar is None
    nothing = compare({"a": [None]}, {"a": [True]})
    assert (nothing.mcnemar, nothing.permutation, nothing.bootstrap, nothing.clusters) == (None, None, None, 0)


def test_paired_tests_err_at_most_in_one_of_twenty() -> None:
    """No difference in truth, 40 roles with 6 answers each that share their role's leaning."""
    rng = np.random.default_rng(6)
    trials, wrong, naive = 400, 0, 0
    roles = [str(i // 6) for i in range(240)]
    for _ in range(trials):
        lean = np.repeat(rng.normal(0, 0.25, size=40), 6)  # of the role's answers, between the two methods
        change = rng.choice([-1.0, 0.0, 1.0], size=240, p=[0.2, 0.6, 0.2]) + np.round(lean)
        change = np.where(rng.random(240) < np.abs(lean) * 2, np.sign(lean), change)
        wrong += (permutation_test(change, roles, draws=999) or 1.0) < 0.05
        naive += (permutation_test(change, [str(i) for i in range(240)], draws=999) or 1.0) < 0.05
    assert stats.binomtest(wrong, trials).proportion_ci().low <= 0.05
    assert naive > 2 * wrong, "answers of one role are no independent evidence"


def test_holm_is_statsmodels() -> None:
    p = np.random.default_rng(2).beta(0.3, 2, size=12)
    expected = multipletests(p, method="holm")[1]
    assert list(holm(dict(enumerate(p))).values()) == pytest.approx(expected)


def test_holm_leaves_out_what_was_not_tested() -> None:
    assert holm({"a": 0.01, "b": None, "c": 0.04}) == {"a": pytest.approx(0.02), "b": None, "c": pytest.approx(0.04)}
    assert holm({}) == {}


def test_the_p_of_a_change_is_that_of_an_exact_test() -> None:
    for up, down in [(20, 8), (15, 8), (12, 8), (8, 8), (0, 0), (30, 0), (3, 17)]:
        before = outcomes(np.array([0] * up + [1] * down + [1] * 30))
        after = outcomes(np.array([1] * up + [0] * down + [1] * 30))
        change = paired_change(before, after)
        assert change.p == pytest.approx(sm_mcnemar([[10, up], [down, 10]], exact=True).pvalue if up + down else 1.0)
        differences = np.array([1] * up + [-1] * down + [0] * 30)
        assert change.variance == pytest.approx(differences.var(ddof=1) / len(differences))
    assert paired_change({}, {}).p is None
    assert paired_change({"a": [True]}, {"a": [False]}).variance is None
    assert paired_change({}, {}).detectable is None


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=9))
def test_several_answers_an_item_are_tested_exactly(hits: list[tuple[int, int]]) -> None:
    """Against all exchanges of items, tried one by one."""
    before: Outcomes = {str(i): [k < b for k in range(3)] for i, (b, _) in enumerate(hits)}
    after: Outcomes = {str(i): [k < a for k in range(3)] for i, (_, a) in enumerate(hits)}
    steps = [a - b for b, a in hits]
    sums = [abs(sum(s * d for s, d in zip(signs, steps, strict=True))) for signs in product((1, -1), repeat=len(hits))]
    assert paired_change(before, after).p == pytest.approx(np.mean(np.array(sums) >= abs(sum(steps))))


def test_an_exact_p_has_no_floor() -> None:
    """A family of many tests asks for levels that drawn exchanges cannot give."""
    steps = np.array([1.0, 0.5] * 60)
    p = permutation_test(steps, [str(i) for i in range(120)])
    assert p == pytest.approx(2 * 0.5**120)


def test_a_detectable_change_is_shown_in_four_of_five_samples() -> None:
    rng = np.random.default_rng(3)
    n, up, down = 200, 0.20, 0.10
    cells = rng.multinomial(n, [up, down, 1 - up - down], size=300)
    changes = [
        paired_change(outcomes(np.array([0] * u + [1] * d + [1] * s)), outcomes(np.array([1] * u + [0] * d + [1] * s)))
        for u, d, s in cells
    ]
    detectable = float(np.mean([c.detectable for c in changes if c.detectable is not None]))
    shown = np.mean([c.shown for c in changes])
    power = stats.norm.cdf((up - down) / detectable * (1.96 + 0.8416) - 1.96)
    assert shown == pytest.approx(power, abs=0.08)


@pytest.mark.parametrize(("difference", "changed"), [(0.1, 0.3), (0.2, 0.25), (0.05, 0.1)])
def test_items_needed_give_the_power_promised(difference: float, changed: float) -> None:
    n = items_needed(difference, changed)
    up, down = (changed + difference) / 2, (changed - difference) / 2
    draws = np.random.default_rng(4).multinomial(n, [up, down, 1 - changed], size=4000)
    known = {(u, d): mcnemar(u, d) < 0.05 for u, d in {(int(x[0]), int(x[1])) for x in draws}}
    assert np.mean([known[int(u), int(d)] for u, d, _ in draws]) == pytest.approx(0.8, abs=0.06)


def test_impossible_plans_are_refused() -> None:
    for difference, changed in [(0.0, 0.3), (0.4, 0.3), (0.1, 1.2)]:
        with pytest.raises(ValueError, match="items to change"):
            items_needed(difference, changed)
