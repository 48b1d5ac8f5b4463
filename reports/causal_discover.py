"""The report of ``vharness causal discover``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from valuebench_harness.causal.distances import Agreement, Distances
from valuebench_harness.causal.graph import ValueGraph
from valuebench_harness.reports.clean import one_line
from valuebench_harness.reports.markdown import sections_markdown
from valuebench_harness.reports.numbers import NONE, percent
from valuebench_harness.reports.table import Column, Section, Table, cells
from valuebench_harness.reports.text import sections_text

TITLE = "Which value moves which"
NAME_LENGTH = 32

ESTIMANDS = {
    "crossed": "roles and settings crossed, tested at the sample size they are worth",
    "within": "roles and settings partialled out",
    "roles": "means of the roles",
    "settings": "means of the settings",
    "rows": "every row as if independent",
}
MARKS = {
    "-->": "cause and effect",
    "---": "direction unknown",
    "<->": "claimed both ways, or a common cause",
    "o->": "cause, or a common cause",
    "o--": "direction unknown",
    "o-o": "nothing known of the direction",
}


def discover_text(graph: ValueGraph, compared: dict[str, Distances]) -> str:
    """For a terminal."""
    return sections_text(discover_sections(graph, compared))


def discover_markdown(graph: ValueGraph, compared: dict[str, Distances]) -> str:
    """GitHub's Markdown."""
    return sections_markdown(TITLE, discover_sections(graph, compared))


def discover_sections(graph: ValueGraph, compared: dict[str, Distances]) -> Iterator[Section]:
    """The parts of the report."""
    yield _edges(graph)
    if compared:
        yield _distances(compared)


def _edges(graph: ValueGraph) -> Section:
    about = graph.about
    columns: tuple[Column, ...] = (
        Column("edge", right=False),
        Column("found again"),
        Column("this way"),
    )
    ordered = sorted(graph.edges, key=lambda e: (-(e.stability or 0), e.source, e.target))
    rows = tuple(
        cells(
            f"{one_line(e.source, NAME_LENGTH)} {e.mark} {one_line(e.target, NAME_LENGTH)}",
            percent(e.stability),
            percent(e.direction_stability),
        )
        for e in ordered
    )
    remarks = list(left_out(about))
    if marks := ", ".join(f"{mark} {meaning}" for mark, meaning in MARKS.items() if mark in {e.mark for e in ordered}):
        remarks.append(f"{marks}.")
    if any(e.stability is not None for e in graph.edges):
        remarks.append(
            "Found again: share of bootstrap samples of roles and settings with the edge; this way: of these, the "
            "share with this direction."
        )
    if not graph.edges:
        rows = (cells("no edge", NONE, NONE),)
    return Section("edges", TITLE, tuple(_method(graph)), Table(columns, rows), tuple(remarks))


def _method(graph: ValueGraph) -> Iterator[str]:
    about: dict[str, Any] = dict(graph.about)
    found = f"{len(graph.edges)} edges among {len(graph.nodes)} values"
    if "estimand" in about:
        yield (f"{found}, by {about['method'].upper()} at {about['alpha']:g}: {ESTIMANDS[about['estimand']]}.")
        yield (
            f"{about['rows']:,} rows of {about['roles']} roles and {about['settings']} settings are worth about "
            f"{about['effective_rows']:,.0f} independent rows to these tests."
        )
        if plain := about.get("edges_if_rows_were_independent"):
            yield f"With every row counted as independent, PC would report {plain} edges."
    else:
        yield f"{found}, by {about.get('method', 'an unknown method')}; {about.get('roles', '?')} roles."
    if told := about.get("against_observation"):
        counts = ", ".join(f"{len(edges)} {kind}" for kind, edges in told.items())
        yield f"Against the graph from observation alone: {counts}."


def left_out(about: Mapping[str, Any]) -> Iterator[str]:
    """What a graph was found without: values that no search can use, and rows with a missing orientation."""
    if out := about.get("values_left_out"):
        named = "; ".join(f"{one_line(value, NAME_LENGTH)} ({one_line(why, 60)})" for value, why in out.items())
        yield f"Values left out of the graph: {named}."
    if rows := about.get("rows_left_out"):
        yield f"Rows left out of the search because an orientation is missing: {rows}."


def _distances(compared: dict[str, Distances]) -> Section:
    columns = (
        Column("reference", right=False),
        Column("SHD"),
        Column("SID"),
        Column("adjacency\nF1"),
        Column("direction\nF1"),
        Column("reachability\nF1"),
    )
    rows = tuple(
        cells(
            one_line(name, NAME_LENGTH),
            str(d.shd),
            NONE if d.sid is None else str(d.sid),
            _f1(d.adjacency),
            _f1(d.direction),
            _f1(d.reachability),
        )
        for name, d in compared.items()
    )
    notes = tuple(
        f"No SID for {one_line(n, NAME_LENGTH)}: {one_line(d.sid_note, 100)}."
        for n, d in compared.items()
        if d.sid_note
    )
    return Section(
        "distances",
        "How far from other graphs",
        (),
        Table(columns, rows),
        ("SHD: pairs of values between which the two differ. SID: pairs whose effect is predicted wrongly.", *notes),
    )


def _f1(agreement: Agreement) -> str:
    return NONE if agreement.f1 is None else f"{agreement.f1:.2f}"
