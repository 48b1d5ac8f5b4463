"""``vharness``: one verb a file. Verbs import what is heavy when they run, so that help answers at once."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from valuebench_harness import __version__
from valuebench_harness.cli import (
    ask,
    cache,
    causal,
    check,
    compare,
    data,
    doctor,
    evaluate,
    fit,
    judge,
    leaderboard,
    listing,
    lm_eval,
    priority,
    report,
    robustness,
)
from valuebench_harness.errors import VharnessError

INTERRUPTED = 130
"""Exit code after Ctrl-C, by the shells' custom of 128 and the signal's number."""

app = typer.Typer(
    name="vharness",
    help="Did a steering method move the value it aims at, and what else did it move?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: rich takes as long to import as all the rest, and would eat "[mini]"
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("eval", help="Measure a steering method beside the unsteered model.")(evaluate.run)
app.command("try", help="Ask one question: the base's answer beside the steered one.")(ask.run)
app.command("fit", help="Fit a method for some values and keep the artifacts.")(fit.run)
app.command("check", help="Prove a steerer right, or say what it does wrong.")(check.run)
app.command("report", help="Show a run again, in any format.")(report.run)
app.command("compare", help="Compare two runs, or a run and a baseline, on the same items.")(compare.run)
app.command("leaderboard", help="Rank methods on the same items.")(leaderboard.run)
app.command("priority", help="Set a prompt against a steering method: which of them wins?")(priority.run)
app.command("robustness", help="Ask the same items another way: how much of an effect stays?")(robustness.run)
app.command("ls", help="List tasks, steerers, models or runs.")(listing.run)
app.add_typer(causal.app, name="causal", help="Value graphs: collect, discover, score, show, advise.")
app.add_typer(judge.app, name="judge", help="Judge answers again; hold a judge against people.")
app.add_typer(data.app, name="data", help="List, fetch and check data sets.")
app.add_typer(cache.app, name="cache", help="Show, trim or clear the cache.")
app.command("lm-eval", help="lm-eval's own command line, with steered models in it.", context_settings=lm_eval.CONTEXT)(
    lm_eval.run
)
app.command("doctor", help="What is installed, which device, which data, and what would fail.")(doctor.run)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vharness {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None: ...


def main() -> None:
    """The console script: errors meant for users are one or two lines, with their exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # where a letter cannot be shown, a mark stands for it
    try:
        app(prog_name="vharness")  # whatever it was started as
    except VharnessError as error:
        typer.secho(f"error: {error}", err=True, fg=typer.colors.RED)
        sys.exit(error.exit_code)
    except SystemExit as stop:
        if stop.code == INTERRUPTED:  # typer leaves with it on Ctrl-C, without a word
            typer.secho(f"Stopped. What was finished is kept; {_how_to_go_on(sys.argv[1:])} goes on.", err=True)
        raise
    except BrokenPipeError:
        # The reader of our output went away, as `head` does; Python must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


def _how_to_go_on(words: list[str]) -> str:
    """What a stopped command is to be started with, by the options that it has."""
    command = typer.main.get_command(app)
    for word in words:
        command = getattr(command, "commands", {}).get(word, command)
    return "--resume" if any(option.name == "resume" for option in command.params) else "the same command"
