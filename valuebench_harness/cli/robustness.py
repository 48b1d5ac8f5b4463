"""``vharness robustness``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from valuebench_harness.cli import options as o
from valuebench_harness.errors import UsageError

if TYPE_CHECKING:
    from valuebench_harness.harness.generate.ask import WriterSettings


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
    reword_with: Annotated[
        str | None,
        typer.Option("--reword-with", metavar="openai:NAME", help="Have a model write the dilemmas in other words."),
    ] = None,
    reword_url: Annotated[
        str | None, typer.Option("--reword-url", help="Address of that model's server. [OPENAI_BASE_URL]")
    ] = None,
    reword_set: Annotated[
        list[str] | None,
        typer.Option("--reword-set", metavar="KEY=VALUE", help="max_calls, max_tokens, temperature, templates, ..."),
    ] = None,
    sizes: Annotated[
        str | None,
        typer.Option("--pairs", help="Fit on so many training pairs as well, comma between: 10,25,50,100."),
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
    """Says how much of a steering effect stays when items are asked another way, or training pairs are few."""
    options = locals()
    from valuebench_harness.harness.config import load_config, make_config
    from valuebench_harness.harness.progress import Reporter
    from valuebench_harness.harness.robustness.changes import ROLE, parse_sizes
    from valuebench_harness.harness.robustness.plan import plan_robustness
    from valuebench_harness.harness.robustness.run import run_robustness
    from valuebench_harness.reports.robustness import check_format, render_robustness, write_robustness

    check_format(output)
    from_file: dict[str, Any] = load_config(config) if config else {}
    whole = make_config(**o.merged(from_file, o.given(options)))
    plan = plan_robustness(
        whole,
        changes=[c.strip().lower() for c in changes.split(",") if c.strip()],
        role=role or ROLE,
        sizes=parse_sizes(sizes or ""),
        rewordings=rewordings,
        writer=_writer(reword_with, reword_url, reword_set),
    )
    folder = out or plan.default_folder
    report = Reporter(quiet=quiet)
    found = run_robustness(plan, folder, report)
    files = write_robustness(found, folder)
    typer.echo(render_robustness(found, output))
    report.note(f"Runs: {folder}   report: {files['md']}")
    usual = found.kept[0]
    asked = usual.unsteered.n + usual.steered.n
    if usual.unscored > whole.max_unscored * asked:
        typer.secho(
            f"{usual.unscored} of {asked} answers to the items as they are lack a verdict (at most "
            f"{whole.max_unscored:.1%} are let pass). Another judge may score them: 'judge' in --config.",
            err=True,
            fg=typer.colors.YELLOW,
        )
        raise typer.Exit(3)


def _writer(name: str | None, url: str | None, pairs: list[str] | None) -> WriterSettings | None:
    """The model that rewords; ``None`` where none is named."""
    from valuebench_harness.harness.generate.ask import writer_settings
    from valuebench_harness.harness.remote import REMOTE

    if name is None:
        if url or pairs:
            raise UsageError("--reword-url and --reword-set are for the model that --reword-with names: give it too.")
        return None
    if not name.startswith(REMOTE) or name == REMOTE:
        raise UsageError(
            f"--reword-with '{name}': write openai:NAME, the model NAME of an OpenAI-compatible server, such as "
            "openai:gpt-4o-mini."
        )
    given: dict[str, Any] = o.parse_settings(pairs, "--reword-set") if pairs else {}
    given |= {"model": name.removeprefix(REMOTE)} | ({"base_url": url} if url is not None else {})
    return writer_settings(given, "--reword-set")
