"""``vharness priority``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from valuebench_harness.cli import options as o


def run(
    model: o.Model = None,
    model_url: o.ModelUrl = None,
    steerer: o.Steerer = None,
    values: o.Values = None,
    guidance: Annotated[
        str, typer.Option("--guidance", help="What the prompt says: positive, negative; none is always run.")
    ] = "positive,negative,none",
    guide: Annotated[
        str, typer.Option("--guide", help="The prompt method that guides; its settings are --set GUIDE.KEY=VALUE.")
    ] = "ica",
    margin: Annotated[float, typer.Option("--margin", help="Loss of control that would matter, as a share.")] = 0.05,
    direction: o.Direction = None,
    strength: o.Strength = None,
    layers: o.Layers = None,
    settings: o.Set = None,
    gate: o.Gate = None,
    gate_settings: o.GateSet = None,
    context_controlled: o.Controlled = None,
    value_system: o.ValueSystem = None,
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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be asked, and stop.")] = False,
    output: Annotated[str, typer.Option("--format", help="text, md, json, html or svg.")] = "text",
    quiet: o.Quiet = False,
) -> None:
    """Sets a prompt against a steering method, on the same items."""
    options = locals()
    from valuebench_harness.harness.config import load_config, make_config
    from valuebench_harness.harness.priority import parse_guidance, plan_priority, run_priority
    from valuebench_harness.harness.progress import Reporter
    from valuebench_harness.reports.priority import check_format, render_priority, write_priority

    check_format(output)
    from_file: dict[str, Any] = load_config(config) if config else {}
    whole = make_config(**o.merged(from_file, o.given(options)))
    plan = plan_priority(whole, guide=guide, guidances=parse_guidance(guidance), margin=margin)
    folder = out or plan.default_folder
    if dry_run:
        from valuebench_harness.cli.dry_run import show

        for cell, its_plan in plan.plans.items():
            show(its_plan, folder / plan.folder(cell))
            typer.echo()
        return
    report = Reporter(quiet=quiet)
    priority = run_priority(plan, folder, report)
    files = write_priority(priority, folder)
    typer.echo(render_priority(priority, output))
    report.note(f"Runs: {folder}   page: {files['html']}")
    if priority.unscored_share > whole.max_unscored:
        typer.secho(
            f"{priority.unscored} of {priority.verdicts} verdicts are unscored ({priority.unscored_share:.1%}, at most "
            f"{whole.max_unscored:.1%} are let pass). Another judge may score them: 'judge' in --config.",
            err=True,
            fg=typer.colors.YELLOW,
        )
        raise typer.Exit(3)
