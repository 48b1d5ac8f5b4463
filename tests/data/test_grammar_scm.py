"""The planted causal model and the roles are what they are said to be."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from valuebench_harness.data.grammar import roles, scm
from valuebench_harness.data.grammar.acts import ACTS, VALUES
from valuebench_harness.data.grammar.appeal import MAX_APPEAL, appeal, appeals
from valuebench_harness.data.schemas import Dilemma
from valuebench_harness.mini import write_data


def directed_paths(start: str, end: str) -> list[list[float]]:
    """Weights along every directed path, by walking the edges."""
    if start == end:
        return [[]]
    return [
        [weight, *rest] for cause, effect, weight in scm.EDGES if cause == start for rest in directed_paths(effect, end)
    ]


def test_total_effects_are_sums_over_directed_paths() -> None:
    for i, j in itertools.product(VALUES, VALUES):
        expected = sum(np.prod(path) for path in directed_paths(i, j))
        assert scm.TOTAL_EFFECTS[scm.INDEX[j], scm.INDEX[i]] == pytest.approx(expected, abs=1e-12)


def test_no_two_paths_can_cancel() -> None:
    assert max(len(directed_paths(i, j)) for i, j in itertools.product(VALUES, VALUES)) == 1


def test_every_edge_ends_in_a_collider() -> None:
    adjacent = {frozenset(edge[:2]) for edge in scm.EDGES}
    for cause, effect, _ in scm.EDGES:
        others = [c for c, e, _ in scm.EDGES if e == effect and c != cause]
        assert any(frozenset((cause, other)) not in adjacent for other in others)


def test_expected_favour_agrees_with_an_integral() -> None:
    e = scm.shift("security", 1.5)
    variance = np.linalg.inv(np.eye(10) - scm.weight_matrix()) @ np.linalg.inv(np.eye(10) - scm.weight_matrix()).T
    for value in ("security", "conformity", "universalism"):
        i = scm.INDEX[value]
        mean, sd = (scm.TOTAL_EFFECTS @ e)[i], scm.NOISE_SD * variance[i, i] ** 0.5
        for pull in (0.0, -0.7):
            expected, _ = quad(
                lambda z, m=mean, s=sd, b=pull - 0.05: norm.pdf(z, m, s) / (1 + np.exp(-(1.5 * z + b))), -12, 12
            )
            assert scm.expected_favour(e, pull)[i] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("value", VALUES)
def test_appeal_favours_no_side_and_tells_acts_apart(value: str) -> None:
    own = appeals()[value]
    for side in ACTS[value]:
        levels = [own[act] for act in side]
        assert sum(levels) == pytest.approx(0, abs=1e-9)
        assert max(levels) == -min(levels) == MAX_APPEAL
    offsets = [appeal(d) for d in write_data.dilemmas(value, 200, seed=3)]
    assert abs(np.mean(offsets)) < 0.15
    assert np.std(offsets) == pytest.approx(0.7, abs=0.1)


def test_the_appeal_of_a_dilemma_is_that_of_its_act_for_the_value() -> None:
    first, second = ACTS["power"][0][0], ACTS["power"][1][0]
    dilemma = Dilemma(
        id="-", value="power", scene="park", question="?", options=(second, first), favours=1, split="test"
    )
    assert appeal(dilemma) == pytest.approx(appeals()["power"][first] - appeals()["power"][second])


def test_stance_probabilities_mirror_between_items_for_and_against() -> None:
    for z in (-2.0, -0.3, 0.0, 1.7):
        yes, no, unsure = scm.stance_probabilities(z, 1)
        assert min(yes, no, unsure) > 0
        assert (no, yes, unsure) == pytest.approx(scm.stance_probabilities(z, -1))


def test_role_shifts_are_uncorrelated_over_all_roles() -> None:
    for table in roles.shift_tables():
        covariance = table.T @ table / len(table)
        np.testing.assert_allclose(table.mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(covariance, np.eye(10) * roles.SPREAD**2 / 4, atol=1e-12)


def test_roles_are_held_out_different_and_reproducible() -> None:
    first, again = roles.roles(200, seed=3), roles.roles(200, seed=3)
    assert first == again
    assert len(set(first)) == 200
    assert all(role.held_out for role in first)
    spread = np.std([role.e() for role in first], axis=0)
    assert np.all((spread > 0.8) & (spread < 1.2))


def test_name_and_gender_shift_nothing() -> None:
    woman = roles.Role("Mara", "woman", "potter", "INTJ", "calm", "daring")
    man = roles.Role("Paul", "man", "potter", "INTJ", "calm", "daring")
    np.testing.assert_array_equal(woman.e(), man.e())
    assert woman.text == "You are Mara, a woman, a potter, type INTJ, calm and daring."


@pytest.mark.slow
@pytest.mark.parametrize("n", [2_500, 20_000])
def test_pc_on_exact_latent_values_returns_the_planted_graph(n: int) -> None:
    search = pytest.importorskip("causallearn.search.ConstraintBased.PC", reason="causal-learn is not installed")
    z = scm.latents(np.random.default_rng(0).normal(0, 1, (n, len(VALUES))))
    graph = search.pc(z, 0.01, "fisherz", show_progress=False).G.graph
    found = {
        (VALUES[i], VALUES[j])
        for i, j in itertools.permutations(range(len(VALUES)), 2)
        if graph[i, j] == -1 and graph[j, i] == 1
    }
    assert found == {(cause, effect) for cause, effect, _ in scm.EDGES}
    assert np.count_nonzero(graph) == 2 * len(scm.EDGES)


@pytest.mark.slow
def test_pc_on_planted_role_values_finds_the_graph() -> None:
    search = pytest.importorskip("causallearn.search.ConstraintBased.PC", reason="causal-learn is not installed")
    z = np.array([role.z() for role in roles.roles(500, seed=1)])
    graph = search.pc(z, 0.01, "fisherz", show_progress=False).G.graph
    found = {frozenset((VALUES[i], VALUES[j])) for i, j in zip(*np.nonzero(graph), strict=True)}
    planted = {frozenset(edge[:2]) for edge in scm.EDGES}
    assert 2 * len(found & planted) / (len(found) + len(planted)) >= 0.9
