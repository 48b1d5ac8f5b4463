"""The tests of independence on rows that are not independent."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from valuebench_harness.causal.discover import effective_rows
from valuebench_harness.causal.independence import (
    CrossedFisherZ,
    Estimand,
    FisherZ,
    critical,
    make_test,
    partial_correlation,
)
from valuebench_harness.causal.simulation import planted, random_weights, simulate
from valuebench_harness.causal.skeleton import find_skeleton
from valuebench_harness.causal.table import OrientationTable

NONE = np.empty((1, 0), dtype=np.intp)
ONE, TWO = np.array([0]), np.array([1])


def test_partial_correlations_are_those_of_residuals() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 6)) @ rng.normal(size=(6, 6))
    correlation = np.asarray(np.corrcoef(x.T))
    for given in ([], [2], [2, 4], [2, 3, 5]):
        design = np.column_stack([np.ones(200), x[:, given]])
        residuals = x[:, :2] - design @ np.linalg.lstsq(design, x[:, :2], rcond=None)[0]
        expected = np.corrcoef(residuals.T)[0, 1]
        found = partial_correlation(correlation, ONE, TWO, np.array([given], dtype=np.intp).reshape(1, -1))
        assert found[0] == pytest.approx(expected)


def test_one_setting_is_the_ordinary_test() -> None:
    """Rows of different roles under one setting are independent: the effective size is their number."""
    table = simulate(random_weights(5, 4, np.random.default_rng(0)), 80, 1, np.random.default_rng(1))
    crossed, plain = make_test(table, "crossed"), make_test(table, "rows")
    assert effective_rows(crossed) == pytest.approx(80)
    i, j = np.triu_indices(5, 1)
    for given in (np.empty((10, 0), dtype=np.intp), ((i + j) % 5)[:, None]):
        keep = np.array([g not in (a, b) for a, b, g in zip(i, j, given.sum(axis=1), strict=True)])
        keep |= given.shape[1] == 0
        np.testing.assert_allclose(crossed.z(i[keep], j[keep], given[keep]), plain.z(i[keep], j[keep], given[keep]))


def test_components_are_the_analysis_of_variance() -> None:
    rng = np.random.default_rng(0)
    table = simulate(np.zeros((3, 3)), 7, 4, rng, setting_share=0.2)
    test = make_test(table, "crossed")
    assert isinstance(test, CrossedFisherZ)
    cube = table.scores.reshape(7, 4, 3)
    centre = cube.mean(axis=(0, 1))
    roles = 4 * ((cube.mean(axis=1) - centre) ** 2).sum(axis=0)
    settings = 7 * ((cube.mean(axis=0) - centre) ** 2).sum(axis=0)
    within = ((cube - cube.mean(axis=1, keepdims=True) - cube.mean(axis=0) + centre) ** 2).sum(axis=(0, 1))
    for component, squares, df in zip(test.components, (roles, settings, within), (6, 3, 18), strict=True):
        np.testing.assert_allclose(np.diag(component.squares), squares)
        assert component.df == df
    np.testing.assert_allclose(np.diag(test.total), ((cube - centre) ** 2).sum(axis=(0, 1)))


@pytest.mark.parametrize(("role", "setting"), [(0.3, 0.0), (0.5, 0.2)])
@pytest.mark.parametrize("given", [(), (2,)])
def test_z_is_standard_normal_where_nothing_has_an_effect(role: float, setting: float, given: tuple[int, ...]) -> None:
    """Kolmogorov-Smirnov over 250 tables; the ordinary test on the same tables fails it by far."""
    p: dict[Estimand, list[float]] = {"crossed": [], "rows": []}
    at = np.array([given], dtype=np.intp).reshape(1, -1)
    for seed in range(250):
        table = simulate(np.zeros((3, 3)), 40, 12, np.random.default_rng(seed), role, setting)
        for estimand in p:
            z = make_test(table, estimand).z(ONE, TWO, at)[0]
            p[estimand].append(2 * stats.norm.sf(z))
    assert stats.kstest(p["crossed"], "uniform").pvalue > 0.001
    assert stats.kstest(p["rows"], "uniform").pvalue < 1e-6
    assert np.mean(np.array(p["crossed"]) < 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 250)


def test_missing_rows_keep_the_level() -> None:
    """A fifth of the rows is gone, so that roles and settings are no longer balanced."""
    rejected = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        table = simulate(np.zeros((2, 2)), 40, 12, rng, 0.4, 0.2)
        table = table.rows(np.flatnonzero(rng.random(len(table)) < 0.8))
        rejected += bool(make_test(table, "crossed").z(ONE, TWO, NONE)[0] > critical(0.05))
    assert rejected / 300 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)


def test_weights_are_repeated_rows() -> None:
    table = simulate(random_weights(4, 3, np.random.default_rng(0)), 6, 5, np.random.default_rng(1))
    weights = np.ones(30)
    weights[:5] = 3  # the first role is drawn three times
    weights[5:10] = 0  # the second never
    drawn = [*range(5)] * 3 + [*range(10, 30)]
    repeated = OrientationTable(
        table.values, tuple(table.settings[n] for n in drawn), tuple(table.roles[n] for n in drawn), table.scores[drawn]
    )
    one, other = make_test(table, "rows", weights), make_test(repeated, "rows")
    assert isinstance(one, FisherZ)
    assert isinstance(other, FisherZ)
    np.testing.assert_allclose(one.correlation, other.correlation)
    assert one.n == 25  # distinct rows only


@pytest.mark.parametrize("estimand", ["within", "roles", "settings"])
def test_other_estimands_see_their_own_part(estimand: Estimand) -> None:
    """Two values that move together within rows, between roles, or between settings only."""
    rng = np.random.default_rng(0)
    shape: dict[Estimand, tuple[int, int]] = {"within": (60, 30), "roles": (60, 1), "settings": (1, 30)}
    scores = sum(rng.normal(size=(*s, 2)) for s in shape.values()) + rng.normal(size=(*shape[estimand], 1)) * 2
    names = [(s, r) for r in range(60) for s in range(30)]
    table = OrientationTable(
        ("a", "b"), tuple(str(s) for s, _ in names), tuple(str(r) for _, r in names), scores.reshape(-1, 2)
    )
    for other in shape:
        z = make_test(table, other).z(ONE, TWO, NONE)[0]
        assert (z > 4) == (other == estimand)


@pytest.mark.slow
class TestFalseEdges:
    """101 roles x 25 settings x 17 values, as the published table."""

    @pytest.mark.parametrize(("role", "setting"), [(0.3, 0.0), (0.0, 0.3), (0.58, 0.07)])
    def test_an_empty_graph_stays_empty_at_the_nominal_rate(self, role: float, setting: float) -> None:
        found: dict[Estimand, list[int]] = {"crossed": [], "rows": []}
        for seed in range(60):
            table = simulate(np.zeros((17, 17)), 101, 25, np.random.default_rng(seed), role, setting)
            for estimand, edges in found.items():
                test = make_test(table, estimand)
                edges.append(int(find_skeleton(test, 0.05).adjacent.sum()) // 2)
        share = np.array(found["crossed"]) / 136
        half = 1.96 * share.std(ddof=1) / np.sqrt(len(share))
        assert share.mean() - half <= 0.05
        assert np.median(found["rows"]) > 25

    def test_the_price_is_power_for_weak_edges(self) -> None:
        recall: dict[Estimand, list[float]] = {"crossed": [], "rows": []}
        false: dict[Estimand, list[int]] = {"crossed": [], "rows": []}
        for seed in range(20):
            weights = random_weights(17, 28, np.random.default_rng(seed))
            truth = planted(weights).adjacency
            truth |= truth.T
            table = simulate(weights, 101, 25, np.random.default_rng(1000 + seed), 0.3)
            for estimand in recall:
                adjacent = find_skeleton(make_test(table, estimand), 0.05).adjacent
                recall[estimand].append((adjacent & truth).sum() / truth.sum())
                false[estimand].append(int((adjacent & ~truth).sum()) // 2)
        assert np.mean(recall["rows"]) - np.mean(recall["crossed"]) < 0.1
        assert np.mean(false["crossed"]) < np.mean(false["rows"]) / 2
