"""``vharness causal score``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from valuebench_harness.cli.causal import output as o


def run(
    train: Annotated[Path, typer.Option("--train", help="Orientations of the training roles (csv).")],
    test: Annotated[Path, typer.Option("--test", help="Orientations of the test roles (csv).")],
    graph_features: Annotated[
        str | None,
        typer.Option(
            "--graph-features", help="Settings the graph is found from and is to foretell, comma between. [all]"
        ),
    ] = None,
    sae_role: Annotated[
        str | None, typer.Option("--sae-role", help="Measure changes by settings on this role alone. [all roles]")
    ] = None,
    baseline_role: Annotated[
        str | None, typer.Option("--baseline-role", help="Role that role prompts are compared with. [first named]")
    ] = None,
    graph: Annotated[
        str | None,
        typer.Option("--graph", help="Graph to score, FILE or FILE:NAME. [found in --train as published: PC at 0.05]"),
    ] = None,
    reference: Annotated[
        list[str] | None, typer.Option("--reference", help="Another graph to score beside it; may be repeated.")
    ] = None,
    targets: Annotated[
        Path | None,
        typer.Option("--targets", help="What settings are aimed at (JSON, or a collection's folder): Table 3 as well."),
    ] = None,
    answers: Annotated[
        Path | None, typer.Option("--answers", help="A collection's answers.parquet: Table 2 and consistency as well.")
    ] = None,
    figures: o.Figures = None,
    seed: o.Seed = 0,
    form: Annotated[
        str | None, typer.Option("--format", help="text, json, csv or md. [by --out's ending, else text]")
    ] = None,
    out: o.Out = None,
) -> None:
    """Score settings and a graph on held-out roles and questions (Kang's Tables 1, 4, 5 and Figures 4 to 7)."""
    from valuebench_harness.causal.answers import answer_consistency
    from valuebench_harness.causal.graph_files import read_graph
    from valuebench_harness.causal.score import score
    from valuebench_harness.causal.table import read_table
    from valuebench_harness.causal.targets import read_targets
    from valuebench_harness.reports import causal_score as report
    from valuebench_harness.reports.causal_figures import write_figures
    from valuebench_harness.reports.pictures import check_drawing

    if figures is not None:
        check_drawing()
    trained, tested = read_table(train), read_table(test)
    found = score(
        trained,
        tested,
        o.names(graph_features),
        sae_role,
        None if graph is None else read_graph(graph, trained.values),
        o.read_references(reference, trained.values),
        baseline_role,
        None if targets is None else read_targets(targets),
        seed,
    )
    if answers is not None:
        found = found.model_copy(update={"answers": answer_consistency(answers)})
    if figures is not None:
        typer.echo(f"Written: {', '.join(map(str, write_figures(found, figures)))}", err=True)
    forms = {
        "text": lambda: report.score_text(found),
        "json": lambda: found.model_dump_json(indent=1),
        "csv": lambda: report.score_csv(found),
        "md": lambda: report.score_markdown(found),
    }
    o.show(forms, form, out)
