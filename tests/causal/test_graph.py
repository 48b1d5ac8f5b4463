from __future__ import annotations

import json
from itertools import pairwise, permutations
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from valuebench_harness.causal.graph import Edge, Mark, ValueGraph, from_pairs, reachability
from valuebench_harness.causal.graph_files import graph_text, read_graph, reference_name, write_graph
from valuebench_harness.errors import UsageError

NODES = ("Power", 'Say "no"', "Social Cynicism", "d", "e")
MARKS: tuple[Mark, ...] = ("-->", "---", "<->", "o->", "o--", "o-o")


@st.composite
def graphs(draw: st.DrawFn) -> ValueGraph:
    edges = []
    for i, source in enumerate(NODES):
        for target in NODES[i + 1 :]:
            if draw(st.booleans()):
                ends = draw(st.permutations([source, target]))
                share = draw(st.none() | st.sampled_from([0.0, 0.125, 1.0]))
                mark, effect = draw(st.sampled_from(MARKS)), draw(st.none() | st.sampled_from([-0.5, 0.0, 2.0]))
                edges.append(Edge(source=ends[0], target=ends[1], mark=mark, stability=share, effect=effect))
    return ValueGraph(nodes=NODES, edges=tuple(edges))


@given(graphs())
def test_reach_is_networkx_descendants(graph: ValueGraph) -> None:
    for node in NODES:
        assert set(graph.successors(node)) == nx.descendants(graph.networkx(), node)


@given(graphs())
def test_the_reduction_keeps_all_paths_and_drops_what_it_can(graph: ValueGraph) -> None:
    reduced = graph.reduced()
    np.testing.assert_array_equal(reduced.reach, graph.reach)
    assert set(reduced.edges) <= set(graph.edges)
    turned = ValueGraph(nodes=graph.nodes, edges=graph.edges[::-1]).reduced()
    assert set(turned.edges) == set(reduced.edges)  # the order of the edges is irrelevant
    if nx.is_directed_acyclic_graph(graph.networkx()):
        assert set(reduced.networkx().edges) == set(nx.transitive_reduction(graph.networkx()).edges)


@settings(max_examples=30)
@given(graphs(), st.sampled_from(["json", "graphml", "dot"]))
def test_files_hold_the_graph(tmp_path_factory: pytest.TempPathFactory, graph: ValueGraph, form: str) -> None:
    path = tmp_path_factory.mktemp("graph") / f"g.{form}"
    write_graph(graph, path)
    again = read_graph(path, NODES)
    assert again.nodes == graph.nodes
    assert set(again.edges) == set(graph.edges)


def test_json_keeps_what_the_graph_is_about() -> None:
    graph = ValueGraph(nodes=("a",), about={"method": "pc", "values_left_out": {"b": "constant"}})
    assert ValueGraph.model_validate(json.loads(graph_text(graph, "json"))) == graph


def test_open_edges_are_followed_both_ways() -> None:
    graph = ValueGraph(
        nodes=("a", "b", "c", "d"),
        edges=(
            Edge(source="a", target="b"),
            Edge(source="b", target="c", mark="---"),
            Edge(source="c", target="d", mark="o->"),
        ),
    )
    assert graph.successors("c") == ("b", "d")
    assert graph.successors("d") == ()
    assert graph.cycle() is None


def test_a_pair_given_both_ways_is_an_open_edge() -> None:
    graph = from_pairs("abc", [("a", "b"), ("b", "a"), ("b", "c"), ("b", "c")])
    assert [(e.source, e.target, e.mark) for e in graph.edges] == [("a", "b", "---"), ("b", "c", "-->")]


def test_cycles_are_found() -> None:
    graph = from_pairs("abcd", [("a", "b"), ("b", "c"), ("c", "a"), ("c", "d")])
    cycle = graph.cycle()
    assert cycle is not None
    assert sorted(cycle) == ["a", "b", "c"]


def test_reachability_of_a_stack() -> None:
    adjacency = np.array([from_pairs("abcde", pairwise(p)).adjacency for p in permutations("abcde")])
    reach = reachability(adjacency)
    assert reach.shape == (120, 5, 5)
    assert (reach.sum(axis=(1, 2)) == 10).all()  # a chain of five has ten ordered pairs
    for one, stacked in zip(adjacency[:5], reach[:5], strict=True):
        np.testing.assert_array_equal(reachability(one), stacked)


@pytest.mark.parametrize(
    "edges",
    [
        [Edge(source="a", target="x")],
        [Edge(source="a", target="a")],
        [Edge(source="a", target="b"), Edge(source="b", target="a")],
    ],
)
def test_impossible_graphs_are_refused(edges: list[Edge]) -> None:
    with pytest.raises(ValidationError):
        ValueGraph(nodes=("a", "b"), edges=tuple(edges))


class TestFiles:
    def test_the_published_graphs(self, kang: Path) -> None:
        path = kang / "published_graphs.json"
        gemma, human = (read_graph(f"{path}:{name}") for name in ("gemma", "human1"))
        assert int(gemma.reach.sum()) == 84
        assert sum(e.mark == "---" for e in gemma.edges) == 3  # 28 listed edges, 3 of them both ways
        assert len(human.edges) == 18
        assert reference_name(f"{path}:human1") == "human1"
        with pytest.raises(UsageError, match=r"holds several graphs; name one: .*:gemma, .*:human1"):
            read_graph(path)
        with pytest.raises(UsageError, match=r"Unknown graph 'humans'. Did you mean 'human1'"):
            read_graph(f"{path}:humans")

    def test_names_are_matched_loosely(self, tmp_path: Path) -> None:
        path = tmp_path / "g.json"
        path.write_text('[["positive_coping", "Power"]]', encoding="utf-8")
        graph = read_graph(path, ["Power", "Positive coping", "Social"])
        assert graph.successors("Positive coping") == ("Power",)
        assert graph.nodes == ("Power", "Positive coping", "Social")

    @pytest.mark.parametrize(
        ("name", "text", "message"),
        [
            ("g.json", "{", "not JSON"),
            ("g.json", '[["a"]]', "edge 1 is no pair of names"),
            ("g.json", '{"nodes": ["a"], "edges": [{"source": "a", "target": "b"}]}', "names 'b', which is no node"),
            ("g.json", '{"nodes": ["a", "b"], "edges": [{"source": "a"}]}', "field 'edges.0.target' is missing"),
            ("g.json", '[["a", "q"]]', "Unknown value 'q'. .*The graph .* has it as a node"),
            ("g.json", '[["a", "q"], ["r", "a"]]', "nodes that are none of the values: q, r. The values: a, b."),
            ("g.json", '[["a", "b"], ["A", "b"]]', "two nodes for the value 'a'"),
            ("g.graphml", "<graph", "not GraphML"),
            ("g.dot", "digraph {", "not DOT"),
            ("g.txt", "a -> b", "a graph's file ends in .json, .graphml, .dot, .gv"),
        ],
    )
    def test_what_is_no_graph_is_named(self, tmp_path: Path, name: str, text: str, message: str) -> None:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        with pytest.raises(UsageError, match=message):
            read_graph(path, ["a", "b"])

    def test_a_file_that_is_not_there(self) -> None:
        with pytest.raises(UsageError, match=r"No graph at nowhere.json"):
            read_graph("nowhere.json")

    def test_dot_of_another_program(self, tmp_path: Path) -> None:
        path = tmp_path / "g.dot"
        path.write_text('digraph g { node [shape=box]; a -> "b c"; c -> a; a -> c }', encoding="utf-8")
        graph = read_graph(path)
        assert {(*sorted((e.source, e.target)), e.mark) for e in graph.edges} == {
            ("a", "b c", "-->"),
            ("a", "c", "---"),
        }
