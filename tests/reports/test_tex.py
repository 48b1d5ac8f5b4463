from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.reports.runs import Spec, write_run
from valuebench_harness.harness.run import Run
from valuebench_harness.reports.table import Column, Section, Table, cells
from valuebench_harness.reports.tex import escape, latex_table, render_tex

STRUCTURE = {
    *(
        "begin",
        "end",
        "centering",
        "small",
        "setlength",
        "tabcolsep",
        "caption",
        "label",
        "toprule",
        "midrule",
        "bottomrule",
        "textbf",
    ),
    *("textbackslash", "textasciicircum", "textasciitilde", "char", "to", "cdot", "ldots"),
}
HOSTILE = (
    r"\input{/etc/passwd} \write18{rm -rf ~}",
    "100% & more # _ ^^5cinput{x} $x$ } \\end{table}",
    "[2cm] * \x1b[31mred\x1b[0m",
    'a "quote", a <tag> | a ~ tilde\nanother line % and a comment',
)


def _tables(text: str) -> list[str]:
    return re.findall(r"\\begin\{table\}.*?\\end\{table\}", text, re.DOTALL)


def _rows(table: str) -> list[list[str]]:
    lines = [line for line in table.splitlines() if line.endswith(r" \\")]
    return [re.split(r"(?<!\\) & ", line.removesuffix(r" \\")) for line in lines]


def _assert_sound(text: str) -> None:
    """Only the structure's commands, balanced groups, an even number of dollars, no comment but the first line."""
    body = text.removeprefix("% needs \\usepackage{booktabs}")
    plain = re.sub(r"\\[{}$&#_%\\]", "", body)
    assert set(re.findall(r"\\([a-zA-Z]+)", plain)) <= STRUCTURE
    assert not set(plain) & {"%", "#", "^", "~", "_"}
    assert plain.count("{") == plain.count("}")
    assert plain.count("$") % 2 == 0
    for table in _tables(text):
        assert len({len(row) for row in _rows(table)}) == 1


def test_every_run_makes_sound_tables(run: Run, base_only: Run, levels: Run, hostile: Run) -> None:
    for each, count in ((run, 3), (base_only, 1), (levels, 9), (hostile, 3)):
        text = render_tex(each)
        _assert_sound(text)
        assert len(_tables(text)) == count
        labels = re.findall(r"\\label\{(.*?)\}", text)
        assert len(labels) == len(set(labels)) == count


def test_the_first_table_tells_the_stored_rates(run: Run) -> None:
    metrics, parts, *rows = _rows(_tables(render_tex(run))[0])
    assert metrics == ["", *["CSR"] * 3, *["FR"] * 3, "", "", ""]
    assert parts[:4] == ["value", "base", "steered", r"95\%"]
    assert [row[0] for row in rows] == ["achievement", "power", "self-direction", "all"]
    for row, result in zip(rows, (*run.results.conditions, *run.results.pooled), strict=True):
        assert result.csr is not None
        assert result.fr is not None
        for place, effect in ((1, result.csr), (4, result.fr)):
            rate = effect.after
            assert effect.before.estimate is not None
            assert None not in (rate.estimate, rate.low, rate.high)
            assert row[place] == f"{effect.before.estimate * 100:.0f}"
            assert row[place + 1] == f"{(rate.estimate or 0) * 100:.0f}"
            assert row[place + 2] == f"{(rate.low or 0) * 100:.0f}--{(rate.high or 0) * 100:.0f}"
        assert row[7] == str(result.csr.after.n)


def test_unscored_answers_are_counted(hostile: Run) -> None:
    rows = _rows(_tables(render_tex(hostile))[0])[2:]
    unscored = [int(row[8]) for row in rows]
    assert 0 < sum(unscored[:-1]) == unscored[-1]


def test_the_value_aimed_at_is_bold_in_the_matrix(run: Run) -> None:
    rows = _rows(_tables(render_tex(run))[1])[1:]
    for number, row in enumerate(rows):
        bold = [n for n, text in enumerate(row[1:]) if text.startswith(r"\textbf{")]
        assert bold == [number]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_are_text(text: str) -> None:
    section = Section(
        "k", text, lead=(text,), table=Table((Column("c", right=False), Column("d")), (cells(text, text),))
    )
    table = latex_table(section, text)
    _assert_sound(table)
    assert _tables(table) == [table.strip()]
    assert "\x1b" not in table


def test_a_row_never_starts_with_an_option_of_the_row_before() -> None:
    assert escape("[2cm]").startswith("{")
    assert escape("*x").startswith("{")


def test_a_section_without_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="'k' has no table"):
        latex_table(Section("k", "t"), "s")


def test_a_hostile_method_name_stays_text(folder: Path) -> None:
    run = write_run(folder, Spec(steerer=r"my_method&\input{x}%", exam=0, per_value=4))
    _assert_sound(render_tex(run))
