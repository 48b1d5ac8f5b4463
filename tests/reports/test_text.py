from __future__ import annotations

import io
import re
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from tests.reports.runs import HOSTILE, Spec, write_run
from valuebench_harness.harness.run import Run
from valuebench_harness.reports.levels import levels
from valuebench_harness.reports.sections import by_value
from valuebench_harness.reports.table import Column, Section, Table, cells
from valuebench_harness.reports.text import print_report, render_text, sections_text

TEN = (
    *("self-direction", "stimulation", "hedonism", "achievement", "power"),
    *("security", "conformity", "tradition", "benevolence", "universalism"),
)


def _printed(run: Run, width: int) -> str:
    out = io.StringIO()
    print_report(run, Console(file=out, width=width))
    return out.getvalue()


def test_the_headline_tells_the_stored_numbers(run: Run) -> None:
    text = " ".join(_printed(run, 100).split())
    csr = run.results.pooled[0].csr
    assert csr is not None
    assert csr.before.estimate is not None
    assert csr.after.estimate is not None
    assert csr.change.estimate is not None
    assert "conva on mini: towards 3 values" in text
    assert f"Control success rose from {csr.before.estimate:.0%} to {csr.after.estimate:.0%}" in text
    assert f"({csr.change.estimate * 100:+.0f} points, 95% interval" in text
    assert "without the gate" in text


@pytest.mark.parametrize("width", [100, 80, 60])
def test_no_line_is_wider_than_asked(tmp_path: Path, width: int) -> None:
    run = write_run(tmp_path, Spec(values=TEN, per_value=6, levels=(1.0, 2.0), texts=HOSTILE))
    lines = _printed(run, width).splitlines()
    assert max(map(cell_len, lines)) <= width


def test_a_wide_terminal_still_gets_100_columns(run: Run) -> None:
    assert max(map(cell_len, _printed(run, 240).splitlines())) <= 100


def test_columns_left_out_are_named(run: Run) -> None:
    assert "No room here for:" not in _printed(run, 100)
    narrow = " ".join(_printed(run, 70).split())
    assert "unscored" in narrow.split("No room here for: ")[1].split("; other formats hold them.")[0]


def test_changes_whose_interval_covers_zero_are_marked(tmp_path: Path) -> None:
    effects = {("power", "power"): 0.4, ("achievement", "achievement"): 0.98}
    run = write_run(tmp_path, Spec(values=("power", "achievement"), per_value=40, effects=effects))
    rows = {
        line.split()[0]: line for line in reversed(_printed(run, 100).splitlines()) if line[:5] in {"power", "achie"}
    }
    changes = {r.condition.value: r.csr.change for r in run.results.conditions if r.csr}
    for value, change in changes.items():
        assert ("~" in rows[str(value)]) == (not change.shown)
    assert {c.shown for c in changes.values()} == {True, False}


def test_every_strength_has_its_block_and_the_best_is_named(levels: Run) -> None:
    text = _printed(levels, 100)
    for strength in (1, 2, 4):
        assert f"By value, strength {strength} " in text
    best = max(levels.results.pooled, key=lambda r: (r.success and r.success.after.estimate) or 0)
    assert f"At strength {best.condition.strength:g}, the best of 3" in text


def test_a_base_run_shows_the_base(base_only: Run) -> None:
    text = _printed(base_only, 100)
    assert "mini, unsteered" in text
    assert "The unsteered model by value" in text
    assert "Side effects" not in text


def test_hostile_answers_reach_the_terminal_as_plain_text(hostile: Run) -> None:
    plain = _printed(hostile, 100)
    assert all(c == "\n" or unicodedata.category(c) not in {"Cc", "Cf", "Cs"} for c in plain)
    out = io.StringIO()
    print_report(hostile, Console(file=out, width=100, force_terminal=True, color_system="standard"))
    assert not re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()).count("\x1b"), "only our own colours may be escapes"


def test_unscored_verdicts_are_counted_and_explained(hostile: Run) -> None:
    text = " ".join(_printed(hostile, 100).split())
    assert f"{hostile.results.unscored} of {hostile.results.verdicts} verdicts" in text
    assert "the answer names neither option" in text
    csr = hostile.results.pooled[0].csr
    assert csr is not None
    after = csr.after
    assert f"{after.unscored} of {after.n + after.unscored} unscored, so it lies between {after.worst:.0%}" in text


def test_text_for_a_pipe_has_no_colour_and_no_trailing_blanks(run: Run) -> None:
    text = render_text(run)
    assert "\x1b" not in text
    assert all(line == line.rstrip() for line in text.splitlines())


def test_strengths_are_a_column_only_where_they_differ(run: Run) -> None:
    level = levels(run.results)[0]
    assert "x: strength" not in by_value(level, several=False, explained=(level,)).remarks[0]
    first, *others = level.conditions
    weaker = first.model_copy(update={"condition": first.condition.model_copy(update={"strength": 0.5})})
    level = replace(level, conditions=(weaker, *others))
    section = by_value(level, several=False, explained=(level,))
    assert "x: strength" in section.remarks[0]
    assert section.table is not None
    place = [column.name for column in section.table.columns].index("strength")
    assert [row[place].text for row in section.table.rows] == ["0.5", "2", "2", ""]


def test_a_table_without_columns_to_spare_goes_on_below(monkeypatch: pytest.MonkeyPatch) -> None:
    """A column that says more of another stays beside it, and every part names its rows."""
    columns = (
        Column("rater", right=False),
        Column("asks", right=False),
        *(c for name in "abc" for c in (Column(name), Column("95%", beside=True))),
    )
    row = ("ann", "fluency", *(text for n in range(3) for text in (f"{n}.1234567", f"{n}.45..{n}.67")))
    monkeypatch.setenv("COLUMNS", "60")
    lines = sections_text((Section("x", "Title", table=Table(columns, (cells(*row),))),)).splitlines()
    assert [line.split() for line in lines if "─" not in line] == [
        ["Title"],
        ["rater", "asks", "a", "95%", "b", "95%"],
        [*row[:6]],
        ["rater", "asks", "c", "95%"],
        [*row[:2], *row[6:]],
    ]


def test_a_last_column_of_words_is_wrapped_and_not_moved_below(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table((Column("", right=False), Column("", right=False)), (cells("what", "word " * 30),))
    monkeypatch.setenv("COLUMNS", "60")
    lines = sections_text((Section("x", "Title", table=table),)).splitlines()
    assert lines[1].startswith("what")
    assert all(line.startswith(" " * 4) for line in lines[2:])
