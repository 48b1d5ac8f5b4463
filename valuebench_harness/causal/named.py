"""Graphs by name: the references that need no model, or a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from valuebench_harness.causal import reference
from valuebench_harness.causal.graph import ValueGraph
from valuebench_harness.causal.graph_files import named_as, read_graph
from valuebench_harness.data.values import Value
from valuebench_harness.errors import UsageError, unknown_name

UPPER, HIGHER_ORDER, CIRCLE, PLANTED = REFERENCES = ("upper-dimensions", "higher-order", "circle", "planted")

ASKED = ("theory", "self")
"""Graphs that a model is asked for, by ``vharness causal reference``."""


def named_graph(name: str, values: Sequence[Value], nodes: Sequence[str]) -> ValueGraph:
    """A reference graph by its name, or the graph of a file.

    Args:
        name: one of ``REFERENCES``, ``FILE`` or ``FILE:NAME``.
        values: that it is about.
        nodes: what these are called in the graph, in the same order.

    Returns:
        The graph; one from a file may lack some of the values.

    Raises:
        UsageError: an unknown name, values that have no such graph, or a file that is no graph of them.
    """
    if name in {UPPER, HIGHER_ORDER}:
        if not any(v.groups for v in values):
            raise UsageError(
                "None of the values has an upper dimension or a higher-order value"
                + (" (ValueBench's are in value_data.xlsx: 'vharness data pull valuebench')." if name == UPPER else ".")
            )
        groups = {node: v.groups for node, v in zip(nodes, values, strict=True)}
        return reference.shared_groups(groups, name.removesuffix("s").replace("-", " "))
    if name == CIRCLE:
        angles = {node: v.angle for node, v in zip(nodes, values, strict=True) if v.angle is not None}
        if len(angles) < len(nodes):
            raise UsageError(f"'{next(v.id for v in values if v.angle is None)}' has no place on a circle.")
        return reference.circle(angles)
    if name == PLANTED:
        from valuebench_harness.data.grammar.scm import EDGES

        return reference.planted(EDGES, nodes)
    if name in ASKED:
        raise UsageError(
            f"The graph '{name}' is asked of a model: write it with 'vharness causal reference {name} --model MODEL "
            f"--out {name}.json' first, and name that file."
        )
    if Path(name.partition(":")[0]).suffix:
        return named_as(read_graph(name), nodes, name)
    raise unknown_name("reference graph", name, (*REFERENCES, *ASKED), "Or give a graph's file.")
