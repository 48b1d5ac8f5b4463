"""Nothing is explained that is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reports.runs import Spec, write_run
from valuebench_harness.harness.run import Run
from valuebench_harness.reports.legends import MARKS, columns, marks
from valuebench_harness.reports.levels import levels as strengths
from valuebench_harness.reports.registry import render
from valuebench_harness.reports.sections import by_strength, by_value, sections
from valuebench_harness.reports.table import Cell, Column, Mark, Table


def table(*found: Mark) -> Table:
    return Table((Column("value"), Column("side\neff.", full="side effects")), tuple((Cell("x", m),) for m in found))


def test_only_marks_that_stand_in_a_table_are_explained() -> None:
    assert list(marks(table("", "target"))) == []
    assert list(marks(table("unclear"))) == [MARKS["unclear"]]
    assert list(marks(table(""), table("unclear", "best"))) == [f"{MARKS['best']} {MARKS['unclear']}"]


def test_only_columns_that_stand_in_a_table_are_explained() -> None:
    (line,) = columns(table())
    assert line.startswith("side effects: root mean square")
    assert "CSR" not in line
    assert list(columns(Table((Column("value"),), ()))) == []


@pytest.mark.parametrize("output", ["text", "md"])
def test_a_run_without_a_verdict_explains_neither_marks_nor_side_effects(folder: Path, output: str) -> None:
    run = write_run(folder, Spec(levels=(1.0, 2.0), unscored=1.0, exam=0, questions=0))
    text = render(run, output).replace("\\", "")
    for words in (*MARKS.values(), "side effects: root mean square"):
        assert words not in text


def test_marks_of_an_earlier_strength_are_explained_below_the_last(levels: Run) -> None:
    found = strengths(levels.results)
    for level in found[:-1]:
        assert by_value(level, several=True).remarks == ()
    tables = [t for level in found if (t := by_value(level, several=True).table)]
    (last,) = [s for s in sections(levels) if s.key == f"values-{found[-1].number}"]
    assert set(marks(*tables)) <= set(last.remarks)
    assert any("CSR: " in line for line in last.remarks)


def test_a_table_by_strength_has_no_other_column_of_strengths(folder: Path) -> None:
    run = write_run(folder, Spec(values=("power",), levels=(1.0, 2.0)))
    found = by_strength(strengths(run.results)).table
    assert found is not None
    assert [c.name for c in found.columns].count("strength") == 1
