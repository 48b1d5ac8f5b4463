"""Reference graphs that need no model: what a theory, a questionnaire's author or a planted truth says.

A discovered graph is held against them (Kang et al., ACL 2025, Section 3.2 and Appendix B).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from valuebench_harness.causal.graph import Edge, ValueGraph
from valuebench_harness.errors import UsageError


def shared_groups(groups: Mapping[str, Sequence[str]], kind: str = "group") -> ValueGraph:
    """Values that share a group affect each other, in an open direction.

    Kang et al. (Appendix B) take ValueBench's upper dimensions so: "value dimensions under common
    upper-dimensions as having causal relationships".

    Args:
        groups: of each value, in the order of the nodes.
        kind: what the groups are called.

    Raises:
        UsageError: where no two values share one.
    """
    edges = [
        Edge(source=a, target=b, mark="---") for a, b in combinations(groups, 2) if set(groups[a]) & set(groups[b])
    ]
    if not edges:
        raise UsageError(f"No two of the {len(groups)} values share a {kind}, so there is no graph of them.")
    return ValueGraph(nodes=tuple(groups), edges=tuple(edges), about={"reference": f"shared {kind}s"})


def circle(angles: Mapping[str, float]) -> ValueGraph:
    """Neighbours on Schwartz's circle share a motivation (Schwartz 1992): an edge between them, in an open direction.

    All values of a circle reach each other along it, so as a prediction of effects it says that everything
    moves; compare adjacencies with it, and effects with the higher-order values.

    Args:
        angles: place of each value in degrees.

    Raises:
        UsageError: for fewer than three values.
    """
    if len(angles) < 3:
        raise UsageError(f"A circle takes three values or more, not {len(angles)}.")
    order = sorted(angles, key=lambda value: angles[value])
    pairs = zip(order, [*order[1:], order[0]], strict=True)
    edges = [Edge(source=a, target=b, mark="---") for a, b in pairs]
    return ValueGraph(nodes=tuple(angles), edges=tuple(edges), about={"reference": "neighbours on the circle"})


def planted(edges: Sequence[tuple[str, str, float]], nodes: Sequence[str]) -> ValueGraph:
    """The graph behind ``mini``'s answers, as far as the values of interest go.

    Args:
        edges: cause, effect, weight.
        nodes: values; a path through a value that is none of them becomes an edge.

    Returns:
        The graph, each edge with its effect: weights multiply along a path and add over the paths it stands for.

    Raises:
        UsageError: where a node is none of the planted values.
    """
    known = {end for cause, effect, _ in edges for end in (cause, effect)}
    for node in nodes:
        if node not in known:
            raise UsageError(f"'{node}' is none of the planted values: {', '.join(sorted(known))}.")
    children: dict[str, list[tuple[str, float]]] = {}
    for cause, effect, weight in edges:
        children.setdefault(cause, []).append((effect, weight))
    made = []
    for node in nodes:
        effects: dict[str, float] = {}
        for child, weight in _next(node, children, set(nodes)):
            effects[child] = effects.get(child, 0.0) + weight
        made += [Edge(source=node, target=child, effect=round(size, 6)) for child, size in effects.items()]
    return ValueGraph(nodes=tuple(nodes), edges=tuple(made), about={"reference": "planted"})


def _next(
    node: str, children: Mapping[str, Sequence[tuple[str, float]]], kept: set[str]
) -> Iterator[tuple[str, float]]:
    for child, weight in children.get(node, ()):
        if child in kept:
            yield child, weight
        else:
            yield from ((end, weight * further) for end, further in _next(child, children, kept))
