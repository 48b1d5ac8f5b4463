"""Graphs as files: JSON (this project's and lists of pairs), GraphML and DOT."""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import networkx as nx
from pydantic import ValidationError

from valuebench_harness.causal.graph import Edge, ValueGraph, from_pairs
from valuebench_harness.data.reading import explain, read_text
from valuebench_harness.errors import UsageError, unknown_name

FORMATS = {".json": "json", ".graphml": "graphml", ".dot": "dot", ".gv": "dot"}

NAMED = 6
"""Unknown nodes that an error names."""


def graph_text(graph: ValueGraph, form: str) -> str:
    """A graph as ``json``, ``graphml`` or ``dot``."""
    return {"json": _json, "graphml": _graphml, "dot": _dot}[form](graph)


def write_graph(graph: ValueGraph, path: Path) -> None:
    """Writes a graph in the format of the file's ending.

    Raises:
        UsageError: an ending that is no format, or a file that cannot be written.
    """
    text = graph_text(graph, _format(path))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error


def read_graph(where: str | Path, nodes: Sequence[str] | None = None) -> ValueGraph:
    """Reads a graph from a file, or one of several by ``FILE:NAME``.

    JSON may hold a graph as :func:`write_graph` makes it, a list of [cause, effect] pairs, or an
    object of such by name.

    Args:
        where: the file.
        nodes: all values; default: the ends of the file's edges. Names that differ in case, spaces
            or underscores only are taken for the same.

    Raises:
        UsageError: no such file, not a graph, an unknown name, an edge to a value that is none of ``nodes``.
    """
    path, name = _split(where)
    text = read_text(path, "graph")
    form = _format(path)
    if form == "json":
        graph = _from_json(path, text, name)
    elif form == "graphml":
        graph = _from_networkx(path, _parse_graphml(path, text))
    else:
        graph = _from_networkx(path, _parse_dot(path, text))
    return graph if nodes is None else onto(graph, nodes, str(where))


def reference_name(where: str | Path) -> str:
    """What to call the graph of a file: of ``FILE:NAME`` the name, else the file's without its ending."""
    path, name = _split(where)
    return name or path.stem


def onto(graph: ValueGraph, nodes: Sequence[str], source: str) -> ValueGraph:
    """A graph over the values of a table; those that it lacks are nodes without edges.

    Raises:
        UsageError: for nodes that are none of the values.
    """
    return named_as(graph, nodes, source).over(nodes)


def named_as(graph: ValueGraph, nodes: Sequence[str], source: str) -> ValueGraph:
    """A graph whose nodes are called as the values are; it may lack some of them.

    Raises:
        UsageError: for nodes that are none of the values, or two that are the same one.
    """
    plain = {_plain(node): node for node in nodes}
    unknown = [node for node in graph.nodes if _plain(node) not in plain]
    if len(unknown) == 1:
        raise unknown_name("value", unknown[0], nodes, f"The graph {source} has it as a node.")
    if unknown:
        more = f" and {len(unknown) - NAMED} more" if len(unknown) > NAMED else ""
        raise UsageError(
            f"The graph {source} has nodes that are none of the values: {', '.join(unknown[:NAMED])}{more}. "
            f"The values: {', '.join(nodes)}."
        )
    names = {node: plain[_plain(node)] for node in graph.nodes}
    if len(set(names.values())) < len(names):
        twice = next(name for name in names.values() if list(names.values()).count(name) > 1)
        raise UsageError(f"The graph {source} has two nodes for the value '{twice}'.")
    return graph.renamed(names)


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def _split(where: str | Path) -> tuple[Path, str | None]:
    path = Path(where)
    text = str(where)
    if not path.exists() and ":" in text:
        head, _, name = text.rpartition(":")
        if Path(head).exists():
            return Path(head), name
    return path, None


def _format(path: Path) -> str:
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        raise UsageError(f"{path}: a graph's file ends in {', '.join(FORMATS)}.") from None


def _json(graph: ValueGraph) -> str:
    return graph.model_dump_json(indent=1, exclude_none=True) + "\n"


def _graphml(graph: ValueGraph) -> str:
    made: nx.DiGraph[str] = nx.DiGraph()
    made.add_nodes_from(graph.nodes)
    for edge in graph.edges:
        made.add_edge(edge.source, edge.target, **edge.model_dump(exclude={"source", "target"}, exclude_none=True))
    out = BytesIO()
    nx.write_graphml_xml(made, out)
    return out.getvalue().decode("utf-8") + "\n"


_ARROWS = {"-->": "", "---": "none", "<->": "both", "o->": "both", "o--": "both", "o-o": "both"}
_TAILS = {"o->": "odot", "o--": "odot", "o-o": "odot"}
_HEADS = {"o--": "none", "o-o": "odot"}


def _dot(graph: ValueGraph) -> str:
    lines = ["digraph values {", *(f"  {_quote(node)};" for node in graph.nodes)]
    for edge in graph.edges:
        attributes = {
            "mark": edge.mark,
            "dir": _ARROWS[edge.mark],
            "arrowtail": _TAILS.get(edge.mark, ""),
            "arrowhead": _HEADS.get(edge.mark, ""),
            "stability": "" if edge.stability is None else f"{edge.stability:.3f}",
            "direction_stability": "" if edge.direction_stability is None else f"{edge.direction_stability:.3f}",
            "effect": "" if edge.effect is None else f"{edge.effect:.3f}",
        }
        listed = ", ".join(f"{key}={_quote(text)}" for key, text in attributes.items() if text)
        lines.append(f"  {_quote(edge.source)} -> {_quote(edge.target)} [{listed}];")
    return "\n".join([*lines, "}"]) + "\n"


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _from_json(path: Path, text: str, name: str | None) -> ValueGraph:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"{path}: not JSON ({error.msg}, line {error.lineno}).") from None
    if isinstance(content, dict) and "edges" not in content:
        if name is None and len(content) == 1:
            (name,) = content
        if name is None:
            raise UsageError(f"{path} holds several graphs; name one: {', '.join(f'{path}:{n}' for n in content)}.")
        if name not in content:
            raise unknown_name("graph", name, content, f"They are in {path}.")
        content = content[name]
    elif name is not None:
        raise UsageError(f"{path} holds one graph, none named '{name}'.")
    try:
        if isinstance(content, list):
            return _from_list(content)
        return ValueGraph.model_validate(content)
    except ValidationError as error:
        raise UsageError(f"{path}: not a graph ({explain(error)}).") from None
    except ValueError as error:
        raise UsageError(f"{path}: not a graph ({error}).") from None


def _from_list(content: list[Any]) -> ValueGraph:
    pairs = []
    for n, pair in enumerate(content, 1):
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(end, str) for end in pair)):
            raise ValueError(f"edge {n} is no pair of names")
        pairs.append((pair[0], pair[1]))
    return from_pairs(sorted({end for pair in pairs for end in pair}), pairs)


def _parse_graphml(path: Path, text: str) -> nx.Graph[Any]:
    try:
        return nx.parse_graphml(text)
    except (ParseError, nx.NetworkXException, KeyError, ValueError) as error:
        raise UsageError(f"{path}: not GraphML ({error}).") from None


def _parse_dot(path: Path, text: str) -> nx.Graph[Any]:
    try:
        import pydot
    except ImportError:
        raise UsageError(
            f"{path}: reading DOT needs pydot; pip install 'valuebench-harness[causal]', or give the graph as JSON."
        ) from None
    found = pydot.graph_from_dot_data(text)
    if not found:
        raise UsageError(f"{path}: not DOT.")
    read = nx.nx_pydot.from_pydot(found[0])
    plain = {node: _unquote(str(node)) for node in read.nodes}
    made: nx.DiGraph[str] | nx.Graph[str] = nx.DiGraph() if read.is_directed() else nx.Graph()
    made.add_nodes_from(name for name in plain.values() if name != "\\n")
    for a, b, data in read.edges(data=True):
        made.add_edge(plain[a], plain[b], **{key: _unquote(str(value)) for key, value in data.items()})
    return made


def _unquote(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return text[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return text


def _from_networkx(path: Path, read: nx.Graph[Any]) -> ValueGraph:
    open_mark = "-->" if read.is_directed() else "---"
    edges: dict[tuple[str, str], dict[str, Any]] = {}
    for a, b, data in read.edges(data=True):
        if (b, a) in edges:  # a pair given both ways is of open direction
            edges[b, a]["mark"] = "---"
        else:
            kept = {key: data[key] for key in ("stability", "direction_stability", "effect") if key in data}
            edges[a, b] = {"mark": data.get("mark", open_mark), **kept}
    try:
        made = [Edge(source=a, target=b, **data) for (a, b), data in edges.items()]
        return ValueGraph(nodes=tuple(map(str, read.nodes)), edges=tuple(made))
    except ValidationError as error:
        raise UsageError(f"{path}: not a graph of values ({explain(error)}).") from None
