"""A calibration on paper: whole tables at every width, and no rate without its interval and n."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from valuebench_harness.harness.calibration import Calibration, GroupRate, QuestionCalibration
from valuebench_harness.metrics.confusion import agreement
from valuebench_harness.metrics.ppi import CorrectedRate
from valuebench_harness.metrics.rates import rate
from valuebench_harness.metrics.reliability import reliability
from valuebench_harness.reports.calibration import confusion_section, render_calibration, user_study_section

LABELS = ("value", "opposite", "neither")
NOTHING = CorrectedRate.model_construct(
    estimate=None, low=None, high=None, judged=None, bias=None, labels=0, answers=0, trust=None
)


def group(name: str, hits: int, n: int) -> GroupRate:
    found = rate([i < hits for i in range(n)], [str(i) for i in range(n)])
    return GroupRate.model_construct(group=name, raters={"ann": found}, corrected=NOTHING, change=None, needed=None)


@pytest.fixture
def calibration() -> Calibration:
    people = ["value", "opposite", "neither"] * 40
    judge = ["value", "opposite", "value"] * 40
    question = QuestionCalibration.model_construct(
        asks="shows",
        judge=agreement(people, judge, LABELS, [str(i) for i in range(120)]),
        reliability=reliability([{"ann": label} for label in people], LABELS, range(len(people))),
        pairs={},
        rates=(group("base", 30, 60), group("caa at 0.4", 45, 50)),
        labelled=120,
        split=0,
    )
    return Calibration(subject="x", judge="grammar/1", raters=("ann",), width=0.1, questions=(question,))


@pytest.mark.parametrize("width", [100, 80, 60])
def test_no_table_is_cut_off(calibration: Calibration, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    text = render_calibration(calibration, "text")
    assert max(map(cell_len, text.splitlines())) <= width
    (question,) = calibration.questions
    table = confusion_section(question).table
    assert table is not None
    for row in table.rows:
        for cell in row:
            assert cell.text in text.split() or cell.text == "-", cell.text


def test_each_rater_s_rate_has_its_interval_and_n(calibration: Calibration) -> None:
    table = user_study_section(calibration).table
    assert table is not None
    assert [c.name for c in table.columns] == ["rater", "", "base", "95%", "n", "caa at 0.4", "95%", "n"]
    assert [c.text for c in table.rows[0]] == ["ann", "Training texts", "50", "38..62", "60", "90", "79..96", "50"]
