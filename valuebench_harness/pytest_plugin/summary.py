"""The end of a session: a table in the terminal, a page, and GitHub's summary."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from valuebench_harness.errors import VharnessError
from valuebench_harness.harness.store import write_atomically
from valuebench_harness.pytest_plugin.state import state_of
from valuebench_harness.reports.clean import one_line
from valuebench_harness.reports.markdown import section_lines
from valuebench_harness.reports.numbers import percent
from valuebench_harness.reports.page import render_page
from valuebench_harness.reports.table import Cell, Column, Section, Table
from valuebench_harness.reports.text import section_parts

GOOD = frozenset({"passed", "better", "equivalent", "no difference shown", "updated"})
NUMBERS = ("csr", "fr", "exam", "consistency", "side_effects")


def show(reporter: pytest.TerminalReporter, config: pytest.Config, facts: Sequence[Mapping[str, Any]]) -> None:
    """Prints the tables, and writes them where they are wanted."""
    sections = make_sections(facts)
    reporter.section("steered models", sep="-")
    width = min(reporter._tw.fullwidth, 160)
    out = io.StringIO()
    console = Console(file=out, width=width, legacy_windows=False)
    for part in (p for s in sections if s.key == "runs" for p in section_parts(s, width)):
        console.print(part)
    for line in out.getvalue().splitlines():
        reporter.write_line(line.rstrip())
    for fact in _expected(facts):
        good = fact["verdict"] in GOOD
        reporter.write_line(f"{fact['verdict']}: {one_line(fact['expectation'], width - 24)}", red=not good, green=good)
        reporter.write_line(f"    {one_line(fact['found'], 2 * width)}")
    state = state_of(config)
    _summary_of_github(sections)
    if state.options.html:
        try:
            write_atomically(state.options.html, page(sections))
        except (OSError, VharnessError) as error:
            reporter.write_line(f"{state.options.html} could not be written: {error}", red=True)
        else:
            reporter.write_line(f"Page: {state.options.html}")


def make_sections(facts: Sequence[Mapping[str, Any]]) -> list[Section]:
    """The runs, and what was expected of them."""
    runs = {f["run"]["key"]: f["run"] for f in facts if "run" in f}
    expected = _expected(facts)
    out = []
    if runs:
        rows = tuple(
            (Cell(one_line(key, 60)), *(Cell(percent(run.get(name))) for name in NUMBERS)) for key, run in runs.items()
        )
        columns = (
            Column("run", right=False),
            *(Column(name.replace("_", "\n"), spare=spare) for spare, name in enumerate(NUMBERS)),
        )
        out.append(Section("runs", "Runs", table=Table(columns, rows)))
    if expected:
        rows = tuple(
            (
                Cell(one_line(f["expectation"], 90)),
                Cell(f["verdict"], "best" if f["verdict"] in GOOD else "target"),
                Cell(one_line(f["found"], 220)),
            )
            for f in expected
        )
        columns = (Column("expectation", right=False), Column("", right=False), Column("found", right=False))
        out.append(Section("expectations", "Expectations", table=Table(columns, rows)))
    return out


def _expected(facts: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What was expected, the unmet first."""
    return sorted((f for f in facts if "expectation" in f), key=lambda f: f["verdict"] in GOOD)


def _summary_of_github(sections: Sequence[Section]) -> None:
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.writelines(line + "\n" for section in sections for line in (*section_lines(section), ""))


def page(sections: Sequence[Section]) -> str:
    """The tables as a self-contained page; all text is escaped."""
    return render_page("session.html.j2", css=("report.css", "session.css"), sections=sections)
