"""``vharness robustness``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from valuebench_harness.cli import options as o


def run(
    model: o.Model = None,
    steerer: o.Steerer = None,
    values: o.Values = None,
    changes: Annotated[
        str, typer.Option("--changes", help="How items are changed, comma between them.")
    ] = "role,counter,lower,upper",
    role: Annotated[str | None, typer.Option("--role", help="System prompt of the change 'role'. [a nurse]")] = None,
    rewordings: Annotated[
        Path | None, typer.Option("--rewordings", help="JSONL with 'id' and 'text' of every dilemma in other words.")
    ] = None,
    direction: o.Direction = None,
    strength: o.Strength = None,
    layers: o.Layers = None,
    settings: o.Set = None,
    tasks: Annotated[
        str | None, typer.Option("--tasks", help="Tasks with dilemmas, comma between them. [the values' own]")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", help="At most so many items of each task and value.")] = None,
    n_samples: Annotated[int | None, typer.Option("--n-samples", help="Answers an item, sampled above 1. [1]")] = None,
    max_new_tokens: o.MaxNewTokens = None,
    seed: o.Seed = None,
    batch_size: o.BatchSize = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="YAML with the keys of 'vharness eval'; options win.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder of the runs and reports. [vharness-runs/...]")
    ] = None,
    output: Annotated[str, typer.Option("--format", help="text, md or json.")] = "text",
    quiet: o.Quiet = False,
) -> None:
    """Says how much of a steering effect stays when the same items are asked another way."""
    options = locals()
    from valuebench_harness.harness.config import load_config, make_config
    from valuebench_harness.harness.progress import Reporter
    from valuebench_harness.harness.robustness import ROLE, plan_robustness, run_robustness
    from valuebench_harness.reports.robustness import check_format, render_robustness, write_robustness

    check_format(output)
    from_file: dict[str, Any] = load_config(config) if config else {}
    plan = plan_robustness(
        make_config(**o.merged(from_file, o.given(options))),
        changes=[c.strip().lower() for c in changes.split(",") if c.strip()],
        role=role or ROLE,
        rewordings=rewordings,
    )
    folder = out or plan.default_folder
    report = Reporter(quiet=quiet)
    found = run_robustness(plan, folder, report)
    files = write_robustness(found, folder)
    typer.echo(render_robustness(found, output))
    report.note(f"Runs: {folder}   report: {files['md']}")
