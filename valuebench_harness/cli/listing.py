"""``vharness ls``"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from valuebench_harness.cli import render as r
from valuebench_harness.errors import UsageError

if TYPE_CHECKING:
    from valuebench_harness.harness.listing import ModelRecord, RunRecord, SteererRecord, TaskRecord


class What(StrEnum):
    """What can be listed."""

    tasks = "tasks"
    steerers = "steerers"
    models = "models"
    runs = "runs"


def run(
    what: Annotated[What, typer.Argument(help="tasks, steerers, models or runs.", show_default=False)],
    folder: Annotated[Path | None, typer.Argument(help="Folder of runs. [vharness-runs]", show_default=False)] = None,
    long: Annotated[bool, typer.Option("--long", "-l", help="Say more of each.")] = False,
    output: r.Format = r.ListFormat.text,
) -> None:
    """Lists what there is; no model is loaded and nothing is downloaded."""
    from valuebench_harness.harness import listing

    if folder is not None and what is not What.runs:
        raise UsageError(f"'vharness ls {what}' takes no folder (got {folder}); only runs are listed from one.")
    as_json = output is r.ListFormat.json
    match what:
        case What.tasks:
            tasks = listing.list_tasks()
            r.show_json(tasks) if as_json else _show_tasks(tasks, long=long)
        case What.steerers:
            steerers = listing.list_steerers()
            r.show_json(steerers) if as_json else _show_steerers(steerers, long=long)
        case What.models:
            models = listing.list_models()
            r.show_json(models) if as_json else _show_models(models, long=long)
        case What.runs:
            runs = listing.list_runs(folder or listing.RUNS)
            r.show_json(runs) if as_json else _show_runs(runs, long=long)


def _show_tasks(found: list[TaskRecord], *, long: bool) -> None:
    rows = [(t.name, t.family, "\n".join([t.about, *(t.names if long else ())])) for t in found]
    r.show(r.table(("task", "data", "about"), rows))
    r.show("lm-eval's tasks work as well; 'vharness eval --include-path' adds a folder of your own.")


def _show_steerers(found: list[SteererRecord], *, long: bool) -> None:
    rows = []
    for s in found:
        about = [s.problem or s.about]
        if long and not s.problem:
            about.append("strength: 0 or 1" if s.strengths == "switch" else "strength: any number >= 0")
            about += [f"--set {name}={default}  ({s.types[name]})" for name, default in s.settings.items()]
            about.append(f"source: {s.source} ({s.origin})")
            about.append(f"conformance: {s.conformance or f'not checked (vharness check {s.name})'}")
        rows.append((s.name, s.default_gate or "-", "\n".join(about)))
    r.show(r.table(("steerer", "gate", "about"), rows))
    r.show("A method of your own: --steerer path/to/file.py:Class.")


def _show_models(found: list[ModelRecord], *, long: bool) -> None:
    from valuebench_harness.harness.aliases import aliases_file

    rows = []
    for m in found:
        what = [f"{m.id} ({m.weights})" if m.id else m.architecture]
        if long:
            what += [m.about] if m.about else []
            what += [r.short_path(m.folder)] if m.folder is not None else []
        state = m.problem or ("ready" if m.folder is not None else "to be downloaded")
        size = r.size_text(m.bytes) if m.bytes else "-"
        rows.append((m.name, "\n".join(what), size, (m.commit or "-")[:12], state))
    r.show(r.table(("model", "what it is", "weights", "commit", "state"), rows, right=("weights",)))
    r.show("A checkpoint's folder works as well, and any id on the Hugging Face Hub (downloaded on first use).")
    r.show(f"Short names of your own: {r.short_path(aliases_file())} (see docs/models.md).")


def _show_runs(found: list[RunRecord], *, long: bool) -> None:
    if not found:
        typer.echo("No runs here yet: 'vharness eval --steerer conva' makes one.")
        return
    rows = []
    for record in found:
        csr = "-" if record.csr is None else f"{_percent(record.csr_base)} -> {_percent(record.csr)}"
        state = f"{record.status}: {record.problem}" if long and record.problem else record.status
        created = record.created[:16].replace("T", " ") or "-"
        rows.append((r.short_path(record.folder), state, record.model or "-", record.steerer or "-", created, csr))
    r.show(r.table(("run", "status", "model", "steerer", "created (UTC)", "CSR"), rows))


def _percent(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.0%}"
