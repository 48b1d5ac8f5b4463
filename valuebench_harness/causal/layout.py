"""Where to draw the values of a graph: causes above effects."""

from __future__ import annotations

import networkx as nx

from valuebench_harness.causal.graph import ValueGraph

SWEEPS = 12
WIDEST = 6
"""Values without an edge stand in rows of this many, below the others."""

Place = tuple[float, float]


def layered(graph: ValueGraph) -> dict[str, Place]:
    """Places of the values, layer by layer: x in units of a value's width, y the layer from above.

    A value stands below all values that lead to it; values that lead to each other (edges of open
    direction) share a layer. Within a layer the order is that of the neighbours' mean place, so that few
    edges cross. The result depends on nothing but the graph.
    """
    followed = graph.networkx()
    groups = nx.condensation(followed)
    layer_of: dict[str, int] = {}
    for number, layer in enumerate(nx.topological_generations(groups)):
        for group in layer:
            for node in groups.nodes[group]["members"]:
                layer_of[node] = number
    alone = [node for node in graph.nodes if followed.degree(node) == 0]
    layers: dict[int, list[str]] = {}
    for node in graph.nodes:
        if node not in alone:
            layers.setdefault(layer_of[node], []).append(node)
    rows = [layers[number] for number in sorted(layers)]
    _untangle(rows, followed)
    rows += [alone[k : k + WIDEST] for k in range(0, len(alone), WIDEST)]
    return {
        node: (place - (len(row) - 1) / 2, float(number))
        for number, row in enumerate(rows)
        for place, node in enumerate(row)
    }


def _untangle(rows: list[list[str]], followed: nx.DiGraph[str]) -> None:
    """Sorts each row by the mean place of its neighbours, again and again."""
    undirected = followed.to_undirected()
    for sweep in range(SWEEPS):
        place = {node: k - (len(row) - 1) / 2 for row in rows for k, node in enumerate(row)}
        for row in rows if sweep % 2 == 0 else reversed(rows):
            mean = {
                node: sum(place[other] for other in undirected[node]) / max(1, len(undirected[node])) for node in row
            }
            row.sort(key=lambda node: (mean[node], place[node]))
            place.update((node, k - (len(row) - 1) / 2) for k, node in enumerate(row))
