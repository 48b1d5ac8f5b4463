from __future__ import annotations

from itertools import permutations

import networkx as nx
import numpy as np
import pytest

from valuebench_harness.causal.distances import distances
from valuebench_harness.causal.graph import Edge, ValueGraph, from_pairs
from valuebench_harness.causal.simulation import planted, random_weights
from valuebench_harness.errors import UsageError


def sid_by_definition(graph: ValueGraph, truth: ValueGraph) -> int:
    """Peters and Bühlmann 2015: ordered pairs (i, j) whose effect adjusting for the parents in ``graph`` gets wrong."""
    found, true = graph.networkx(), truth.networkx()
    wrong = 0
    for i, j in permutations(truth.nodes, 2):
        parents = set(found.predecessors(i))
        if j in parents:  # it claims no effect of i on j
            wrong += j in nx.descendants(true, i)
            continue
        on_paths = {w for w in nx.descendants(true, i) if w == j or j in nx.descendants(true, w)}
        forbidden = on_paths.union(*(nx.descendants(true, w) for w in on_paths), set())
        backdoor = true.copy()
        backdoor.remove_edges_from([(i, w) for w in list(true.successors(i)) if w in on_paths])
        wrong += bool(parents & forbidden) or not nx.is_d_separator(backdoor, {i}, {j}, parents - {i, j})
    return wrong


def test_sid_is_that_of_its_definition() -> None:
    pytest.importorskip("gadjid")
    for seed in range(10):
        rng = np.random.default_rng(seed)
        graph, truth = (planted(random_weights(6, 6, rng)) for _ in range(2))
        assert distances(graph, truth).sid == sid_by_definition(graph, truth)
        assert distances(truth, truth).sid == 0


def test_agreement_by_hand() -> None:
    truth = from_pairs("abcd", [("a", "b"), ("b", "c"), ("c", "d")])
    graph = ValueGraph(
        nodes=tuple("abcd"),
        edges=(Edge(source="a", target="b"), Edge(source="c", target="b"), Edge(source="b", target="d", mark="---")),
    )
    found = distances(graph, truth)
    assert found.shd == 3  # b - c turned, b - d extra, c - d missing
    assert (found.adjacency.precision, found.adjacency.recall) == (2 / 3, 2 / 3)
    assert found.direction.f1 == pytest.approx(1 / 3)
    # a, c, d reach b and d, b reaches d, d reaches b: six claims, of which a-b, a-d, b-d and c-d are true, of six
    assert (found.reachability.precision, found.reachability.recall) == (4 / 6, 4 / 6)


def test_an_empty_graph_and_an_empty_truth() -> None:
    empty, full = from_pairs("ab", []), from_pairs("ab", [("a", "b")])
    assert distances(empty, full).adjacency.model_dump() == {"precision": None, "recall": 0.0, "f1": 0.0}
    assert distances(empty, empty).adjacency.f1 is None
    assert distances(empty, full).shd == 1


def test_no_sid_without_a_dag() -> None:
    cycle = from_pairs("abc", [("a", "b"), ("b", "c"), ("c", "a")])
    double = ValueGraph(nodes=tuple("abc"), edges=(Edge(source="a", target="b", mark="<->"),))
    truth = from_pairs("abc", [("a", "b")])
    assert distances(cycle, truth).sid is None
    assert "cycle" in distances(cycle, truth).sid_note
    assert "<->" in distances(double, truth).sid_note


def test_undirected_edges_have_the_parent_adjustment_distance() -> None:
    pytest.importorskip("gadjid")
    truth = from_pairs("ab", [("a", "b")])
    assert distances(from_pairs("ab", [("a", "b"), ("b", "a")]), truth).sid == 2


def test_a_node_of_neither_is_told() -> None:
    with pytest.raises(UsageError, match="Unknown value 'z'"):
        distances(from_pairs("az", []), from_pairs("ab", []))
