"""``vharness leaderboard``"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from valuebench_harness.cli import options as o
from valuebench_harness.errors import IncompleteError, UsageError

CHOICES = frozenset({"tune", "tune_target", "match_kl", "strength"})
"""Keys that choose a strength."""

RANDOM = "random"
FILES = ("md", "csv", "json", "html")


def run(
    runs: Annotated[list[Path] | None, typer.Argument(metavar="[RUNS]...", help="Folders of finished runs.")] = None,
    steerers: Annotated[
        str | None, typer.Option("--steerers", "-s", help="Methods to run first, comma between them.")
    ] = None,
    models: Annotated[str | None, typer.Option("--models", "-m", help="On these models. [mini]")] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="YAML with the keys of 'vharness eval', for all of them.")
    ] = None,
    values: o.Values = None,
    limit: Annotated[int | None, typer.Option("--limit", help="At most so many items of each task and value.")] = None,
    tune: Annotated[
        bool | None, typer.Option("--tune", help="Choose strengths on other items first.", show_default=False)
    ] = None,
    match_kl: Annotated[
        float | None, typer.Option("--match-kl", help="Compare at this KL from the base, in nats a token.")
    ] = None,
    seed: o.Seed = None,
    floor: Annotated[
        bool, typer.Option("--floor/--no-floor", help="Run random:METHOD beside each method that has directions.")
    ] = True,
    workers: Annotated[
        int, typer.Option("--workers", help="Evaluations that run at once, each in a process with a model of its own.")
    ] = 1,
    only: Annotated[
        str | None, typer.Option("--only", help="Show only models and methods whose name holds this.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write leaderboard.md, .csv, .json and .html into this folder.")
    ] = None,
    check: Annotated[
        Path | None, typer.Option("--check", help="Compare with this leaderboard.json; exit with 1 where it is stale.")
    ] = None,
    tolerance: Annotated[float, typer.Option("--tolerance", help="Of rates, with --check.")] = 0.02,
    output: Annotated[str, typer.Option("--format", help="text, md, csv, json or html.")] = "text",
    quiet: o.Quiet = False,
) -> None:
    """Ranks methods on the same items."""
    from valuebench_harness.harness.leaderboard.board import make_leaderboard, read_leaderboard, stale
    from valuebench_harness.harness.store import write_atomically
    from valuebench_harness.reports.leaderboard import check_leaderboard_format, narrowed, render_leaderboard

    check_leaderboard_format(output)
    stored = read_leaderboard(check) if check else None
    keys = {"values": values, "limit": limit, "tune": tune, "match_kl": match_kl, "seed": seed}
    shared = {key: value for key, value in keys.items() if value is not None}
    methods = _with_floors(_names(steerers)) if floor else _names(steerers)
    evaluated = _evaluate(methods, _names(models) or ["mini"], config, shared, workers=workers, quiet=quiet)
    folders = [*(runs or []), *evaluated]
    if not folders:
        raise UsageError("Name runs, or methods to run: vharness leaderboard --steerers ica,caa,conva --models mini.")
    try:
        leaderboard = make_leaderboard(folders)
    except UsageError as error:
        if evaluated:  # nothing was wrong with the command; what was run did not give numbers that count
            raise IncompleteError(str(error)) from error
        raise
    if stored is not None:
        differences = stale(stored, leaderboard, tolerance=tolerance)
        for difference in differences:
            typer.secho(f"stale: {difference}", err=True, fg=typer.colors.RED)
        typer.echo(f"{check} is {'stale' if differences else 'current'}.")
        raise typer.Exit(1 if differences else 0)
    shown = narrowed(leaderboard, only) if only else leaderboard
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            write_atomically(out / f"leaderboard.{name}", render_leaderboard(shown, name))
    typer.echo(render_leaderboard(shown, output))


def _fitting(steerer: str, keys: dict[str, Any]) -> dict[str, Any]:
    """The keys without the choice of a strength, for methods that are only on or off."""
    from valuebench_harness.steerers.registry import make_steerer

    if make_steerer(steerer).strengths != "switch":
        return keys
    return {key: value for key, value in keys.items() if key not in CHOICES}


def _with_floors(steerers: list[str]) -> list[str]:
    """The methods, and for each that has directions the same with random ones: what any push of that size does."""
    from valuebench_harness.steerers.registry import make_steerer

    out = list(steerers)
    for name in steerers:
        floor = f"{RANDOM}:{name}"
        if name.startswith(RANDOM) or "+" in name or floor in out:
            continue
        with suppress(UsageError):  # prompts and weights have no direction
            make_steerer(floor)
            out.append(floor)
    return out


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def _evaluate(
    steerers: list[str], models: list[str], config: Path | None, shared: dict[str, Any], *, workers: int, quiet: bool
) -> list[Path]:
    """Runs each method on each model, or finds the finished run of the same configuration."""
    if not steerers:
        return []
    from valuebench_harness.harness.config import load_config, make_config
    from valuebench_harness.harness.leaderboard.evaluations import evaluate_all
    from valuebench_harness.harness.plan import make_plan
    from valuebench_harness.harness.progress import Reporter

    base = {**(load_config(config) if config else {}), **shared}
    # All names are checked before the first model is loaded.
    plans = [make_plan(make_config(**_fitting(s, base), model=m, steerer=s)) for m in models for s in steerers]
    return evaluate_all(plans, Reporter(quiet=quiet), workers)
