"""Cluster-robust variances against statsmodels, and two-way coverage."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.stats.sandwich_covariance import cov_cluster_2groups

from valuebench_harness.metrics.clusters import cluster_sums, mean_variance
from valuebench_harness.metrics.rates import rate, wilson


def crossed(
    rng: np.random.Generator, items: int, roles: int, role_sd: float = 0.3
) -> tuple[np.ndarray, list[str], list[str]]:
    """Answers of every role to every item, both with effects of their own around a rate of one half."""
    shift = (
        rng.normal(0, 0.8, size=(items, 1)) + rng.normal(0, role_sd, size=(1, roles)) + rng.normal(size=(items, roles))
    )
    names = [(f"q{i}", f"r{r}") for i in range(items) for r in range(roles)]
    return (shift > 0).ravel(), [q for q, _ in names], [r for _, r in names]


@pytest.mark.parametrize("seed", range(3))
def test_one_way_variance_is_that_of_a_cluster_robust_regression(seed: int) -> None:
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(25), rng.integers(1, 7, size=25))
    values = rng.normal(size=len(clusters)) + clusters % 3
    fit = sm.OLS(values, np.ones(len(values))).fit(cov_type="cluster", cov_kwds={"groups": clusters})
    assert mean_variance(values, list(clusters)) == pytest.approx(fit.cov_params()[0, 0], rel=1e-9)


def test_two_way_variance_is_cameron_gelbach_and_millers() -> None:
    rng = np.random.default_rng(3)
    answers, items, roles = crossed(rng, 20, 12, role_sd=1.0)
    values = answers.astype(float)
    fit = sm.OLS(values, np.ones(len(values))).fit()
    groups = np.stack([np.unique(items, return_inverse=True)[1], np.unique(roles, return_inverse=True)[1]], axis=1)
    both = cov_cluster_2groups(fit, groups[:, 0], groups[:, 1])[0][0, 0]
    # statsmodels multiplies by (n - 1) / (n - k), which is 1 for a constant alone
    assert mean_variance(values, items, roles) == pytest.approx(both, rel=1e-6)


def test_a_second_kind_of_cluster_never_adds_certainty() -> None:
    rng = np.random.default_rng(4)
    for _ in range(50):
        answers, items, roles = crossed(rng, 6, 5)
        values = answers.astype(float)
        assert mean_variance(values, items, roles) >= max(mean_variance(values, items), mean_variance(values, roles))


def test_one_cluster_has_no_variance_to_speak_of() -> None:
    assert np.isnan(mean_variance(np.array([0.0, 1.0]), ["a", "a"]))


def test_sums_by_cluster_in_order_of_mention() -> None:
    assert cluster_sums(np.array([1.0, 2.0, 4.0]), ["b", "a", "b"]).tolist() == [5.0, 2.0]


def test_roles_that_differ_widen_the_interval_of_a_rate() -> None:
    """Crossed questions and roles: 95% cover only where both count as clusters."""
    rng = np.random.default_rng(5)
    two = one = plain = 0
    trials = 300
    for _ in range(trials):
        answers, items, roles = crossed(rng, 24, 16, role_sd=0.8)
        outcomes = [bool(o) for o in answers]
        r = rate(outcomes, items, roles)
        assert r.low is not None
        assert r.high is not None
        two += r.low <= 0.5 <= r.high
        r = rate(outcomes, items)
        assert r.low is not None
        assert r.high is not None
        one += r.low <= 0.5 <= r.high
        low, high = wilson(r.hits, r.n)
        plain += low <= 0.5 <= high
    assert two / trials >= 0.92
    assert one / trials < 0.92
    assert plain < one


def test_a_single_role_is_no_cluster() -> None:
    outcomes, items = [True, False, True, True], ["a", "b", "c", "d"]
    assert rate(outcomes, items, ["x"] * 4) == rate(outcomes, items)
