"""A graph held against a matrix of changes: verdicts, frequencies and signs, each computed a second way."""

from __future__ import annotations

from itertools import permutations

import networkx as nx
import numpy as np
import pytest
from scipy.stats import norm

from valuebench_harness.causal.graph import Edge, ValueGraph, from_pairs
from valuebench_harness.causal.reference import planted
from valuebench_harness.causal.side_effects import SideEffects, side_effects
from valuebench_harness.causal.signs import foretold_signs
from valuebench_harness.data.grammar import scm
from valuebench_harness.metrics.matrix import Cell, Measured, effect_matrix
from valuebench_harness.metrics.paired import Change, paired_change

VALUES = "abcd"
CHAIN = from_pairs(VALUES, [("a", "b"), ("b", "c")])


def change(size: float, n: int = 40) -> Change:
    """A paired change of about this size: ``n`` items, of which a share goes over."""
    moved = round(abs(size) * n)
    before = {str(i): [size < 0] for i in range(n)}
    after = {str(i): [(size > 0) if i < moved else (size < 0)] for i in range(n)}
    return paired_change(before, after)


def matrix(sizes: dict[str, str]) -> tuple[Cell, ...]:
    """Cells from signs by row, such as ``{"a": "++0-"}``: a shown rise, none, a shown fall."""
    size = {"+": 0.6, "-": -0.6, "0": 0.0}
    return effect_matrix(
        {
            (steered, v): Measured(change(size[sign]), int(steered == v))
            for steered, row in sizes.items()
            for v, sign in zip(VALUES, row, strict=True)
        }
    )


def held(sizes: dict[str, str], graph: ValueGraph = CHAIN, sign: int = 1) -> SideEffects:
    return side_effects(0, matrix(sizes), graph, sign, draws=400, permutations=2000)


def verdicts(found: SideEffects) -> dict[str, dict[str, str]]:
    return {c.value: {o.value: o.verdict for o in c.others} for c in found.conditions}


def test_a_change_is_one_of_four() -> None:
    found = held({"a": "++00", "b": "++00", "c": "00+0"})
    assert verdicts(found) == {
        "a": {"b": "expected", "c": "missed", "d": "still"},
        "b": {"a": "unexpected", "c": "missed", "d": "still"},
        "c": {"a": "still", "b": "still", "d": "still"},
    }
    assert found.totals == {"expected": 1, "missed": 2, "unexpected": 1, "still": 5}
    assert found.tests == 9


def test_frequencies_are_those_of_plain_loops() -> None:
    """Expected: 1/2 of a's successors, 0/1 of b's; c has none. Unexpected: 0/1, 1/2, 0/3."""
    found = held({"a": "++00", "b": "++00", "c": "00+0"}).frequencies
    assert found is not None
    assert (found.expected.estimate, found.expected.n) == (0.25, 2)
    assert found.unexpected.estimate == pytest.approx((0 + 1 / 2 + 0) / 3)
    assert found.unexpected.n == 3
    assert found.gap.estimate == pytest.approx(0.25 - 1 / 6)
    assert found.gap.low is not None
    assert found.gap.low <= found.gap.estimate


def test_the_permutation_p_is_that_of_all_relabellings() -> None:
    rows = {"a": "++0+", "b": "0++0", "c": "00+0", "d": "0+0+"}
    moved = {(s, v) for s, row in rows.items() for v, sign in zip(VALUES, row, strict=True) if sign != "0" and s != v}

    def gap(graph: nx.DiGraph[str]) -> float:
        reach = {v: nx.descendants(graph, v) for v in VALUES}
        means = []
        for side in (reach, {v: set(VALUES) - reach[v] - {v} for v in VALUES}):
            shares = [np.mean([(v, w) in moved for w in side[v]]) for v in VALUES if side[v]]
            means.append(np.mean(shares))
        return float(means[0] - means[1])

    plain = CHAIN.networkx()
    gaps = [gap(nx.relabel_nodes(plain, dict(zip(VALUES, order, strict=True)))) for order in permutations(VALUES)]
    exact = np.mean([g >= gap(plain) - 1e-9 for g in gaps])
    found = held(rows).frequencies
    assert found is not None
    assert found.gap.estimate == pytest.approx(gap(plain))
    assert found.permutation_p == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 2000))


def test_a_value_that_does_not_move_itself_foretells_nothing() -> None:
    found = held({"a": "0+00", "b": "0++0"})
    assert [c.moved for c in found.conditions] == [False, True]
    assert found.totals == {"expected": 1, "still": 2}
    assert found.frequencies is not None
    assert found.frequencies.expected.n == 1
    assert held({"a": "0+00"}).frequencies is None


def test_what_a_graph_lacks_is_on_neither_side() -> None:
    found = held({"a": "++00", "d": "+++0"}, from_pairs("abc", [("a", "b")]))
    assert verdicts(found) == {"a": {"b": "expected", "c": "still"}}
    without = CHAIN.model_copy(update={"about": {"values_left_out": {"d": "constant"}}})
    assert "d" not in verdicts(held({"a": "++00"}, without))["a"]
    # p is still adjusted over every change that was looked at
    assert found.tests == 6


def test_the_way_is_foretold_from_the_way_the_value_went() -> None:
    graph = ValueGraph(
        nodes=tuple(VALUES),
        edges=(
            Edge(source="a", target="b", effect=0.5),
            Edge(source="b", target="c", effect=-2.0),
            Edge(source="a", target="d"),
        ),
    )
    for sizes, sign, ways in (
        ({"a": "+++0"}, 1, {"b": 1, "c": -1, "d": 0}),
        ({"a": "---0"}, 1, {"b": -1, "c": 1, "d": 0}),  # went the other way than aimed at
        ({"a": "0000"}, -1, {"b": -1, "c": 1, "d": 0}),  # did not go: the way aimed at
    ):
        (row,) = held(sizes, graph, sign).conditions
        assert {o.value: o.direction for o in row.others} == ways
        assert [o.value for o in row.others if o.other_way] == (["c"] if row.moved else [])


def test_what_would_have_been_shown_has_its_power() -> None:
    """A true change of that size passes Bonferroni's level in 80% of samples, by the normal distribution."""
    (row, _) = held({"a": "+000", "b": "0+00"}).conditions
    for other in row.others:
        error = other.change.error
        assert error is not None
        assert other.detectable is not None
        critical = norm.isf(0.025 / 6)
        assert norm.sf(critical - other.detectable / error) == pytest.approx(0.8, abs=1e-6)
    assert row.detectable is not None
    assert row.change is not None
    assert row.change.detectable is not None
    assert row.detectable > row.change.detectable  # two values are steered


def test_unmeasured_changes_are_counted_apart() -> None:
    nothing = paired_change({"1": [None]}, {"1": [True]})
    cells = effect_matrix(
        {
            ("a", "a"): Measured(change(0.6), 1),
            ("a", "b"): Measured(nothing, 0),
            ("a", "c"): Measured(change(0.6), 0),
            ("a", "d"): Measured(change(0), 0),
        }
    )
    found = side_effects(0, cells, CHAIN, 1, draws=50, permutations=50)
    assert found.totals == {"unmeasured": 1, "expected": 1, "still": 1}
    assert (found.tests, found.unscored) == (2, 1)
    assert found.frequencies is not None
    assert found.frequencies.expected.estimate == 1.0


@pytest.mark.parametrize("dropped", [(), ("stimulation",), ("power", "conformity")])
def test_planted_signs_are_those_of_the_causal_model(dropped: tuple[str, ...]) -> None:
    nodes = [value for value in scm.INDEX if value not in dropped]
    graph = planted(scm.EDGES, nodes)
    at = [scm.INDEX[value] for value in nodes]
    truth = np.sign(scm.TOTAL_EFFECTS.T[np.ix_(at, at)]) * (1 - np.eye(len(at)))
    np.testing.assert_array_equal(foretold_signs(graph), truth)


def test_signs_that_a_graph_does_not_say() -> None:
    def graph(*edges: tuple[str, str, float | None, str]) -> ValueGraph:
        made = [Edge.model_validate({"source": s, "target": t, "effect": e, "mark": m}) for s, t, e, m in edges]
        return ValueGraph(nodes=tuple(VALUES), edges=tuple(made))

    blurred = foretold_signs(graph(("a", "b", 1.0, "-->"), ("b", "c", None, "-->"), ("c", "d", -1.0, "-->")))
    assert [[int(x) for x in row] for row in blurred] == [[0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, -1], [0, 0, 0, 0]]
    turned = foretold_signs(graph(("a", "b", 1.0, "-->"), ("b", "c", 1.0, "<->"), ("d", "a", 1.0, "-->")))
    assert turned.tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]]
    cancelling = graph(("a", "b", 1.0, "-->"), ("b", "d", 1.0, "-->"), ("a", "c", 1.0, "-->"), ("c", "d", -1.0, "-->"))
    assert foretold_signs(cancelling)[0].tolist() == [0, 1, 1, 0]
    circular = graph(("a", "b", 1.0, "-->"), ("b", "c", 1.0, "-->"), ("c", "a", 1.0, "-->"))
    assert not foretold_signs(circular).any()
