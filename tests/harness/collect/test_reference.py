"""Reference graphs: pure ones against what they are made from, asked ones on a scripted server."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import pytest

from tests.support.chat_server import ChatServer, Reply, Request
from valuebench_harness.causal import reference
from valuebench_harness.causal.graph import ValueGraph
from valuebench_harness.data.grammar import scm
from valuebench_harness.data.values import Value, load_value_system
from valuebench_harness.errors import IncompleteError, UsageError
from valuebench_harness.harness.cache import Cache
from valuebench_harness.harness.chat_model import ChatModel
from valuebench_harness.harness.collect.ask_graph import GraphAsker, parse_edges
from valuebench_harness.harness.progress import Reporter

QUIET = Reporter(quiet=True)
NAMES = {"Positive coping": "coping", "Empathy": "empathy", "Social Cynicism": "cynicism"}


def edges(graph: ValueGraph) -> set[tuple[str, str, str]]:
    return {(e.source, e.mark, e.target) for e in graph.edges}


def test_values_of_a_group_are_linked() -> None:
    graph = reference.shared_groups({"a": ("x",), "b": ("x", "y"), "c": ("y",), "d": ()})
    assert graph.nodes == ("a", "b", "c", "d")
    assert edges(graph) == {("a", "---", "b"), ("b", "---", "c")}
    with pytest.raises(UsageError, match="No two of the 2 values share a group"):
        reference.shared_groups({"a": ("x",), "b": ()})


def test_the_circle_is_a_ring_in_the_order_of_the_angles() -> None:
    values = load_value_system("schwartz").values
    angles = {v.id: v.angle for v in reversed(values) if v.angle is not None}
    graph = reference.circle(angles)
    ring: nx.Graph[str] = nx.Graph((e.source, e.target) for e in graph.edges)
    assert nx.is_isomorphic(ring, nx.cycle_graph(10))
    for a, b in ring.edges:
        gap = abs(angles[a] - angles[b]) % 360
        assert min(gap, 360 - gap) == 36
    with pytest.raises(UsageError, match="three values"):
        reference.circle({"a": 0, "b": 180})


def test_the_planted_graph_has_the_reach_of_the_total_effects() -> None:
    """Also over some of the values: what leads on through the others stays."""
    names = list(scm.INDEX)
    for kept in (names, names[::2], names[1::2]):
        graph = reference.planted(scm.EDGES, kept)
        for i, cause in enumerate(kept):
            for j, value in enumerate(kept):
                moved = abs(scm.TOTAL_EFFECTS[scm.INDEX[value], scm.INDEX[cause]]) > 1e-12
                assert graph.reach[i, j] == (moved and cause != value)
    assert len(reference.planted(scm.EDGES, names).edges) == len(scm.EDGES)
    with pytest.raises(UsageError, match="'courage' is none of the planted values"):
        reference.planted(scm.EDGES, ["power", "courage"])


@pytest.mark.parametrize(
    ("reply", "pairs"),
    [
        ("Empathy -> Positive coping # it helps\nEND", [("empathy", "coping")]),
        (
            "Here they are:\n1. **Empathy** -> Social_Cynicism # less\n- 'Positive coping' → empathy\nEND\nBye",
            [("empathy", "cynicism"), ("coping", "empathy")],
        ),
        ("Empathy -> Positive coping\nEmpathy -> positive COPING # twice\nend.", [("empathy", "coping")]),
    ],
)
def test_replies_are_read_strictly(reply: str, pairs: list[tuple[str, str]]) -> None:
    assert parse_edges(reply, NAMES, "it") == pairs


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("Empathy -> Positive coping", "cut short"),
        ("Empathy -> Courage\nEND", "line 1 of its reply is none"),
        ("Empathy -> Empathy\nEND", "line 1"),
        ("\nEmpathy -> Positive coping -> Social Cynicism\nEND", "line 2"),
        ("Empathy ->\nEND", "line 1"),
        ("I would rather not.\nEND", "names no link"),
        ("", "cut short"),
    ],
)
def test_replies_that_are_no_list_of_links(reply: str, words: str) -> None:
    with pytest.raises(IncompleteError, match=words):
        parse_edges(reply, NAMES, "it")


VALUES = [
    Value(id="empathy", name="Empathy", definition="Feeling with others."),
    Value(id="coping", name="Positive coping"),
    Value(id="cynicism", name="Social Cynicism"),
]
NODES = ["Empathy", "Positive coping", "Social Cynicism"]


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache.sqlite")


def test_a_graph_by_theory_is_asked_once(cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    template = tmp_path / "own.txt"
    template.write_text("{% for v in values %}{{ v.name }};{% endfor %} link them", encoding="utf-8")
    text = "Empathy -> Positive coping # a\nPositive coping -> Empathy # b\nSocial Cynicism -> Empathy # c\nEND"
    with ChatServer(lambda *_: Reply(text)).running() as server:
        asker = GraphAsker(ChatModel("openai:sage", server.url), cache)
        graph = asker.by_theory(VALUES, NODES, QUIET)
        asked = server.requests[0].content
        assert graph == asker.by_theory(VALUES, NODES, QUIET)
        assert len(server.requests) == 1
        GraphAsker(ChatModel("openai:sage", server.url), cache, template).by_theory(VALUES, NODES, QUIET)
        assert server.requests[1].content == "Empathy;Positive coping;Social Cynicism; link them"
    assert edges(graph) == {("Empathy", "---", "Positive coping"), ("Social Cynicism", "-->", "Empathy")}
    assert graph.about["model"] == "openai:sage"
    assert "- Empathy: Feeling with others.\n- Positive coping\n- Social Cynicism\n" in asked


def cynic(request: Request, _: int) -> Reply:
    """Says that cynicism changes everything, and nothing clear of coping."""
    first = request.content.partition("Would this")[0]
    if "Social Cynicism" in first:
        return Reply("Thought: it colours all.\nAnswer: yes")
    return Reply("Thought: hm.\nAnswer: perhaps" if "Positive coping" in first else "Thought: no link.\nAnswer: no")


def test_a_graph_of_the_model_itself(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with ChatServer(cynic).running() as server:
        graph = GraphAsker(ChatModel("openai:me", server.url), cache).by_pairs(VALUES, NODES, QUIET)
        assert len(server.requests) == 6
    assert edges(graph) == {("Social Cynicism", "-->", "Empathy"), ("Social Cynicism", "-->", "Positive coping")}
    assert (graph.about["asked"], graph.about["unscored"]) == (6, 2)


def test_a_model_that_says_neither_yes_nor_no(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with ChatServer(lambda *_: Reply("Perhaps.")).running() as server:
        asker = GraphAsker(ChatModel("openai:me", server.url), cache)
        with pytest.raises(IncompleteError, match="none of 6 questions"):
            asker.by_pairs(VALUES, NODES, QUIET)


def test_a_faulty_template_is_named(cache: Cache, tmp_path: Path) -> None:
    template = tmp_path / "own.txt"
    template.write_text("{{ nothing }}", encoding="utf-8")
    asker = GraphAsker(ChatModel("openai:sage", "http://127.0.0.1:9/v1"), cache, template)
    for ask in (asker.by_theory, asker.by_pairs):
        with pytest.raises(UsageError, match=str(template)):
            ask(VALUES, NODES, QUIET)


def test_upper_dimensions_of_valuebench(real_data: Path) -> None:
    """Kang et al. find this graph very sparse."""
    values = load_value_system("valuebench").values
    graph = reference.shared_groups({v.name: v.groups for v in values})
    assert 1 <= len(graph.edges) <= 5
