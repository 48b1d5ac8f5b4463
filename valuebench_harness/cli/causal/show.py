"""``vharness causal show``"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from valuebench_harness.cli.causal import output as o
from valuebench_harness.errors import UsageError


def run(
    score: Annotated[
        Path, typer.Argument(metavar="SCORE", help="What 'vharness causal score --out score.json' wrote.")
    ],
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw the graph beside the references: .png, .svg or .pdf.")
    ] = None,
    figures: o.Figures = None,
    form: Annotated[
        str | None, typer.Option("--format", help="html, text, json, csv or md. [by --out's ending, else html]")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write to this file. [SCORE with .html]")] = None,
) -> None:
    """Show a score again: a page on which a click on a value tells what should move and what did."""
    from pydantic import ValidationError

    from valuebench_harness.causal.score import Score
    from valuebench_harness.data.reading import explain, read_text
    from valuebench_harness.reports import causal_score as report
    from valuebench_harness.reports.causal_page import render_score

    try:
        found = Score.model_validate_json(read_text(score, "score"))
    except ValidationError as error:
        raise UsageError(f"{score}: not a score of 'vharness causal score --format json' ({explain(error)}).") from None
    if plot is not None:
        from valuebench_harness.reports.causal_drawing import draw_graphs

        draw_graphs({"this graph": found.graph, **found.reference_graphs}, plot)
        typer.echo(f"Written: {plot}", err=True)
    if figures is not None:
        from valuebench_harness.reports.causal_figures import write_figures

        typer.echo(f"Written: {', '.join(map(str, write_figures(found, figures)))}", err=True)
    forms: dict[str, Callable[[], str]] = {
        "html": lambda: render_score(found),
        "text": lambda: report.score_text(found),
        "json": lambda: found.model_dump_json(indent=1),
        "csv": lambda: report.score_csv(found),
        "md": lambda: report.score_markdown(found),
    }
    if form is None and out is None:
        out = score.with_suffix(".html")
    o.show(forms, form, out, default="html")
