"""``vharness eval``"""

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
    direction: o.Direction = None,
    strength: o.Strength = None,
    tune: Annotated[
        bool | None,
        typer.Option("--tune", help="Choose each value's strength on one half of the dilemmas, report on the other."),
    ] = None,
    tune_target: Annotated[
        float | None,
        typer.Option("--tune-target", help="With --tune: least strength with this share of successes."),
    ] = None,
    match_kl: Annotated[
        float | None,
        typer.Option("--match-kl", help="Choose each strength so that KL from the base is so many nats a token."),
    ] = None,
    layers: o.Layers = None,
    settings: o.Set = None,
    gate: o.Gate = None,
    gate_settings: o.GateSet = None,
    context_controlled: o.Controlled = None,
    pairs: o.Pairs = None,
    value_system: o.ValueSystem = None,
    tasks: Annotated[
        str | None, typer.Option("--tasks", help="Tasks, comma between them; see 'vharness ls tasks'.")
    ] = None,
    include_path: Annotated[
        Path | None, typer.Option("--include-path", help="Folder with lm-eval tasks of your own.")
    ] = None,
    judge: Annotated[
        str | None, typer.Option("--judge", help="A judge, or several joined by +; see docs/judges.md. [the family's]")
    ] = None,
    judge_model: Annotated[str | None, typer.Option("--judge-model", help="Model of the openai or hf judge.")] = None,
    judge_url: Annotated[
        str | None, typer.Option("--judge-url", help="Address of an OpenAI-compatible server.")
    ] = None,
    split: Annotated[str | None, typer.Option("--split", help="test, or select for choosing strengths. [test]")] = None,
    limit: Annotated[int | None, typer.Option("--limit", help="At most so many items of each task and value.")] = None,
    n_samples: Annotated[int | None, typer.Option("--n-samples", help="Answers an item, sampled above 1. [1]")] = None,
    temperature: Annotated[float | None, typer.Option("--temperature", help="[0 for one sample, else 1]")] = None,
    max_new_tokens: o.MaxNewTokens = None,
    seed: o.Seed = None,
    system_prompt: o.SystemPrompt = None,
    revision: o.Revision = None,
    dtype: o.Dtype = None,
    device_map: o.DeviceMap = None,
    quantization: o.Quantization = None,
    trust_remote_code: o.TrustRemoteCode = None,
    blocks: o.Blocks = None,
    batch_size: o.BatchSize = None,
    max_unscored: Annotated[
        float | None,
        typer.Option("--max-unscored", help="Share of unscored answers above which to exit with 3. [0.01]"),
    ] = None,
    report: o.Report = None,
    graph: o.Graph = None,
    config: Annotated[Path | None, typer.Option("--config", "-c", help="YAML with the same keys; options win.")] = None,
    out: o.Out = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished run.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be asked, and stop.")] = False,
    output: Annotated[str, typer.Option("--format", help="text, json, md, csv, html or tex.")] = "text",
    quiet: o.Quiet = False,
) -> None:
    """Measures a steering method beside the unsteered model."""
    options = locals()
    from valuebench_harness.harness.config import load_config, make_config
    from valuebench_harness.harness.plan import default_folder, make_plan
    from valuebench_harness.harness.progress import Reporter
    from valuebench_harness.harness.session import execute
    from valuebench_harness.reports.registry import check_format, render, write_all

    check_format(output)
    values_from_file: dict[str, Any] = load_config(config) if config else {}
    judge_settings = {k: v for k, v in (("model", judge_model), ("base_url", judge_url)) if v is not None}
    chosen = o.given(options, judge_settings=judge_settings or None)
    plan = make_plan(make_config(**o.merged(values_from_file, chosen)))
    folder = out or default_folder(plan)
    if dry_run:
        from valuebench_harness.cli.dry_run import show

        show(plan, folder)
        return
    progress = Reporter(quiet=quiet)
    # Without --out the folder's name holds the configuration's hash: an unfinished run there is this one.
    finished = execute(plan, folder, resume=resume, report=progress)
    files = write_all(finished)
    typer.echo(render(finished, output))
    progress.note(f"Run: {folder}   page: {files['html']}")
    results = finished.results
    if results.unscored_share > plan.config.max_unscored:
        reasons = "; ".join(f"{n} x {why}" for why, n in list(results.unscored_reasons.items())[:3])
        typer.secho(
            f"{results.unscored} of {results.verdicts} verdicts are unscored ({results.unscored_share:.1%}, at most "
            f"{plan.config.max_unscored:.1%} are let pass): {reasons}. Another judge may score them (--judge openai).",
            err=True,
            fg=typer.colors.YELLOW,
        )
        raise typer.Exit(3)
