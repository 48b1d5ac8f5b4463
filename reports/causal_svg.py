"""Where lines and boxes of a page's graphs and charts go; the templates draw them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from valuebench_harness.causal.graph import ValueGraph
from valuebench_harness.causal.layout import layered
from valuebench_harness.reports.clean import one_line

COLUMN, ROW = 118.0, 74.0
BOX_WIDTH, BOX_HEIGHT = 104.0, 34.0
MARGIN = 12.0
ARC_ROOM = 26.0
"""Above the first row, for the arcs between values of one row."""
NAME_LENGTH = 40
LINE_LENGTH = 15
PIE_RADIUS = 20.0


@dataclass(frozen=True)
class Box:
    """A value: its centre, and its name on one or two lines."""

    value: str
    x: float
    y: float
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Line:
    """An edge as an SVG path; the arrowheads that it bears."""

    source: str
    target: str
    path: str
    kind: str
    start: bool
    end: bool
    width: float
    title: str


@dataclass(frozen=True)
class Drawing:
    """A graph: everything in user units."""

    title: str
    note: str
    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


def drawing(title: str, graph: ValueGraph) -> Drawing:
    """The transitive reduction of a graph, causes above effects."""
    reduced = graph.reduced()
    places = layered(reduced)
    left, top = min(x for x, _ in places.values()), min(y for _, y in places.values())
    at = {
        node: ((x - left) * COLUMN + BOX_WIDTH / 2 + MARGIN, (y - top) * ROW + BOX_HEIGHT / 2 + MARGIN + ARC_ROOM)
        for node, (x, y) in places.items()
    }
    shown = f"{len(reduced.edges)} of its {len(graph.edges)} edges (the others follow from paths)"
    return Drawing(
        title=one_line(title, NAME_LENGTH),
        note=shown if len(reduced.edges) < len(graph.edges) else f"{len(graph.edges)} edges",
        width=max(x for x, _ in at.values()) + BOX_WIDTH / 2 + MARGIN,
        height=max(y for _, y in at.values()) + BOX_HEIGHT / 2 + MARGIN,
        boxes=tuple(Box(node, *at[node], name_lines(node)) for node in reduced.nodes),
        lines=tuple(
            Line(
                e.source,
                e.target,
                _path(at[e.source], at[e.target]),
                "sure" if e.mark == "-->" else "open",
                start=e.mark == "<->",
                end=e.mark in {"-->", "<->", "o->"},
                width=1.4 if e.stability is None else 0.8 + 2.4 * e.stability,
                title=f"{one_line(e.source, NAME_LENGTH)} {e.mark} {one_line(e.target, NAME_LENGTH)}"
                + ("" if e.stability is None else f", found again in {e.stability:.0%} of bootstrap samples"),
            )
            for e in reduced.edges
        ),
    )


def name_lines(name: str) -> tuple[str, ...]:
    """A name on at most two lines of a box."""
    name = one_line(name, NAME_LENGTH)
    if len(name) <= LINE_LENGTH:
        return (name,)
    spaces = [n for n, c in enumerate(name) if c == " "] or [LINE_LENGTH]
    middle = min(spaces, key=lambda n: abs(n - len(name) / 2))
    return tuple(one_line(part.strip(), LINE_LENGTH + 1) for part in (name[:middle], name[middle:]))


def _path(a: tuple[float, float], b: tuple[float, float]) -> str:
    """From box to box; in one row as an arc over what lies between."""
    if a[1] == b[1]:
        lift = min(BOX_HEIGHT / 2 + 14, 10 + abs(a[0] - b[0]) / 12)
        middle = ((a[0] + b[0]) / 2, a[1] - BOX_HEIGHT / 2 - lift)
        start, end = ((x, y - BOX_HEIGHT / 2) for x, y in (a, b))
        return f"M{start[0]:.1f} {start[1]:.1f}Q{middle[0]:.1f} {middle[1]:.1f} {end[0]:.1f} {end[1]:.1f}"
    start, end = _edge_of_box(a, b), _edge_of_box(b, a)
    return f"M{start[0]:.1f} {start[1]:.1f}L{end[0]:.1f} {end[1]:.1f}"


def _edge_of_box(inside: tuple[float, float], towards: tuple[float, float]) -> tuple[float, float]:
    dx, dy = towards[0] - inside[0], towards[1] - inside[1]
    share = min(BOX_WIDTH / 2 / abs(dx) if dx else math.inf, (BOX_HEIGHT / 2 + 1) / abs(dy) if dy else math.inf)
    return inside[0] + dx * share, inside[1] + dy * share


def pie(shares: tuple[float, ...]) -> tuple[str, ...]:
    """Sectors of a circle around 0, from the top clockwise, one path a share; empty for none."""
    paths, turn = [], 0.0
    for share in shares:
        if share <= 0:
            paths.append("")
        elif share >= 1 - 1e-9:
            r = PIE_RADIUS
            paths.append(f"M0 {-r}A{r} {r} 0 1 1 0 {r}A{r} {r} 0 1 1 0 {-r}Z")
        else:
            (x0, y0), (x1, y1) = (_rim(turn), _rim(turn + share))
            large = int(share > 0.5)
            paths.append(f"M0 0L{x0:.2f} {y0:.2f}A{PIE_RADIUS} {PIE_RADIUS} 0 {large} 1 {x1:.2f} {y1:.2f}Z")
        turn += share
    return tuple(paths)


def _rim(turn: float) -> tuple[float, float]:
    return PIE_RADIUS * math.sin(2 * math.pi * turn), -PIE_RADIUS * math.cos(2 * math.pi * turn)
