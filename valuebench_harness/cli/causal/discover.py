"""``vharness causal discover``"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from valuebench_harness.cli import options
from valuebench_harness.cli.causal import output as o
from valuebench_harness.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from valuebench_harness.causal.discover import Discovery
    from valuebench_harness.causal.graph import ValueGraph
    from valuebench_harness.causal.table import OrientationTable

PICTURES = (".png", ".svg", ".pdf")


def run(
    table: Annotated[
        Path, typer.Argument(metavar="TABLE", help="Orientations (csv), as 'causal collect' writes them.")
    ],
    method: Annotated[str, typer.Option("--method", help="pc, or fci (hidden common causes allowed).")] = "pc",
    estimand: Annotated[
        str,
        typer.Option(
            "--estimand",
            help="What is tested: crossed, within (roles and settings partialled out), roles, settings (their means), "
            "or rows (every row as if independent).",
        ),
    ] = "crossed",
    published: Annotated[
        bool, typer.Option("--published", help="As Kang's pipeline: rows, and causal-learn's order of colliders.")
    ] = False,
    conflicts: Annotated[
        str,
        typer.Option("--conflicts", help="Colliders that contradict each other: stronger (wins), open, or first."),
    ] = "stronger",
    alpha: Annotated[float, typer.Option("--alpha", help="Level of each test.")] = 0.05,
    bootstraps: Annotated[
        int, typer.Option("--bootstraps", help="Samples of roles and settings behind an edge's stability.", min=0)
    ] = 200,
    settings: Annotated[
        str | None, typer.Option("--settings", help="Only rows of these, comma between, and unsteered ones. [all]")
    ] = None,
    targets: Annotated[
        Path | None,
        typer.Option(
            "--targets", help="What each setting steers (JSON, or a collection's folder): steering as an intervention."
        ),
    ] = None,
    turn: Annotated[
        bool,
        typer.Option("--turn-by-changes", help="Turn edges by what changes without what; with --targets, by pushes."),
    ] = False,
    reference: Annotated[
        list[str] | None, typer.Option("--reference", help="A graph to compare with; may be repeated.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw it, beside the references: .png, .svg or .pdf.")
    ] = None,
    all_edges: Annotated[
        bool, typer.Option("--all-edges", help="Draw all edges, not the transitive reduction.")
    ] = False,
    seed: o.Seed = 0,
    form: Annotated[
        str | None, typer.Option("--format", help="text, md, json, graphml or dot. [by --out's ending, else text]")
    ] = None,
    out: o.Out = None,
    quiet: options.Quiet = False,
) -> None:
    """Find the graph of values behind a table of orientations."""
    from valuebench_harness.causal.distances import distances
    from valuebench_harness.causal.graph_files import graph_text
    from valuebench_harness.causal.table import UNSTEERED, read_table
    from valuebench_harness.reports import causal_discover as report

    how = _how(method, estimand, published, conflicts, alpha, bootstraps, seed)
    if plot is not None and plot.suffix.lower() not in PICTURES:
        raise UsageError(f"--plot {plot}: a picture's file ends in {', '.join(PICTURES)}.")
    rows = read_table(table)
    references = o.read_references(reference, rows.values)
    chosen = o.names(settings)
    if chosen is not None:
        rows = rows.only(settings=(*((UNSTEERED,) if UNSTEERED in rows.setting_names else ()), *chosen))
    # Known pushes are held against what the unsteered rows say.
    observed = rows.only(settings=(UNSTEERED,)) if turn and targets is not None else rows
    graph = _find(observed, how, quiet)
    if turn:
        graph = _turned(graph, rows, targets, alpha, seed)
    elif targets is not None:
        graph = _pushed(graph, rows, targets, alpha, seed)
    compared = {name: distances(graph, other) for name, other in references.items()}
    if compared:
        graph.about["distances"] = {name: d.model_dump() for name, d in compared.items()}
    forms: dict[str, Callable[[], str]] = {
        "text": lambda: report.discover_text(graph, compared),
        "md": lambda: report.discover_markdown(graph, compared),
        **{name: partial(graph_text, graph, name) for name in ("json", "graphml", "dot")},
    }
    if plot is not None:
        from valuebench_harness.reports.causal_drawing import draw_graphs

        draw_graphs({"found": graph, **references}, plot, reduce=not all_edges)
        typer.echo(f"Written: {plot}", err=True)
    o.show(forms, form, out)


def _how(
    method: str, estimand: str, published: bool, conflicts: str, alpha: float, bootstraps: int, seed: int
) -> Discovery:
    from valuebench_harness.causal.discover import PUBLISHED, Discovery, Method
    from valuebench_harness.causal.independence import Estimand
    from valuebench_harness.causal.orientation import Conflicts

    if conflicts not in get_args(Conflicts):
        raise unknown_name("rule for conflicts", conflicts, get_args(Conflicts))
    if method not in get_args(Method):
        raise unknown_name("method", method, get_args(Method))
    if estimand not in get_args(Estimand):
        raise unknown_name("estimand", estimand, get_args(Estimand))
    if not 0 < alpha < 1:
        raise UsageError(f"--alpha {alpha:g} must lie between 0 and 1.")
    asked = Discovery(
        method=cast("Method", method),
        estimand=cast("Estimand", estimand),
        alpha=alpha,
        conflicts=cast("Conflicts", conflicts),
        bootstraps=bootstraps if method == "pc" else 0,
        seed=seed,
    )
    if published:
        asked = asked.model_copy(update={"estimand": PUBLISHED.estimand, "conflicts": PUBLISHED.conflicts})
    return asked


def _find(rows: OrientationTable, how: Discovery, quiet: bool) -> ValueGraph:
    from valuebench_harness.causal.discover import discover
    from valuebench_harness.harness.progress import Reporter

    with Reporter(quiet=quiet).stage("bootstrap", how.bootstraps, "samples") as advance:
        graph = discover(rows, how, progress=advance)
    if how.estimand != "rows":
        plain = discover(rows, how.model_copy(update={"method": "pc", "estimand": "rows", "bootstraps": 0}))
        graph.about["edges_if_rows_were_independent"] = len(plain.edges)
    return graph


def _turned(graph: ValueGraph, rows: OrientationTable, targets: Path | None, alpha: float, seed: int) -> ValueGraph:
    from valuebench_harness.causal.interventions import orient_by_changes, orient_by_targets, respond
    from valuebench_harness.causal.table import UNSTEERED
    from valuebench_harness.causal.targets import read_targets

    if targets is not None:
        return orient_by_targets(graph, respond(rows, read_targets(targets), seed), alpha)
    return orient_by_changes(graph, rows, [s for s in rows.setting_names if s != UNSTEERED], alpha)


def _pushed(observed: ValueGraph, rows: OrientationTable, targets: Path, alpha: float, seed: int) -> ValueGraph:
    from valuebench_harness.causal.interventions import compare, graph_of_effects, respond
    from valuebench_harness.causal.targets import read_targets

    graph = graph_of_effects(respond(rows, read_targets(targets), seed), alpha)
    graph.about["source"] = rows.source
    graph.about["against_observation"] = compare(observed, graph)
    return graph
