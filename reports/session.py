"""The page of a test session: runs, tests with their verdicts, and the samples behind each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from markupsafe import Markup

from valuebench_harness.harness.compare.observations import Observations
from valuebench_harness.harness.run import Run
from valuebench_harness.reports.behind import BASELINE, Claim, Evidence
from valuebench_harness.reports.browser import SampleData, script_json
from valuebench_harness.reports.clean import one_line
from valuebench_harness.reports.page import render_page
from valuebench_harness.reports.table import Section

NAME_LENGTH = 160
WORDS_LENGTH = 600
KEEPS_NO_ANSWERS = "The baseline keeps outcomes, not answers: the unsteered answer stands beside."

Kind = Literal["expectation", "gate", "python"]
TITLES: Mapping[Kind, str] = {
    "expectation": "Expectations",
    "gate": "Gates against the baseline",
    "python": "Tests in Python",
}


@dataclass(frozen=True)
class Checked:
    """What a test found; names and words may hold text of a model.

    Attributes:
        kind: of the test.
        name: of what is expected.
        verdict: on it.
        held: whether it passed.
        found: what the verdict rests on.
        claim: what it says of its run; ``None`` where it speaks of none.
    """

    kind: Kind
    name: str
    verdict: str
    held: bool
    found: str
    claim: Claim | None = None


@dataclass(frozen=True)
class Row:
    """A test in a table of the page, its number among all tests, and how many samples stand behind it."""

    test: Checked
    number: int
    samples: int


def render_session(
    overview: Section | None,
    tests: Sequence[Checked],
    runs: Mapping[str, Run],
    baseline: Callable[[str], Observations | None],
) -> str:
    """The page; without runs it holds tables only.

    Args:
        overview: table of the runs; ``None`` where there is none.
        tests: in the order of the page.
        runs: whose samples the page holds, by name.
        baseline: gives a run's stored outcomes; ``None`` where there are none to compare with.
    """
    tests = [_cleaned(test) for test in tests]
    samples = SampleData()
    numbers = {name: samples.add(run, name) for name, run in runs.items()}
    evidence = Evidence(runs, baseline)
    entries = [_entry(test, evidence, numbers, samples) for test in tests]
    rows = [Row(test, n, len(entry["samples"])) for n, (test, entry) in enumerate(zip(tests, entries, strict=True))]
    groups = [(title, [row for row in rows if row.test.kind == kind]) for kind, title in TITLES.items()]
    unmet = [row for _, found in groups for row in found if not row.test.held]
    chosen = next((row.number for row in unmet if row.samples), -1)
    data: dict[str, Any] = {**samples.json(), "tests": entries, "chosen": chosen}
    return render_page(
        "session.html.j2",
        css=("report.css", "session.css"),
        js="report.js" if runs else None,
        headline=_headline(len(unmet), len(rows)),
        overview=overview,
        groups=[(title, found) for title, found in groups if found],
        data=Markup(script_json(data)) if runs else None,  # noqa: S704 - escaped by script_json
    )


def _entry(
    test: Checked, evidence: Evidence, numbers: Mapping[str, Mapping[str, int]], samples: SampleData
) -> dict[str, Any]:
    """A test for the page's script: its samples, the ones that stand beside them, and a note on each."""
    claim = test.claim
    found = evidence.behind(claim) if claim else []
    words = f"{test.name} - {test.verdict}. {test.found}"
    if claim and claim.against == BASELINE and found:
        words += f" {KEEPS_NO_ANSWERS}"
    return {
        "name": f"{test.name} ({len(found)})",
        "words": words,
        "samples": [numbers[claim.run][b.sample] for b in found] if claim else [],
        "against": [numbers[b.other[0]].get(b.other[1], -1) for b in found],
        "notes": [samples.text(b.note) for b in found],
    }


def _headline(unmet: int, of: int) -> str:
    if not unmet:
        return f"All {of} tests of steered models hold" if of != 1 else "The test of a steered model holds"
    return f"{unmet} of {of} tests of steered models {'does' if unmet == 1 else 'do'} not hold"


def _cleaned(test: Checked) -> Checked:
    return replace(test, name=one_line(test.name, NAME_LENGTH), found=one_line(test.found, WORDS_LENGTH))
