"""``vharness report``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from valuebench_harness.cli import options as o
from valuebench_harness.errors import UsageError

SUFFIXES = {".json": "json", ".md": "md", ".csv": "csv", ".html": "html", ".tex": "tex", ".txt": "text"}


def run(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run; see 'vharness ls runs'.")],
    output: Annotated[
        str | None, typer.Option("--format", help="text, json, md, csv, html or tex. [by --out's ending, else text]")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write to this file instead.")] = None,
    figures: Annotated[
        Path | None, typer.Option("--figures", help="Draw every figure as PNG and SVG into this folder.")
    ] = None,
    reports: o.Report = None,
    graph: o.Graph = None,
) -> None:
    """Shows a stored run; the model is not needed."""
    from valuebench_harness.harness.causal_report import add_causal_report, wants_causal
    from valuebench_harness.harness.config import make_config
    from valuebench_harness.harness.run import load_run
    from valuebench_harness.reports.registry import check_format, render, write_all

    chosen = output or SUFFIXES.get(out.suffix.lower() if out else "", "text")
    check_format(chosen)
    causal = wants_causal(make_config(report=reports or ()).report, graph)
    stored = load_run(folder)
    if causal:
        stored = add_causal_report(stored, graph)
        write_all(stored)
    text = render(stored, chosen)
    if figures is not None:
        from valuebench_harness.reports.run_figures import write_figures

        typer.echo(f"Written: {', '.join(map(str, write_figures(stored, figures)))}", err=True)
    if out is None:
        typer.echo(text)
        return
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}.") from error
    typer.echo(f"Written: {out}", err=True)
