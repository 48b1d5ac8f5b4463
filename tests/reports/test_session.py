"""The page of a test session, and which samples stand behind a test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.reports.runs import HOSTILE, Spec, write_run
from valuebench_harness.harness.compare.flips import flips
from valuebench_harness.harness.compare.observations import Observations, observe
from valuebench_harness.harness.run import Run
from valuebench_harness.reports.behind import Claim, Evidence
from valuebench_harness.reports.session import Checked, render_session

if TYPE_CHECKING:
    from playwright.sync_api import Page

HOSTILE_NAME = "<img src=x onerror='window.hacked = 4'> </script><script>window.hacked = 5</script>"


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Another method on the same items."""
    return write_run(tmp_path_factory.mktemp("other"), Spec(steerer="caa", seed=1))


def behind(claim: Claim, runs: dict[str, Run], baseline: Observations | None = None) -> list[tuple[str, str, str]]:
    found = Evidence(runs, lambda _: baseline).behind(claim)
    return [(each.sample, each.other[1], each.note) for each in found]


def test_a_bound_shows_the_answers_it_rests_on_those_against_it_first(run: Run) -> None:
    found = behind(Claim("a", "csr", value="power", bound="low"), {"a": run})
    own = {
        a.sample.key: a.aimed
        for a in run.answers()
        if a.condition.value == a.document.value == "power" and a.document.kind == "dilemma"
    }
    assert {sample for sample, _, _ in found} == set(own)
    aimed = [own[sample] for sample, _, _ in found]
    assert aimed == sorted(aimed, key=bool)
    assert {note for sample, _, note in found if not own[sample]} <= {"counts against CSR"}
    assert all(other.startswith("base|") and other.split("|")[1] == s.split("|")[1] for s, other, _ in found)
    assert behind(Claim("a", "csr", value="power", bound="high"), {"a": run})[0][2] == "counts for CSR"


def test_a_gate_shows_what_fell_and_rose_against_its_other_side(run: Run, other: Run) -> None:
    runs = {"a": run, "b": other}
    expected = {
        (f.second.sample.key, f.first.sample.key, f"CSR {'rose' if f.change == 'better' else 'fell'} against ")
        for f in flips(other, run)
        if f.metric == "csr"
    }
    found = behind(Claim("a", "csr", against="b"), runs)
    assert {(s, o, n.removesuffix("the other method")) for s, o, n in found} == expected
    assert len(found) > 3
    # A baseline keeps outcomes: the unsteered answer stands beside, the note tells of the baseline.
    stored = behind(Claim("a", "csr", against="baseline"), runs, observe(other))
    assert [s for s, _, _ in stored] == [s for s, _, _ in found]
    assert all(o.startswith("base|") and n.endswith("against the baseline") for _, o, n in stored)
    assert behind(Claim("a", "csr", against="baseline"), runs) == []


def test_side_effects_show_what_moved_elsewhere_without_the_values_left_out(run: Run) -> None:
    found = behind(Claim("a", "side_effects", left_out=("power",), bound="high"), {"a": run})
    assert found
    for sample, unsteered, note in found:
        condition, document, _ = sample.split("|")
        about = run.documents[document].value
        assert about not in ("power", run.conditions[condition].value)
        labels = {a.sample.key: a.verdicts["csr"].label for a in run.answers() if a.document.id == document}
        assert labels[sample] != labels[unsteered]
        assert note == ("moved by +100 points" if labels[sample] == "yes" else "moved by -100 points")


def session_of(run: Run) -> list[Checked]:
    return [
        Checked("expectation", "csr >= 0.9", "failed", False, "0.7", Claim("a", "csr", bound="low")),
        Checked("expectation", HOSTILE_NAME, "passed", True, HOSTILE[1], Claim("a", "csr")),
        Checked("gate", "exam", "worse", False, "1 to 0.9", Claim("a", "exam", against="b")),
        Checked("gate", "left over", "failed", False, "no test belongs to it"),
        Checked("python", "test_x.py::test_y", "failed", False, "AssertionError", Claim("gone")),
    ]


@pytest.mark.browser
def test_each_test_leads_to_its_samples(run: Run, other: Run, opened_html: Callable[..., Page]) -> None:
    runs = {"a": run, "b": other}
    page: Page = opened_html(render_session(None, session_of(run), runs, lambda _: None))
    assert page.inner_text("h1") == "4 of 5 tests of steered models do not hold"
    assert page.locator(".unmet").count() == 4
    wanted = behind(Claim("a", "csr", bound="low"), runs)
    assert page.inner_text("#count").startswith(f"{len(wanted)} of ")
    assert page.inner_text("#detail .note").startswith("counts against CSR")
    exam = behind(Claim("a", "exam", against="b"), runs)
    page.click("button[data-test='2']")
    assert page.inner_text("#count").startswith(f"{len(exam)} of ")
    assert "exam - worse. 1 to 0.9" in page.inner_text("#about")
    headings = page.locator("#detail h4").all_inner_texts()
    assert [h.split(" ")[1] for h in headings] == ["caa", "conva"]
    page.select_option("#filter-test", "any")
    page.select_option("#filter-run", "b")
    assert page.locator("#detail h4").all_inner_texts()[1].startswith("Steered: caa")
    assert page.locator("button[data-test='3'], button[data-test='4']").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


@pytest.mark.browser
def test_hostile_names_and_answers_run_nothing(hostile: Run, opened_html: Callable[..., Page]) -> None:
    page: Page = opened_html(render_session(None, session_of(hostile), {"a": hostile}, lambda _: None))
    page.click("button[data-test='1']")
    page.focus("#list")
    for _ in range(5):
        page.keyboard.press("ArrowDown")
    assert HOSTILE_NAME in page.inner_text("#expectation")
    assert page.evaluate("window.hacked") is None
    assert page.locator("img, main script").count() == 0


def test_without_runs_there_are_tables_and_no_script(tmp_path: Path) -> None:
    html = render_session(None, [Checked("gate", "left over", "failed", False, "why")], {}, lambda _: None)
    assert "The test" not in html
    assert "<script" not in html
    assert "left over" in html
