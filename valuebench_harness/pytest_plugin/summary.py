"""The end of a session: a table in the terminal, a page, and GitHub's summary."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from valuebench_harness.errors import UsageError, VharnessError
from valuebench_harness.harness.compare.observations import Observations
from valuebench_harness.harness.store import write_atomically
from valuebench_harness.pytest_plugin.state import State, state_of
from valuebench_harness.reports.behind import Claim
from valuebench_harness.reports.clean import one_line
from valuebench_harness.reports.markdown import section_lines
from valuebench_harness.reports.numbers import percent
from valuebench_harness.reports.session import Checked, render_session
from valuebench_harness.reports.table import Cell, Column, Section, Table
from valuebench_harness.reports.text import section_parts

GOOD = frozenset({"passed", "better", "equivalent", "no difference shown", "updated"})
NUMBERS = ("csr", "fr", "exam", "consistency", "side_effects")

Runs = dict[str, dict[str, Any]]


def show(reporter: pytest.TerminalReporter, config: pytest.Config, reports: Sequence[pytest.TestReport]) -> None:
    """Prints the tables, and writes them where they are wanted.

    Args:
        reporter: prints.
        config: of pytest.
        reports: of the tests that looked at steered models.
    """
    runs = dict(_runs(reports))
    # The unmet stand first.
    tests = sorted((test for report in reports for test in _tests(report)), key=lambda test: test.held)
    reporter.section("steered models", sep="-")
    width = min(reporter._tw.fullwidth, 160)
    if runs:
        out = io.StringIO()
        console = Console(file=out, width=width, legacy_windows=False)
        for part in section_parts(_overview(runs), width):
            console.print(part)
        for line in out.getvalue().splitlines():
            reporter.write_line(line.rstrip())
    for test in (test for test in tests if test.kind != "python"):  # pytest itself has shown those
        reporter.write_line(f"{test.verdict}: {one_line(test.name, width - 24)}", red=not test.held, green=test.held)
        reporter.write_line(f"    {one_line(test.found, 2 * width)}")
    state = state_of(config)
    _summary_of_github([_overview(runs)] if runs else [], tests)
    if state.options.html:
        try:
            write_atomically(state.options.html, _page(state, runs, tests))
        except (OSError, VharnessError) as error:
            reporter.write_line(f"{state.options.html} could not be written: {error}", red=True)
        else:
            reporter.write_line(f"Page: {state.options.html}")


def _facts(report: pytest.TestReport) -> list[dict[str, Any]]:
    return [json.loads(str(text)) for key, text in report.user_properties if key == "vharness"]


def _runs(reports: Sequence[pytest.TestReport]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The pooled numbers of each run, by its key."""
    for report in reports:
        for facts in _facts(report):
            if "run" in facts:
                yield facts["run"]["key"], facts["run"]


def _tests(report: pytest.TestReport) -> Iterator[Checked]:
    """What a test found: an expectation or a gate tells it; of a test in Python only the outcome is known."""
    facts = _facts(report)
    told = [f for f in facts if "expectation" in f]
    for fact in told:
        claim = _claim(fact["claim"]) if "claim" in fact else None
        verdict = fact["verdict"]
        yield Checked(fact["kind"], fact["expectation"], verdict, verdict in GOOD, fact["found"], claim)
    if not told and report.outcome != "skipped":
        crash = getattr(report.longrepr, "reprcrash", None)
        claim = Claim(facts[0]["run"]["key"])
        yield Checked("python", report.nodeid, report.outcome, report.passed, getattr(crash, "message", ""), claim)


def _claim(fields: dict[str, Any]) -> Claim:
    return Claim(**{**fields, "left_out": tuple(fields["left_out"])})


def _overview(runs: Runs) -> Section:
    rows = tuple(
        (Cell(one_line(key, 60)), *(Cell(percent(run.get(name))) for name in NUMBERS)) for key, run in runs.items()
    )
    columns = (
        Column("run", right=False),
        *(Column(name.replace("_", "\n"), spare=spare) for spare, name in enumerate(NUMBERS)),
    )
    return Section("runs", "Runs", table=Table(columns, rows))


def _summary_of_github(sections: Sequence[Section], tests: Sequence[Checked]) -> None:
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    rows = tuple(
        (Cell(one_line(t.name, 90)), Cell(t.verdict, "best" if t.held else "target"), Cell(one_line(t.found, 220)))
        for t in tests
    )
    columns = (Column("test", right=False), Column("", right=False), Column("found", right=False))
    tables = [*sections, Section("tests", "Tests", table=Table(columns, rows))]
    with Path(path).open("a", encoding="utf-8") as file:
        file.writelines(line + "\n" for section in tables for line in (*section_lines(section), ""))


def _page(state: State, runs: Runs, tests: Sequence[Checked]) -> str:
    """The page, with the samples of all runs of this session."""
    claims = [test.claim for test in tests if test.claim]
    keys = dict.fromkeys([*runs, *(c.run for c in claims), *(c.against for c in claims)])
    found = {key: run for key in keys if (run := state.evaluations.finished(key)) is not None}

    def baseline(key: str) -> Observations | None:
        try:
            return state.baseline.load(key) if state.baseline else None
        except UsageError:
            return None  # its gate failed and says why

    return render_session(_overview(runs) if runs else None, tests, found, baseline)
