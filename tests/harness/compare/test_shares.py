"""Shares: documents are the sample, however many conditions they were answered under."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import binomtest
from statsmodels.regression.linear_model import OLS

from valuebench_harness.harness.compare.shares import share_difference
from valuebench_harness.metrics.paired import paired_change
from valuebench_harness.metrics.rates import Z

Items = dict[str, list[float | None]]


def _under(conditions: int, right: Sequence[int]) -> Items:
    """An exam answered alike under so many conditions."""
    return {f"+v{c}|q{i:03}": [float(r)] for c in range(conditions) for i, r in enumerate(right)}


def test_copies_of_an_answer_under_ten_conditions_count_once() -> None:
    before = [1] * 60 + [0] * 40
    after = [0] * 8 + [1] * 55 + [0] * 37
    one, ten = (share_difference(_under(n, before), _under(n, after), 0.01) for n in (1, 10))
    assert (ten.n, ten.down, ten.up) == (100, 8, 3)
    assert ten.p_worse == pytest.approx(binomtest(3, 11, alternative="less").pvalue)
    assert (ten.estimate, ten.low, ten.high) == pytest.approx((one.estimate, one.low, one.high))
    assert ten.p_worse == pytest.approx(one.p_worse)
    assert ten.detectable == pytest.approx(one.detectable)


def test_an_unchanged_model_behind_a_closed_gate_seldom_fails() -> None:
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(150):
        chances = rng.random(100)
        before, after = ((rng.random(100) < chances).astype(int) for _ in range(2))
        p = share_difference(_under(10, before), _under(10, after), 0.01).p_worse
        alarms += p is not None and p < 0.05
    assert binomtest(alarms, 150).proportion_ci(method="wilson").low <= 0.05


def test_changes_that_cancel_within_a_document_are_none() -> None:
    before: Items = {"+a|q": [1.0], "+b|q": [0.0], "+a|r": [1.0], "+b|r": [1.0]}
    after: Items = {"+a|q": [0.0], "+b|q": [1.0], "+a|r": [0.0], "+b|r": [1.0]}
    found = share_difference(before, after, 0.01)
    assert (found.n, found.down, found.up) == (2, 1, 0)


def _uneven(documents: int) -> tuple[Items, Items]:
    """Every other document is answered under one condition, the others under four, where they fall more often."""
    rng = np.random.default_rng(1)
    first: Items = {}
    second: Items = {}
    for d in range(documents):
        own = rng.random()
        for c in range(1 + 3 * (d % 2)):
            first[f"+v{c}|q{d}"] = [float(rng.random() < 0.5 + own / 2)]
            second[f"+v{c}|q{d}"] = [float(rng.random() < (own if d % 2 else 0.5 + own / 2))]
    return first, second


def test_answers_weigh_alike_where_documents_have_more_and_fewer() -> None:
    first, second = _uneven(40)
    found = share_difference(first, second, 0.01)
    rates = [np.mean([o for outcomes in side.values() for o in outcomes]) for side in (first, second)]
    assert (found.before, found.after) == pytest.approx(tuple(rates))
    assert found.estimate == pytest.approx(rates[1] - rates[0])


def test_the_error_is_that_of_a_regression_with_documents_as_clusters() -> None:
    first, second = _uneven(2_000)
    found = share_difference(first, second, 0.01)
    changes = np.array([(second[item][0] or 0.0) - (first[item][0] or 0.0) for item in first])
    clusters = np.array([int(item.rpartition("q")[2]) for item in first])
    fit = OLS(changes, np.ones((len(changes), 1))).fit(cov_type="cluster", cov_kwds={"groups": clusters})
    assert found.low is not None
    assert found.high is not None
    assert (found.high - found.low) / (2 * Z) == pytest.approx(float(fit.bse[0]), rel=0.005)


@pytest.mark.parametrize("answers", [1, 3])
def test_with_one_condition_the_interval_is_that_of_the_run_s_report(answers: int) -> None:
    rng = np.random.default_rng(answers)
    first, second = ({f"+power|{i}": list(rng.random(answers) < p) for i in range(30)} for p in (0.8, 0.5))
    report = paired_change(first, second)
    found = share_difference(first, second, 0.01)
    assert (found.estimate, found.low, found.high) == pytest.approx((report.estimate, report.low, report.high))
    assert found.n == report.n
