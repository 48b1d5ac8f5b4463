from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from valuebench_harness.causal.discover import discover
from valuebench_harness.causal.distances import distances
from valuebench_harness.causal.graph import Edge, ValueGraph
from valuebench_harness.causal.interventions import (
    Target,
    compare,
    direct_effects,
    graph_of_effects,
    orient_by_changes,
    respond,
)
from valuebench_harness.causal.simulation import planted, random_weights, simulate
from valuebench_harness.causal.table import FloatArray, OrientationTable
from valuebench_harness.causal.targets import read_targets
from valuebench_harness.errors import UsageError

VALUES = 8


def pushed(
    weights: FloatArray, seed: int, roles: int = 100, size: float = 1.0
) -> tuple[OrientationTable, dict[str, Target]]:
    """Every value pushed up by one setting and down by another."""
    n = len(weights)
    shifts = {1 + 2 * v + k: {v: size * (1 - 2 * k)} for v in range(n) for k in (0, 1)}
    table = simulate(weights, roles, 2 * n + 1, np.random.default_rng(seed), 0.4, targets=shifts)
    targets = {
        f"s{number}": Target(value=f"v{v}", sign=1 if shift > 0 else -1)
        for number, to in shifts.items()
        for v, shift in to.items()
    }
    return table, targets


def test_effects_are_the_planted_ones() -> None:
    weights = random_weights(VALUES, 9, np.random.default_rng(0))
    table, targets = pushed(weights, 1, roles=3000)
    response = respond(table, targets, draws=200)
    total = np.linalg.inv(np.eye(VALUES) - weights)
    found = response.total_effects()
    for v in range(VALUES):
        for w in range(VALUES):
            assert found[f"v{v}"][f"v{w}"].estimate == pytest.approx(total[w, v], abs=0.1)
    direct, error = direct_effects(response)
    np.testing.assert_allclose(direct, weights, atol=0.1)
    assert error.shape == (VALUES, VALUES)


def test_the_graph_is_the_planted_one_and_better_than_from_observation() -> None:
    scores = []
    for seed in range(4):
        weights = random_weights(VALUES, 9, np.random.default_rng(seed))
        table, targets = pushed(weights, seed)
        graph = graph_of_effects(respond(table, targets, draws=300))
        found = distances(graph, planted(weights)).direction.f1
        observed = distances(discover(table), planted(weights)).direction.f1
        assert found is not None
        assert observed is not None
        scores.append((found, observed))
        assert all(edge.stability is not None and edge.stability > 0.5 for edge in graph.edges)
    found_mean, observed_mean = np.mean(scores, axis=0)
    assert found_mean > 0.9
    assert found_mean > observed_mean


def test_no_effects_no_edges() -> None:
    table, targets = pushed(np.zeros((VALUES, VALUES)), 0)
    assert not graph_of_effects(respond(table, targets, draws=300)).edges


def test_some_values_pushed_only() -> None:
    """v0 --> v1 --> v2, v1 never pushed: v0 moves both, and the push of v2 moves neither."""
    weights = np.zeros((3, 3))
    weights[1, 0], weights[2, 1] = 0.8, 0.8
    table = simulate(weights, 300, 3, np.random.default_rng(0), targets={1: {0: 1.0}, 2: {2: 1.0}})
    targets = {"s1": Target(value="v0"), "s2": Target(value="v2")}
    graph = graph_of_effects(respond(table, targets, draws=300))
    assert {(e.source, e.target, e.mark) for e in graph.edges} == {("v0", "v1", "-->"), ("v0", "v2", "-->")}
    assert graph.about["pushed"] == ["v0", "v2"]


def test_edges_turn_by_what_changes_without_what() -> None:
    """Of a pair that PC cannot direct, 12 settings push the cause and 12 the effect; nobody says which."""
    weights = np.zeros((2, 2))
    weights[1, 0] = 0.9
    shifts = {k: {k % 2: 0.8 * (-1) ** (k // 2)} for k in range(1, 25)}
    table = simulate(weights, 60, 25, np.random.default_rng(0), 0.4, targets=shifts)
    graph = discover(table)
    (edge,) = graph.edges
    assert edge.mark == "---"
    for given in (graph, ValueGraph(nodes=graph.nodes, edges=(Edge(source="v1", target="v0"),))):
        (turned,) = orient_by_changes(given, table, [f"s{k}" for k in range(1, 25)]).edges
        assert (turned.source, turned.target, turned.mark) == ("v0", "v1", "-->")
    few = orient_by_changes(graph, table, ["s1", "s2"])
    assert few.edges == graph.edges  # two settings are no evidence


def test_nothing_turns_where_settings_move_both_alike() -> None:
    rng = np.random.default_rng(0)
    shifts = {k: dict(enumerate(rng.normal(size=2))) for k in range(1, 25)}
    table = simulate(np.zeros((2, 2)), 60, 25, rng, targets=shifts)
    graph = ValueGraph(nodes=table.values, edges=(Edge(source="v0", target="v1", mark="---"),))
    assert orient_by_changes(graph, table, [f"s{k}" for k in range(1, 25)]).edges == graph.edges


def test_comparison_with_observation() -> None:
    def graph(*edges: tuple[str, str, str]) -> ValueGraph:
        made = [Edge.model_validate({"source": a, "target": b, "mark": m}) for a, b, m in edges]
        return ValueGraph(nodes=tuple("abcde"), edges=tuple(made))

    observed = graph(("a", "b", "-->"), ("b", "c", "---"), ("c", "d", "-->"), ("a", "e", "-->"))
    told = compare(observed, graph(("a", "b", "-->"), ("c", "b", "-->"), ("d", "c", "-->"), ("d", "e", "-->")))
    assert told == {
        "confirmed": ["a --> b"],
        "directed": ["c --> b"],
        "turned": ["d --> c"],
        "not found": ["a --> e"],
        "new": ["d --> e"],
    }


class TestTargets:
    def test_from_json_and_from_a_collection(self, tmp_path: Path) -> None:
        plain = tmp_path / "targets.json"
        plain.write_text('{"up": "Power", "down": "-Power"}', encoding="utf-8")
        folder = tmp_path / "collection"
        folder.mkdir()
        lines = [
            {"id": "", "steerer": "base", "column": None},
            {"id": "up", "column": "Power", "direction": "positive", "strength": 1.0},
            {"id": "down", "column": "Power", "direction": "negative"},
        ]
        (folder / "settings.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
        expected = {"up": Target(value="Power"), "down": Target(value="Power", sign=-1)}
        assert read_targets(plain) == expected
        assert read_targets(folder) == expected
        (folder / "settings.jsonl").write_text('{"id": "1312"}', encoding="utf-8")
        with pytest.raises(UsageError, match="no setting aims at a measured value"):
            read_targets(folder)

    @pytest.mark.parametrize("text", ["{", "[]", "{}", '{"a": 1}', '{"a": ""}'])
    def test_what_is_none_is_told(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "t.json"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(UsageError, match=r"not JSON|expected an object of settings and values"):
            read_targets(path)

    def test_unknown_ones(self) -> None:
        table, targets = pushed(np.zeros((3, 3)), 0, roles=10)
        with pytest.raises(UsageError, match="Unknown setting 's99'"):
            respond(table, {"s99": Target(value="v0")})
        with pytest.raises(UsageError, match=r"Unknown value 'v9'.*target of setting 's1'"):
            respond(table, {"s1": Target(value="v9")})
        with pytest.raises(UsageError, match="4 roles have all orientations"):
            respond(table.only(roles=table.role_names[:4]), targets)
        with pytest.raises(UsageError, match="No setting has a target"):
            respond(table, {})
