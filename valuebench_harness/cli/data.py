"""``vharness data``"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from valuebench_harness.cli import data_generate
from valuebench_harness.cli import options as o
from valuebench_harness.cli import render as r

if TYPE_CHECKING:
    from valuebench_harness.data.checks import Finding
    from valuebench_harness.data.status import DataStatus
    from valuebench_harness.harness.progress import Advance

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

app.command("generate")(data_generate.generate)

PARTS = {
    "pairs_straightforward": "straightforward pairs",
    "questionnaire": "questionnaire items",
    "exam": "exam items",
    "neutral": "neutral texts",
    "test": "test items",
}
"""Parts of data sets in words, where their own name is none."""


@app.command("ls")
def ls(output: r.Format = r.ListFormat.text) -> None:
    """List the data sets, where they are, and how to get those that are not here."""
    from valuebench_harness.data.status import data_status

    found = data_status()
    if output is r.ListFormat.json:
        r.show_json(found)
        return
    rows = [(data.name, "here" if data.present else "not here", "\n".join(_about(data))) for data in found]
    r.show(r.table(("name", "state", "about"), rows))


def _about(data: DataStatus) -> list[str]:
    commit = f" at commit {data.commit[:12]}" if data.commit else ""
    lines = [
        ", ".join(f"{n:,} {PARTS.get(part, part)}" for part, n in data.items.items()),
        f"{data.repository or 'shipped with the package'}{commit}, licence: {data.licence}",
        r.short_path(data.where) if data.where else "",
        data.note or ("" if data.present else "Its files are missing: install the package again."),
    ]
    return [line for line in lines if line]


@app.command("pull")
def pull(
    name: Annotated[str, typer.Argument(help="conva, valuebench, mmlu, mmlu:anatomy,virology or mmlu:all.")],
    endpoint: Annotated[
        str | None, typer.Option("--endpoint", help="Another server in place of the hub or of GitHub.")
    ] = None,
    quiet: o.Quiet = False,
) -> None:
    """Download a data set; its commit and checksums are recorded beside it."""
    from valuebench_harness.data.pull import pull as fetch_all
    from valuebench_harness.data.pull import read_record
    from valuebench_harness.harness.progress import Reporter

    report = Reporter(quiet=quiet)
    with ExitStack() as stack:
        advance: Advance | None = None

        def stored(_done: int, total: int, _file: str) -> None:
            nonlocal advance
            if advance is None:  # how many files there are is known once the first has arrived
                advance = stack.enter_context(report.stage(name, total, "files"))
            advance()

        folder = fetch_all(name, endpoint, progress=stored)
    record = read_record(folder)
    commits = sorted({str(file["commit"])[:12] for file in record["files"].values()})
    typer.echo(f"{name}: {len(record['files'])} files at commit {', '.join(commits)} in {folder}")
    typer.echo(f"Licence as its authors state it: {record['licence']}.")


@app.command("check")
def check(
    name: Annotated[
        str | None, typer.Argument(help="A family, a pulled data set, or a value system's .yaml. [shipped families]")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Show what is in order, too.")] = False,
    output: r.Format = r.ListFormat.text,
) -> None:
    """Check items for bias, leakage, duplicates and template smell; exit code 1 where there is a problem."""
    from valuebench_harness.data.datasets import SHIPPED_DATASETS

    findings = [finding for family in ([name] if name else SHIPPED_DATASETS) for finding in _findings(family)]
    problems = sum(f.level == "problem" for f in findings)
    if output is r.ListFormat.json:
        r.show_json(findings)
    else:
        shown = [f for f in findings if everything or f.level != "ok"]
        if shown:
            r.show(r.table(("level", "where", "check", "result"), [(f.level, f.where, f.check, f.text) for f in shown]))
        missing = sum(f.level == "missing" for f in findings)
        r.show(f"{len(findings)} checks: {problems} problems, {missing} files not there, the rest in order.")
    if problems:
        raise typer.Exit(1)


def _findings(name: str) -> list[Finding]:
    from dataclasses import replace

    from valuebench_harness.data.check_dataset import check_dataset
    from valuebench_harness.data.datasets import load_dataset
    from valuebench_harness.data.sources import SOURCES

    if name.lower() in SOURCES:
        return _check_source(name.lower())
    dataset = load_dataset(name)
    return [replace(f, where=f"{dataset.name}/{f.where}") for f in check_dataset(dataset)]


def _check_source(name: str) -> list[Finding]:
    """Can the files of a real data set be read, and are they what was pulled?"""
    from valuebench_harness.data.checks import Finding
    from valuebench_harness.data.pull import altered_files, read_record
    from valuebench_harness.data.sources import require
    from valuebench_harness.data.status import data_status

    folder = require(name)
    status = next(data for data in data_status() if data.name == name)
    counts = ", ".join(f"{n:,} {part}" for part, n in status.items.items())
    found = [Finding("readable", "ok" if status.present else "problem", counts or status.note, name)]
    if read_record(folder):
        altered = altered_files(folder)
        text = f"{len(altered)} files differ from what was pulled {altered[:3]}"
        found.append(Finding("checksums", "problem" if altered else "ok", text, name))
    return found
