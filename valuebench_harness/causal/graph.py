"""Graphs of values: what a discovery, a theory or a planted truth says of which value moves which.

An edge carries the marks that discovery can leave at its two ends, written as in Tetrad and
causal-learn: ``-->`` cause and effect, ``---`` direction unknown, ``<->`` a common cause, and
FCI's ``o->``, ``o--``, ``o-o``, whose circles may be tails or heads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Literal, Self

import networkx as nx
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

Mark = Literal["-->", "---", "<->", "o->", "o--", "o-o"]

BoolArray = NDArray[np.bool_]

BACKWARD_TOO: frozenset[Mark] = frozenset({"---", "<->", "o--", "o-o"})
"""Marks that leave the direction open: followed both ways, as Kang et al. count them."""


class Edge(BaseModel):
    """An edge between two values.

    Attributes:
        source: the cause of ``-->``; else one end.
        target: the other end.
        mark: what stands between them.
        stability: share of bootstrap samples in which the two were adjacent.
        direction_stability: among those, the share in which ``source --> target`` was found.
        effect: change of the target for a unit of change of the source, where it is known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    target: str
    mark: Mark = "-->"
    stability: float | None = Field(default=None, ge=0, le=1)
    direction_stability: float | None = Field(default=None, ge=0, le=1)
    effect: float | None = Field(default=None, allow_inf_nan=False)

    @property
    def pair(self) -> frozenset[str]:
        """The two ends, whichever way."""
        return frozenset((self.source, self.target))


class ValueGraph(BaseModel):
    """Values and the edges between them; at most one edge between two values.

    Attributes:
        nodes: all values, also those without an edge.
        edges: between them.
        about: how the graph was made: method, level, rows, columns left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    nodes: tuple[str, ...]
    edges: tuple[Edge, ...] = ()
    about: dict[str, JsonValue] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.nodes)) < len(self.nodes):
            raise ValueError("a node comes twice")
        seen: set[frozenset[str]] = set()
        for edge in self.edges:
            for name in (edge.source, edge.target):
                if name not in self.nodes:
                    raise ValueError(f"edge {edge.source} {edge.mark} {edge.target} names '{name}', which is no node")
            if edge.source == edge.target:
                raise ValueError(f"'{edge.source}' has an edge to itself")
            if edge.pair in seen:
                raise ValueError(f"two edges between '{edge.source}' and '{edge.target}'")
            seen.add(edge.pair)
        return self

    def networkx(self) -> nx.DiGraph[str]:
        """The graph to follow: an edge whose direction is open goes both ways (Kang's published pipeline)."""
        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_nodes_from(self.nodes)
        for edge in self.edges:
            graph.add_edge(edge.source, edge.target)
            if edge.mark in BACKWARD_TOO:
                graph.add_edge(edge.target, edge.source)
        return graph

    @cached_property
    def reach(self) -> BoolArray:
        """``[i, j]``: whether a path leads from node i to node j; never from a node to itself."""
        return reachability(self.adjacency)

    @cached_property
    def adjacency(self) -> BoolArray:
        """``[i, j]``: whether an edge can be followed from node i to node j."""
        return np.asarray(nx.to_numpy_array(self.networkx(), nodelist=self.nodes), dtype=np.bool_)

    def successors(self, node: str) -> tuple[str, ...]:
        """All values that a path leads to, in the order of the nodes."""
        row = self.reach[self.nodes.index(node)]
        return tuple(name for name, reached in zip(self.nodes, row, strict=True) if reached)

    def cycle(self) -> tuple[str, ...] | None:
        """Nodes of a cycle of directed edges (``-->`` only), or ``None``."""
        graph: nx.DiGraph[str] = nx.DiGraph((e.source, e.target) for e in self.edges if e.mark == "-->")
        try:
            return tuple(source for source, _ in nx.find_cycle(graph))
        except nx.NetworkXNoCycle:
            return None

    def reduced(self) -> ValueGraph:
        """The transitive reduction: fewest edges with the same paths; edges it leaves out are dropped.

        Values on a cycle, which open edges make, reach each other: they are reduced as one node
        between which the graph's own edges stay, and of the parallel edges between two such groups
        the most stable is kept (so the result does not depend on the order of the edges).
        """
        graph = self.networkx()
        groups = nx.condensation(graph)
        group_of: Mapping[str, int] = groups.graph["mapping"]
        kept = set(nx.transitive_reduction(groups).edges)
        best: dict[tuple[int, int], Edge] = {}
        inside = []
        for edge in self.edges:
            key = (group_of[edge.source], group_of[edge.target])
            if key[0] == key[1]:
                inside.append(edge)
            elif key in kept and (key not in best or _rank(edge) < _rank(best[key])):
                best[key] = edge
        chosen = {id(edge) for edge in (*inside, *best.values())}
        return self.model_copy(update={"edges": tuple(e for e in self.edges if id(e) in chosen)})

    def renamed(self, names: Mapping[str, str]) -> ValueGraph:
        """The same graph with some nodes named otherwise."""
        new = {node: names.get(node, node) for node in self.nodes}
        edges = [e.model_copy(update={"source": new[e.source], "target": new[e.target]}) for e in self.edges]
        return ValueGraph(nodes=tuple(new.values()), edges=tuple(edges), about=self.about)

    def over(self, nodes: Sequence[str]) -> ValueGraph:
        """The same edges over other nodes; all ends must be among them."""
        return ValueGraph(nodes=tuple(nodes), edges=self.edges, about=self.about)


def from_pairs(
    nodes: Sequence[str], pairs: Iterable[tuple[str, str]], about: Mapping[str, JsonValue] | None = None
) -> ValueGraph:
    """A graph from (cause, effect) pairs; a pair given both ways is an edge of open direction."""
    given = dict.fromkeys(pairs)
    edges: dict[frozenset[str], Edge] = {}
    for cause, effect in given:
        mark: Mark = "---" if (effect, cause) in given else "-->"
        edges.setdefault(frozenset((cause, effect)), Edge(source=cause, target=effect, mark=mark))
    return ValueGraph(nodes=tuple(nodes), edges=tuple(edges.values()), about=dict(about or {}))


def reachability(adjacency: BoolArray) -> BoolArray:
    """Transitive closure of an adjacency matrix, or a stack of them, ``[..., n, n]``; the diagonal is False."""
    n = adjacency.shape[-1]
    reach = adjacency | np.eye(n, dtype=np.bool_)
    for _ in range(max(1, (n - 1).bit_length())):
        reach = (reach.astype(np.float32) @ reach.astype(np.float32)) > 0
    return np.asarray(reach & ~np.eye(n, dtype=np.bool_), dtype=np.bool_)


def _rank(edge: Edge) -> tuple[float, str, str]:
    return -(edge.stability or 0.0), edge.source, edge.target
