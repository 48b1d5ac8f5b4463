"""``vharness lm-eval``: lm-eval's own command line, with steered models in it."""

from __future__ import annotations

import typer

CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
"""Every argument is lm-eval's, ``--help`` included."""


def run(context: typer.Context) -> None:
    """Runs lm-eval with the model ``vharness``; every argument is lm-eval's own."""
    from valuebench_harness.harness import lm_command

    lm_command.run(context.args)
