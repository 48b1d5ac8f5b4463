"""``vharness doctor``"""

from __future__ import annotations

import typer

from valuebench_harness.cli import render as r

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def run(output: r.Format = r.ListFormat.text) -> None:
    """Looks at everything a run needs and says what to do; exit code 1 where something would fail."""
    from valuebench_harness.harness.doctor import Check, examine

    found: list[Check] = []
    for check in examine():
        found.append(check)
        if output is r.ListFormat.text:
            typer.secho(f"{check.level:<5}", fg=_COLOURS[check.level], nl=False)
            typer.echo(f" {check.name:<16} {check.found}")
            if check.advice:
                typer.echo(f"{'':<23}{check.advice}")
    count = {level: sum(c.level == level for c in found) for level in _COLOURS}
    if output is r.ListFormat.json:
        r.show_json(found)
    else:
        typer.echo(f"ok: {count['ok']}, warnings: {count['warn']}, failures: {count['fail']}")
    if count["fail"]:
        raise typer.Exit(1)
