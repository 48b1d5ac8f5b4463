"""What a report says about the worth of its numbers."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from tests.reports.runs import Spec, write_run
from valuebench_harness import evaluate
from valuebench_harness.harness.records import Condition, Document
from valuebench_harness.harness.run import Run
from valuebench_harness.metrics.dose import Crossing
from valuebench_harness.metrics.equivalence import non_inferior
from valuebench_harness.metrics.paired import Outcomes, paired_change
from valuebench_harness.reports import story
from valuebench_harness.reports.data import render_csv
from valuebench_harness.reports.evidence import dose_response, evidence, margin_in_words
from valuebench_harness.reports.levels import best_level
from valuebench_harness.reports.levels import levels as strengths
from valuebench_harness.reports.markdown import render_markdown
from valuebench_harness.reports.registry import FORMATS, render
from valuebench_harness.reports.sections import sections
from valuebench_harness.reports.text import render_text


def facts(run: Run) -> dict[str, str]:
    level = best_level(run.results)
    assert level is not None
    table = evidence(level).table
    assert table is not None
    return {row[0].text: row[1].text for row in table.rows}


def test_a_result_that_shows_nothing_says_what_it_could_have_shown(folder: Path) -> None:
    run = write_run(folder, Spec(effects={}, per_value=10, seed=3))
    csr = run.results.pooled[0].csr
    assert csr is not None
    assert not csr.change.shown
    assert csr.change.detectable is not None
    size = f"{round(100 * csr.change.detectable)} points would be shown in 80% of such runs"
    assert size in story.verdict(run)
    assert "did not move measurably" in story.verdict(run)


def test_the_exam_is_held_against_its_margin(run: Run) -> None:
    exam = run.results.pooled[0].exam
    assert exam is not None
    found = run.results.pooled[0].statistics.exam
    assert found == non_inferior(exam.gated.change, 0.05)
    assert margin_in_words(found, exam.gated.change) in facts(run)["exam"]
    assert "5 points" in facts(run)["exam"]
    assert margin_in_words(None, exam.gated.change) == ""


def test_many_looks_are_corrected_for(run: Run) -> None:
    found = facts(run)
    assert "Holm" in found["side effects"]
    assert found["values moved"].startswith(f"{len(run.results.pooled[0].statistics.moved)} of 3")
    assert "elsewhere" not in found
    assert "of 1: control" in found["harmonic score"]


def test_several_answers_an_item_show_their_spread(folder: Path) -> None:
    run = write_run(folder, Spec(repeats=4, per_value=8))
    spread = run.results.pooled[0].statistics.spread
    assert spread is not None
    assert (spread.seeds, spread.items) == (4, 24)
    assert "over 4 answers an item" in facts(run)["between seeds"]


def test_one_answer_an_item_has_none(run: Run) -> None:
    assert run.results.pooled[0].statistics.spread is None
    assert "between seeds" not in facts(run)


def test_strengths_become_a_curve(levels: Run) -> None:
    doses = levels.results.doses
    assert doses is not None
    assert doses.strengths == (0.0, 1.0, 2.0, 4.0)
    assert doses.items == 36
    assert doses.control.raw[0] == pytest.approx(sum(b.favour.hits for b in levels.results.base.values()) / 36)
    section = dose_response(doses, strengths(levels.results))
    assert section.table is not None
    assert [row[0].text for row in section.table.rows] == ["0", "1", "2", "4"]
    assert "80%" in section.lead[0]
    assert "Dose and response" in render_markdown(levels)
    assert any(s.key == "doses" for s in sections(levels))


def test_one_strength_is_no_curve(run: Run) -> None:
    assert run.results.doses is None
    assert "Dose and response" not in render_text(run)


def test_strengths_at_which_control_falls_again_are_told(folder: Path) -> None:
    run = write_run(folder, Spec(levels=(1.0, 2.0), per_value=30))
    doses = run.results.doses
    assert doses is not None
    bent = doses.model_copy(update={"reversal": 0.4})
    assert any("falls by 40 points" in line for line in dose_response(bent, strengths(run.results)).lead)


def test_statistics_are_in_the_csv(levels: Run, folder: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(render_csv(levels))))
    fits = [r for r in rows if r["metric"] == "csr_fit"]
    assert [float(r["strength"]) for r in fits] == [0, 1, 2, 4]
    assert all(float(r["low"]) <= float(r["estimate"]) <= float(r["high"]) for r in fits)
    assert [float(r["estimate"]) for r in fits] == sorted(float(r["estimate"]) for r in fits)
    found = {r["metric"] for r in rows}
    assert {"harmonic", "effectiveness", "side_effects_beyond_noise", "fr_fit"} <= found
    several = render_csv(write_run(folder, Spec(repeats=3, per_value=6)))
    assert "csr_between_draws" in several


def test_a_run_whose_choices_have_no_verdict_can_be_read_and_shown(folder: Path) -> None:
    run = write_run(folder, Spec(levels=(1.0, 2.0), repeats=2, unscored=1.0))
    doses = run.results.doses
    assert doses is not None
    assert (doses.reversal, doses.wanted) == (None, None)
    lead = dose_response(doses, strengths(run.results)).lead
    assert "Control success of 80% is not known, since no answer has a verdict" in " ".join(lead)
    assert "control success is not known over 3 values: none of 72 answers with steering is scored" in story.verdict(
        run
    )
    assert facts(run)["values moved"] == "not known: no item scored on both sides"
    for name in FORMATS:
        assert "nan" not in render(run, name).lower().split(), name


def test_values_steered_together_are_counted_each_for_itself(tmp_path: Path) -> None:
    values = ("achievement:1+power:1", "tradition:1+power:0.9")
    run = evaluate("mini", "caa", out=tmp_path / "run", values=values, limit=24, tasks=("mini",))
    assert set(run.results.pooled[0].statistics.moved) == {
        (values[0], "achievement"),
        (values[0], "power"),
        (values[1], "tradition"),
        (values[1], "power"),
    }
    assert facts(run)["values moved"] == "4 of 4 the way aimed at, after Holm's correction"


def test_fluency_that_is_broken_without_steering_cannot_break(levels: Run) -> None:
    doses = levels.results.doses
    assert doses is not None
    flat = doses.fluency.model_copy(update={"raw": (0.02, 0.04, 0.0, 0.0)})
    broken = Crossing(estimate=None, low=None, high=None, level=-0.03)
    section = dose_response(doses.model_copy(update={"fluency": flat, "breaks": broken}), strengths(levels.results))
    assert "fluency is 2% without steering, so it has no 5 points to lose." in section.lead[0]
    whole = Crossing(estimate=None, low=None, high=None, level=0.95)
    section = dose_response(doses.model_copy(update={"breaks": whole}), strengths(levels.results))
    assert "fluency does not fall 5 points below the base." in section.lead[0]


def test_control_that_the_unsteered_model_has_already_is_reached_without_steering(levels: Run) -> None:
    doses = levels.results.doses
    assert doses is not None
    there = doses.model_copy(update={"wanted": Crossing(estimate=0.0, low=0.0, high=1.5, level=0.8)})
    lead = dose_response(there, strengths(levels.results)).lead[0]
    assert lead.startswith("Control success of 80% is reached without steering (95% interval 0 to 1.5);")


def test_a_curve_says_of_how_many_answers_it_is(folder: Path, levels: Run) -> None:
    run = write_run(folder, Spec(levels=(1.0, 2.0), silent=lambda c, d: c.strength == 2.0 and not d.id.endswith("/3")))
    doses = run.results.doses
    assert doses is not None
    section = dose_response(doses, strengths(run.results))
    assert section.table is not None
    counts = [[row[k].text for row in section.table.rows] for k in (4, 8)]
    assert counts == [["36", "36", "3"], ["36", "36", "36"]]
    assert "Of 36 answers a strength 3 to 36 have a verdict on control." in section.lead
    full = levels.results.doses
    assert full is not None
    assert not any("have a verdict" in line for line in dose_response(full, strengths(levels.results)).lead)


def test_values_without_a_verdict_did_not_fail_to_move(folder: Path) -> None:
    def silent(condition: Condition, document: Document) -> bool:
        return document.value == "power"

    always = {(v, v): 1.0 for v in ("achievement", "power", "self-direction")}
    run = write_run(folder, Spec(effects=always, silent=silent, per_value=30))
    assert facts(run)["values moved"] == "2 of 3 the way aimed at, after Holm's correction; not known: power"


def test_one_value_without_a_verdict_is_not_known_to_have_moved(folder: Path) -> None:
    run = write_run(folder, Spec(values=("power",), unscored=1.0, exam=0, questions=0))
    assert facts(run) == {"value moved": "not known: no item scored on both sides"}


def test_a_loss_that_is_shown_is_not_merely_not_ruled_out() -> None:
    before: Outcomes = {str(n): [True] for n in range(100)}
    for hits, words in ((100, "is ruled out"), (93, "is not ruled out"), (60, "is shown")):
        change = paired_change(before, {str(n): [n < hits] for n in range(100)})
        assert margin_in_words(non_inferior(change, 0.05), change) == f"a loss of 5 points or more {words}"
