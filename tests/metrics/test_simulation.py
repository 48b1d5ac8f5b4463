"""The claims about intervals and error rates, in full: 2,000 data sets each."""

from __future__ import annotations

import pytest

from tests.support import simulations as sim

pytestmark = pytest.mark.slow
TRIALS = 2_000


@pytest.mark.parametrize("design", sim.DESIGNS, ids=str)
def test_intervals_of_control_success_cover_93_to_97_percent(design: sim.Design) -> None:
    ours, naive = sim.coverage_of_rates(design, TRIALS)
    low, high = ours.interval
    assert low <= 0.97
    assert high >= 0.93
    if design.repeats > 1:
        assert naive.estimate < ours.estimate


def test_intervals_over_questions_and_roles_cover() -> None:
    both, one = sim.coverage_over_roles(TRIALS)
    assert both.interval[1] >= 0.93
    assert one.estimate < 0.9


def test_paired_tests_err_in_one_of_twenty() -> None:
    for name, share in sim.errors_of_paired_tests(TRIALS).items():
        assert share.interval[0] <= 0.05, name


def test_tests_by_role_err_in_one_of_twenty_where_tests_by_answer_do_not() -> None:
    found = sim.errors_of_clustered_tests(1_000)
    assert found["permutation by role"].interval[0] <= 0.05
    assert found["permutation by answer"].interval[0] > 0.05


@pytest.mark.parametrize("judge", sim.JUDGES, ids=str)
def test_corrected_rates_cover_where_the_judge_alone_does_not(judge: sim.BiasedJudge) -> None:
    corrected, naive = sim.coverage_of_corrected_rates(judge, TRIALS)
    assert corrected.interval[1] >= 0.93
    assert naive.interval[1] < 0.93
