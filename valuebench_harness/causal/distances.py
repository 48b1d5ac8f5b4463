"""How far a graph is from another, such as a planted one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from valuebench_harness.causal.graph import BoolArray, ValueGraph
from valuebench_harness.causal.graph_files import onto
from valuebench_harness.errors import UsageError


class Agreement(BaseModel):
    """Precision and recall of what a graph claims.

    Attributes:
        precision: share of its claims that are true; ``None`` where it makes none.
        recall: share of the truths that it claims; ``None`` where there are none.
        f1: their harmonic mean; ``None`` where neither graph has any.
    """

    model_config = ConfigDict(frozen=True)

    precision: float | None
    recall: float | None
    f1: float | None


class Distances(BaseModel):
    """A graph against a reference.

    Attributes:
        shd: structural Hamming distance: pairs of values between which the two say different things, a
            missing, an extra, and a differently marked edge counting 1 each (Tsamardinos, Brown and
            Aliferis 2006).
        sid: structural intervention distance: ordered pairs whose causal effect the graph's parents adjust
            wrongly for (Peters and Bühlmann 2015); for graphs with undirected edges its extension, the
            parent adjustment distance (Henckel, Würtzen and Weichwald 2024), both by gadjid. ``None``
            where either graph is neither a DAG nor a CPDAG, or gadjid is missing.
        sid_note: why there is no ``sid``.
        adjacency: agreement on which pairs are adjacent.
        direction: on directed edges; an edge of open direction is a claim that is not true.
        reachability: on which value a path leads to which.
    """

    model_config = ConfigDict(frozen=True)

    shd: int
    sid: int | None
    sid_note: str = ""
    adjacency: Agreement
    direction: Agreement
    reachability: Agreement


def distances(graph: ValueGraph, truth: ValueGraph) -> Distances:
    """Compares a graph with a reference over the reference's values.

    Raises:
        UsageError: where the graph has a node that the reference lacks.
    """
    graph = onto(graph, truth.nodes, "to compare")
    found, true = _marks(graph), _marks(truth)
    sid, note = _sid(graph, truth)
    return Distances(
        shd=sum(found.get(pair) != true.get(pair) for pair in found.keys() | true.keys()),
        sid=sid,
        sid_note=note,
        adjacency=_agreement(len(found.keys() & true.keys()), len(found), len(true)),
        direction=_agreement(int((directed(graph) & directed(truth)).sum()), len(graph.edges), len(truth.edges)),
        reachability=_agreement(int((graph.reach & truth.reach).sum()), int(graph.reach.sum()), int(truth.reach.sum())),
    )


def _marks(graph: ValueGraph) -> dict[frozenset[str], tuple[str, str]]:
    """By pair: the mark and, where it has a direction, which end is the source."""
    return {e.pair: (e.mark, e.source if e.mark in {"-->", "o->", "o--"} else "") for e in graph.edges}


def directed(graph: ValueGraph) -> BoolArray:
    """``[i, j]``: whether the graph has ``i --> j``."""
    place = {node: n for n, node in enumerate(graph.nodes)}
    out = np.zeros((len(place), len(place)), dtype=np.bool_)
    for edge in graph.edges:
        if edge.mark == "-->":
            out[place[edge.source], place[edge.target]] = True
    return out


def _agreement(right: int, claimed: int, true: int) -> Agreement:
    f1 = 2 * right / (claimed + true) if claimed + true else None
    return Agreement(precision=right / claimed if claimed else None, recall=right / true if true else None, f1=f1)


def _sid(graph: ValueGraph, truth: ValueGraph) -> tuple[int | None, str]:
    try:
        import gadjid
    except ImportError:
        return None, "gadjid is not installed: pip install 'valuebench-harness[causal]'"
    try:
        matrices = [_matrix(g) for g in (truth, graph)]
    except UsageError as error:
        return None, str(error)
    dags = all((m < 2).all() for m in matrices)
    distance = gadjid.sid if dags else gadjid.parent_aid
    try:
        return int(distance(*matrices, edge_direction="from row to column")[1]), ""
    except BaseException as error:  # a panic of its Rust side is no Exception
        if type(error).__name__ != "PanicException" and not isinstance(error, ValueError):
            raise
        return None, f"gadjid: {str(error).splitlines()[0]}"


def _matrix(graph: ValueGraph) -> NDArray[np.int8]:
    """The form of gadjid: 1 directed, 2 undirected (once)."""
    if graph.cycle() is not None:
        raise UsageError("the directed edges have a cycle")
    place = {node: n for n, node in enumerate(graph.nodes)}
    out = np.zeros((len(place), len(place)), dtype=np.int8)
    for edge in graph.edges:
        if edge.mark not in {"-->", "---"}:
            raise UsageError(f"an edge is marked {edge.mark}")
        out[place[edge.source], place[edge.target]] = 1 if edge.mark == "-->" else 2
    return out
