"""Graphs of values as pictures (PNG, SVG, PDF), by matplotlib."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from valuebench_harness.causal.graph import Edge, ValueGraph
from valuebench_harness.causal.layout import layered
from valuebench_harness.errors import UsageError
from valuebench_harness.reports.clean import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = (".png", ".svg", ".pdf")
COLOURS = {"edge": "#3b6ea5", "open": "#9a6a1f", "box": "#eef2f7", "line": "#5b6b7f", "text": "#1a2028"}
ROW_HEIGHT, COLUMN_WIDTH = 0.95, 1.75
"""Inches that a value takes."""


def draw_graphs(graphs: Mapping[str, ValueGraph], path: Path, *, reduce: bool = True) -> None:
    """Draws graphs side by side.

    Args:
        graphs: by title.
        path: file; its ending says the format.
        reduce: draw the transitive reduction, as the paper does.

    Raises:
        UsageError: matplotlib is missing, another ending, or the file cannot be written.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"{path}: a picture's file ends in {', '.join(FORMATS)}.")
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError("Drawing needs matplotlib: pip install 'valuebench-harness[plots]'.") from None
    shown = {title: graph.reduced() if reduce else graph for title, graph in graphs.items()}
    sizes = [_size(layered(graph)) for graph in shown.values()]
    figure = Figure(figsize=(sum(w for w, _ in sizes), max(h for _, h in sizes)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(shown), squeeze=False, width_ratios=[w for w, _ in sizes])[0]
    for axis, (title, graph) in zip(axes, shown.items(), strict=True):
        _draw(axis, one_line(title, 80), graph)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Without a date, and with ids from a fixed salt, the same graph makes the same file.
        metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(path.suffix.lower())
        import matplotlib as mpl

        with mpl.rc_context({"svg.hashsalt": "valuebench-harness"}):
            figure.savefig(path, dpi=150, metadata=metadata)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error


def _size(places: Mapping[str, tuple[float, float]]) -> tuple[float, float]:
    xs, ys = zip(*places.values(), strict=True)
    return max(4.0, (max(xs) - min(xs) + 1.3) * COLUMN_WIDTH), max(2.5, (max(ys) + 1.6) * ROW_HEIGHT)


def _draw(axis: Axes, title: str, graph: ValueGraph) -> None:
    places = {node: (x * COLUMN_WIDTH, -y * ROW_HEIGHT) for node, (x, y) in layered(graph).items()}
    axis.set_title(title, fontsize=11, color=COLOURS["text"])
    axis.set_axis_off()
    xs, ys = zip(*places.values(), strict=True)
    axis.set_xlim(min(xs) - COLUMN_WIDTH * 0.6, max(xs) + COLUMN_WIDTH * 0.6)
    axis.set_ylim(min(ys) - ROW_HEIGHT * 0.6, max(ys) + ROW_HEIGHT * 0.6)
    boxes = {
        node: axis.text(
            *places[node],
            _wrapped(one_line(node, 40)),
            ha="center",
            va="center",
            fontsize=8.5,
            color=COLOURS["text"],
            zorder=3,
            parse_math=False,
            bbox={"boxstyle": "round,pad=0.35", "facecolor": COLOURS["box"], "edgecolor": COLOURS["line"], "lw": 0.8},
        )
        for node in graph.nodes
    }
    axis.figure.canvas.draw()  # the boxes get their size, at which the arrows end
    for edge in graph.edges:
        axis.annotate("", places[edge.target], places[edge.source], arrowprops=_arrow(edge, boxes, places), zorder=2)


def _arrow(edge: Edge, boxes: Mapping[str, Any], places: Mapping[str, tuple[float, float]]) -> dict[str, Any]:
    flat = places[edge.source][1] == places[edge.target][1]
    styles = {"-->": "-|>", "---": "-", "<->": "<|-|>", "o->": "-|>", "o--": "-", "o-o": "-"}
    sure = edge.mark == "-->"
    return {
        "arrowstyle": styles[edge.mark],
        "linestyle": "-" if sure else (0, (4, 2)),
        "color": COLOURS["edge" if sure else "open"],
        "lw": 1.2 if edge.stability is None else 0.6 + 2.2 * edge.stability,
        "alpha": 0.9 if edge.stability is None else 0.35 + 0.65 * edge.stability,
        "mutation_scale": 11,
        "shrinkA": 0,
        "shrinkB": 0,
        "patchA": boxes[edge.source].get_bbox_patch(),
        "patchB": boxes[edge.target].get_bbox_patch(),
        "connectionstyle": f"arc3,rad={0.25 if flat else 0.06}",
    }


def _wrapped(name: str) -> str:
    """A long name on two lines, broken at the space nearest to its middle."""
    spaces = [n for n, c in enumerate(name) if c == " "]
    if len(name) <= 12 or not spaces:
        return name
    middle = min(spaces, key=lambda n: abs(n - len(name) / 2))
    return f"{name[:middle]}\n{name[middle + 1 :]}"
