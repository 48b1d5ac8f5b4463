"""Margins: no harm is shown only where harm is ruled out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.weightstats import ttost_paired

from valuebench_harness.metrics.equivalence import equivalent, non_inferior, non_inferior_each
from valuebench_harness.metrics.paired import Change, paired_change


def change(n: int, up: int, down: int) -> Change:
    before = [False] * up + [True] * down + [True] * (n - up - down)
    after = [True] * up + [False] * down + [True] * (n - up - down)
    return paired_change({str(i): [o] for i, o in enumerate(before)}, {str(i): [o] for i, o in enumerate(after)})


def test_no_harm_is_shown_where_the_interval_lies_above_the_margin() -> None:
    for n, up, down in [(1000, 20, 25), (100, 2, 3), (60, 0, 0), (400, 30, 20), (400, 0, 40)]:
        c = change(n, up, down)
        assert c.low is not None
        assert non_inferior(c, 0.05).shown is (c.low > -0.05)


def test_a_small_sample_shows_nothing() -> None:
    """Nothing changed at all among 20 questions: no change shown, and no harm ruled out either."""
    c = change(20, 0, 0)
    assert not c.shown
    assert non_inferior(c, 0.05).shown is False
    assert non_inferior(change(400, 0, 0), 0.05).shown is True


def test_equivalence_is_that_of_two_paired_t_tests() -> None:
    differences = np.array([1.0] * 40 + [-1.0] * 35 + [0.0] * 925)
    p, *_ = ttost_paired(differences, np.zeros(1000), -0.05, 0.05)
    assert equivalent(change(1000, 40, 35), 0.05).p == pytest.approx(p, rel=0.3)
    assert equivalent(change(1000, 40, 35), 0.05).shown is True
    assert equivalent(change(1000, 90, 20), 0.05).shown is False


def test_harm_at_the_margin_is_missed_in_one_of_forty_samples() -> None:
    rng = np.random.default_rng(0)
    trials, n = 600, 300
    draws = rng.multinomial(n, [0.05, 0.10, 0.85], size=trials)  # five points worse, the margin exactly
    known = {(int(u), int(d)): non_inferior(change(n, int(u), int(d)), 0.05).shown for u, d, _ in draws}
    wrong = sum(known[int(u), int(d)] is True for u, d, _ in draws)
    assert stats.binomtest(wrong, trials).proportion_ci().low <= 0.025


def test_nothing_compared_is_undefined() -> None:
    assert non_inferior(change(0, 0, 0), 0.05).shown is None
    assert equivalent(change(0, 0, 0), 0.05).p is None


def test_subjects_are_a_family() -> None:
    changes = {"a": change(500, 5, 10), "b": change(500, 8, 8), "none": change(0, 0, 0)}
    single = {name: non_inferior(c, 0.05).p for name, c in changes.items()}
    family = non_inferior_each(changes, 0.05)
    assert family["none"].p is None
    for name in ("a", "b"):
        adjusted, alone = family[name].p, single[name]
        assert adjusted is not None
        assert alone is not None
        assert adjusted >= alone


@pytest.mark.parametrize("margin", [0.0, -0.1, 1.0])
def test_a_margin_is_a_share(margin: float) -> None:
    with pytest.raises(ValueError, match="margin"):
        non_inferior(change(10, 0, 0), margin)
