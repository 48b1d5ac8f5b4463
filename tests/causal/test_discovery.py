"""PC and FCI against causal-learn, on independent rows where both know what to do."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest

from tests.causal.conftest import CHOSEN
from valuebench_harness.causal.discover import PUBLISHED, Discovery, discover
from valuebench_harness.causal.fci import run_fci
from valuebench_harness.causal.graph import BoolArray, reachability
from valuebench_harness.causal.graph_files import read_graph
from valuebench_harness.causal.independence import FisherZ
from valuebench_harness.causal.orientation import Conflicts, orient
from valuebench_harness.causal.simulation import planted, random_weights, simulate
from valuebench_harness.causal.skeleton import find_skeleton
from valuebench_harness.causal.table import UNSTEERED, FloatArray, OrientationTable

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def linear(seed: int) -> FloatArray:
    """Rows of a random linear model with 5 to 12 columns in random order."""
    rng = np.random.default_rng(seed)
    columns = int(rng.integers(5, 13))
    pairs = columns * (columns - 1) // 2
    weights = random_weights(columns, int(rng.uniform(0.1, 0.6) * pairs), rng, 0.1, 1.2)
    rows = int(rng.integers(40, 900))
    return np.asarray(rng.normal(size=(rows, columns)) @ np.linalg.inv(np.eye(columns) - weights).T)


def ordinary(x: FloatArray) -> FisherZ:
    """The test that both use."""
    return FisherZ(np.asarray(np.corrcoef(x.T)), len(x))


def theirs(x: FloatArray, alpha: float = 0.05) -> tuple[BoolArray, BoolArray]:
    """causal-learn's skeleton and arrowheads, ``head[i, j]`` at j."""
    pc: Any = pytest.importorskip("causallearn.search.ConstraintBased.PC").pc
    graph = pc(x, alpha, show_progress=False).G.graph
    return graph != 0, graph.T == 1


def ours(x: FloatArray, alpha: float = 0.05) -> tuple[BoolArray, BoolArray]:
    skeleton = find_skeleton(ordinary(x), alpha)
    return skeleton.adjacent, orient(skeleton, "first")


def cyclic(head: BoolArray) -> bool:
    arrow = head & ~head.T
    return bool((reachability(arrow) & arrow.T).any())


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_the_graph_is_causal_learns(alpha: float) -> None:
    """Where causal-learn's Meek rules close a cycle (its ancestor check misses paths), ours leave the edge open."""
    cycles = 0
    for seed in range(14):
        x = linear(seed)
        (adjacent, head), (our_adjacent, our_head) = theirs(x, alpha), ours(x, alpha)
        np.testing.assert_array_equal(our_adjacent, adjacent, err_msg=f"seed {seed}")
        if cyclic(head):
            cycles += 1
        else:
            np.testing.assert_array_equal(our_head, head, err_msg=f"seed {seed}")
    assert cycles < 7  # most comparisons did compare


def test_the_published_graph(train: OrientationTable, kang: Any) -> None:
    rows = train.only(settings=(UNSTEERED, *CHOSEN))
    graph = discover(rows, PUBLISHED)
    adjacent, head = theirs(rows.scores)
    published = read_graph(f"{kang / 'published_graphs.json'}:gemma", train.values)
    np.testing.assert_array_equal(graph.reach, published.reach)
    assert len(graph.edges) == adjacent.sum() // 2 == 44
    assert sum(e.mark == "-->" for e in graph.edges) == int((head & ~head.T).sum())
    np.testing.assert_array_equal(graph.reduced().reach, published.reach)
    assert len(graph.reduced().edges) == len(published.edges) == 25


def test_early_stopping_asks_far_fewer_questions() -> None:
    x = linear(3)
    skeleton = find_skeleton(ordinary(x), 0.05)
    stopped = skeleton.tests
    for i, j in zip(*np.nonzero(~skeleton.adjacent), strict=True):
        if i < j:
            skeleton.separators(int(i), int(j))
    assert skeleton.tests > stopped


def test_open_conflicts_do_not_depend_on_the_order_of_columns() -> None:
    rng = np.random.default_rng(0)
    moved = False
    for seed in range(15):
        x = linear(seed)
        order = rng.permutation(x.shape[1])
        for conflicts in get_args(Conflicts):
            one, other = (orient(find_skeleton(ordinary(y), 0.05), conflicts) for y in (x, x[:, order]))
            same = bool((one[np.ix_(order, order)] == other).all())
            assert same or conflicts == "first"
            moved |= not same
    assert moved  # causal-learn's order does depend on it


def test_exact_correlations_give_the_planted_equivalence_class() -> None:
    """v0 --> v2 <-- v1, v2 --> v3: all directions follow from the collider."""
    weights = np.zeros((4, 4))
    weights[2, 0], weights[2, 1], weights[3, 2] = 0.7, -0.6, 0.8
    mix = np.linalg.inv(np.eye(4) - weights)
    covariance = mix @ mix.T
    scale = np.sqrt(np.diag(covariance))
    skeleton = find_skeleton(FisherZ(covariance / np.outer(scale, scale), 1e6), 0.05)
    head = orient(skeleton)
    assert {(int(i), int(j)) for i, j in np.argwhere(head)} == {(0, 2), (1, 2), (2, 3)}


class TestFci:
    def test_it_is_causal_learns_on_independent_rows(self) -> None:
        fci: Any = pytest.importorskip("causallearn.search.ConstraintBased.FCI").fci
        for seed in (1, 2, 4):
            x = linear(seed)
            graph, _ = fci(x, "fisherz", 0.05, show_progress=False)
            found = run_fci(ordinary(x), 0.05)
            symbols = {-1: "-", 1: ">", 2: "o"}
            ends = np.asarray(graph.graph)
            expected = {
                frozenset([(int(i), symbols[int(ends[i, j])]), (int(j), symbols[int(ends[j, i])])])
                for i, j in zip(*np.nonzero(np.triu(ends != 0)), strict=True)
            }
            tails = {"-": "-", "o": "o", "<": ">"}
            assert {frozenset([(a, tails[mark[0]]), (b, mark[-1])]) for (a, b), mark in found.items()} == expected

    def test_a_hidden_common_cause_is_bidirected(self) -> None:
        """x --> a <-> b <-- y with a hidden cause of a and b: PC must direct it wrongly or leave it, FCI says so."""
        rng = np.random.default_rng(0)
        x, y, hidden, *noise = rng.normal(size=(5, 4000))
        scores = np.column_stack([x, x + hidden + 0.5 * noise[0], y + hidden + 0.5 * noise[1], y])
        names = tuple(str(r) for r in range(4000))
        table = OrientationTable(("x", "a", "b", "y"), ("",) * 4000, names, scores / 10)
        graph = discover(table, Discovery(method="fci", estimand="rows"))
        marks = {(e.source, e.target): e.mark for e in graph.edges}
        assert marks.get(("a", "b"), marks.get(("b", "a"))) == "<->"


def test_the_bootstrap_tells_strong_edges_from_weak_ones() -> None:
    weights = np.zeros((4, 4))
    weights[1, 0], weights[2, 1], weights[2, 3] = 0.9, 0.9, 0.9
    table = simulate(weights, 60, 8, np.random.default_rng(0), role_share=0.4)
    how = Discovery(bootstraps=60)
    graph = discover(table, how)
    assert graph == discover(table, how)  # repeatable
    truth = {e.pair for e in planted(weights).edges}
    for edge in graph.edges:
        assert edge.stability is not None
        assert (edge.stability > 0.95) == (edge.pair in truth)
    strong = next(e for e in graph.edges if (e.source, e.target) == ("v3", "v2"))
    assert strong.direction_stability is not None
    assert strong.direction_stability > 0.5
