"""The report of ``vharness causal advise``."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence

from valuebench_harness.causal.advise import Advice, Wish
from valuebench_harness.causal.estimates import Estimate
from valuebench_harness.causal.graph import ValueGraph
from valuebench_harness.reports.causal_discover import left_out
from valuebench_harness.reports.clean import one_line
from valuebench_harness.reports.markdown import sections_markdown
from valuebench_harness.reports.numbers import NONE
from valuebench_harness.reports.table import Cell, Column, Section, Table
from valuebench_harness.reports.text import sections_text

TITLE = "Which setting to use"
NAME_LENGTH = 28


def advise_text(rows: Sequence[Advice], wish: Wish, graph: ValueGraph, top: int) -> str:
    """For a terminal."""
    return sections_text(advise_sections(rows, wish, graph, top))


def advise_markdown(rows: Sequence[Advice], wish: Wish, graph: ValueGraph, top: int) -> str:
    """GitHub's Markdown."""
    return sections_markdown(TITLE, advise_sections(rows, wish, graph, top))


def advise_json(rows: Sequence[Advice], wish: Wish, graph: ValueGraph) -> str:
    """All rows, in their order, and the graph that foretells."""
    content = {"wish": wish.model_dump(), "graph": graph.model_dump(), "ranking": [row.model_dump() for row in rows]}
    return json.dumps(content, indent=1)


def advise_csv(rows: Sequence[Advice], wish: Wish) -> str:
    """One row a setting or role."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    ends = ("estimate", "low", "high")
    head = ["rank", "kind", "name", "works", "harms", "predicted_rank", "predicted"]
    head += [f"measured_{end}" for end in ends]
    for value in wish.keep:
        head += [f"{value}:verdict", f"{value}:predicted", *(f"{value}:measured_{end}" for end in ends)]
    writer.writerow(head)
    for rank, row in enumerate(rows, 1):
        cells: list[object] = [rank, row.kind, row.name, row.works, row.harms, row.predicted_rank, row.predicted]
        cells += [getattr(row.measured, end) for end in ends]
        for value in wish.keep:
            kept = row.kept[value]
            cells += [kept.verdict, kept.predicted, *(getattr(kept.measured, end) for end in ends)]
        writer.writerow(cells)
    return out.getvalue()


def advise_sections(rows: Sequence[Advice], wish: Wish, graph: ValueGraph, top: int) -> Iterator[Section]:
    """The parts of the report."""
    wanted = [f"raise {one_line(v, NAME_LENGTH)}" for v in wish.up]
    wanted += [f"lower {one_line(v, NAME_LENGTH)}" for v in wish.down]
    wanted += [f"keep {one_line(v, NAME_LENGTH)}" for v in wish.keep]
    working, harming = sum(r.works for r in rows), sum(r.harms for r in rows)
    columns = (
        Column("setting or role", right=False),
        Column("verdict", right=False),
        Column("wanted change\nmeasured"),
        Column("fore-\ntold", full="wanted change foretold", spare=1),
        Column("place\nforetold", spare=2),
        *(Column(one_line(v, NAME_LENGTH)) for v in wish.keep),
    )
    shown = tuple(_row(row, wish) for row in rows[:top])
    yield Section(
        "advice",
        TITLE,
        (
            f"Wish: {', '.join(wanted)}. Of {len(rows)} settings and roles {working} do it, {harming} do harm, "
            f"of the others {len(rows) - working - harming} the held-out answers cannot tell.",
        ),
        Table(columns, shown),
        (
            "Changes of the mean orientation, which lies in [-1, 1], on held-out items; 95% intervals (roles of a "
            f"setting, or settings of a role, resampled). Kept: the interval lies within ±{wish.margin:g}.",
            "Foretold: by the graph from the training answers. The best of many measured settings looks better than "
            "it is; confirm it on answers of its own.",
            *left_out(graph.about),
        ),
    )


def _row(row: Advice, wish: Wish) -> tuple[Cell, ...]:
    verdict = "works" if row.works else "harms" if row.harms else "unclear"
    name = one_line(row.name, NAME_LENGTH)
    return (
        Cell(f"role {name}" if row.kind == "role" else name),
        Cell(verdict, mark="best" if row.works else "" if row.harms else "unclear"),
        Cell(change(row.measured)),
        Cell(signed(row.predicted)),
        Cell(NONE if row.predicted_rank is None else str(row.predicted_rank)),
        *(Cell(f"{signed(row.kept[value].measured.estimate)} {row.kept[value].verdict}") for value in wish.keep),
    )


def signed(x: float | None) -> str:
    """Two places with the sign."""
    return NONE if x is None else f"{x:+.2f}"


def change(estimate: Estimate) -> str:
    """``+0.21 [+0.10, +0.33]``"""
    if estimate.low is None or estimate.high is None:
        return signed(estimate.estimate)
    return f"{signed(estimate.estimate)} [{signed(estimate.low)}, {signed(estimate.high)}]"
