"""Which way a graph has values move along, where it knows the effects of its edges."""

from __future__ import annotations

import numpy as np

from valuebench_harness.causal.graph import ValueGraph
from valuebench_harness.causal.table import FloatArray, IntArray

CANCELLED = 1e-9
"""Effects over several paths that add up to less cancel out."""


def foretold_signs(graph: ValueGraph) -> IntArray:
    """The sign of each total effect: effects multiply along a path and add over paths (Wright 1934).

    Args:
        graph: with effects at the edges where they are known.

    Returns:
        ``[i, j]``: +1 where a rise of value i is to raise value j, -1 where it is to lower it. 0 where the graph
        does not say: there is no path, an edge on the way has no effect or an open direction (ways that turn back
        included), paths cancel out, or the directed edges have a cycle.
    """
    n = len(graph.nodes)
    signs: IntArray = np.zeros((n, n), dtype=np.intp)
    if graph.cycle() is not None:
        return signs
    place = {node: k for k, node in enumerate(graph.nodes)}
    direct: FloatArray = np.zeros((n, n))
    unknown = graph.adjacency.copy()
    for edge in graph.edges:
        if edge.mark == "-->" and edge.effect is not None:
            at = place[edge.source], place[edge.target]
            direct[at], unknown[at] = edge.effect, False
    here_or_later = (graph.reach | np.eye(n, dtype=np.bool_)).astype(np.intp)
    blurred = (here_or_later @ unknown.astype(np.intp) @ here_or_later) > 0
    total = np.linalg.inv(np.eye(n) - direct)
    said = graph.reach & ~blurred & (np.abs(total) > CANCELLED)
    signs[said] = np.sign(total[said]).astype(np.intp)
    return signs
