"""``vharness compare``"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class FailOn(StrEnum):
    """What makes the command exit with 1."""

    regression = "regression"
    never = "never"


def run(
    first: Annotated[Path, typer.Argument(help="Folder of a run, or file of a baseline: the measure.")],
    second: Annotated[Path, typer.Argument(help="Folder of the run in question, or file of a baseline.")],
    metrics: Annotated[str | None, typer.Option("--metrics", help="Ids, comma between them. [all both hold]")] = None,
    margin: Annotated[float, typer.Option("--margin", help="Harm that would not matter, as a share.")] = 0.01,
    alpha: Annotated[float, typer.Option("--alpha", help="Chance of any false 'worse'.")] = 0.05,
    fail_on: Annotated[FailOn, typer.Option("--fail-on", help="What makes the exit code 1.")] = FailOn.regression,
    output: Annotated[str, typer.Option("--format", help="text, md or json.")] = "text",
) -> None:
    """Compares two runs on the same items."""
    from valuebench_harness.harness.compare.baselines import load_baseline
    from valuebench_harness.harness.compare.flips import flips
    from valuebench_harness.harness.compare.observations import observe
    from valuebench_harness.harness.compare.verdicts import compare
    from valuebench_harness.harness.run import Run, load_run
    from valuebench_harness.reports.comparison import render_comparison

    runs: list[Run | None] = [None if path.suffix == ".json" else load_run(path).finished() for path in (first, second)]
    sides = [observe(r) if r else load_baseline(p) for r, p in zip(runs, (first, second), strict=True)]
    chosen = tuple(m.strip() for m in metrics.split(",")) if metrics else None
    comparison = compare(
        sides[0], sides[1], names=(first.stem, second.stem), metrics=chosen, margin=margin, alpha=alpha
    )
    a, b = runs
    compared = {m.metric for m in comparison.metrics} - {m.metric for m in comparison.incomparable}
    shown = [flip for flip in flips(a, b) if flip.metric in compared] if a and b else []
    typer.echo(render_comparison(comparison, shown, output))
    if fail_on is FailOn.regression and comparison.regressed:
        raise typer.Exit(1)
    if comparison.metrics and len(comparison.incomparable) == len(comparison.metrics):
        raise typer.Exit(2)
