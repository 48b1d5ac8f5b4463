"""The papers' tables of a run in LaTeX, for a document that uses booktabs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from valuebench_harness.harness.results import ConditionResult
from valuebench_harness.harness.run import Run
from valuebench_harness.reports import story
from valuebench_harness.reports.clean import clean, one_line
from valuebench_harness.reports.levels import Level, levels
from valuebench_harness.reports.numbers import NONE, percent, rate_interval
from valuebench_harness.reports.sections import base_by_value, exam, side_effects
from valuebench_harness.reports.table import Cell, Column, Section, Table, cells
from valuebench_harness.reports.targets import by_target

_SPECIAL = {
    "\\": r"\textbackslash{}",
    **{mark: f"\\{mark}" for mark in "{}$&#_%"},
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    **{mark: f"{{{mark}}}" for mark in "[]*"},  # what may follow the end of a row: \\[..], \\*
    **{mark: f"${mark}$" for mark in "<>|"},
    '"': r"\char34{}",  # a command of its own under some of babel's languages
    "→": r"$\to$",
    "−": "$-$",
    "·": r"$\cdot$",
    "…": r"\ldots{}",
    "\t": " ",
    "\n": " ",
}
_ESCAPES = str.maketrans(_SPECIAL)
_SIGNED = re.compile(r"[+-]\d+")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")


def render_tex(run: Run) -> str:
    """Control and fluency by value, changes of all values, and the exam, each as a floating table.

    Escaped text holds no command. Letters outside of Latin need LuaLaTeX or XeLaTeX and a font that has them.
    """
    tables = (latex_table(section, story.headline(run)) for section in _sections(run))
    return "\n".join(["% needs \\usepackage{booktabs}", *tables])


def escape(text: str) -> str:
    """Text that LaTeX sets as it is: no command, no comment, no option, no end of a cell or a row."""
    return clean(text).translate(_ESCAPES)


def latex_table(section: Section, subject: str) -> str:
    r"""A section as a ``table`` environment with booktabs' rules and the label ``tab:KEY``.

    Args:
        section: with a table.
        subject: what the numbers are of, for the caption.

    Raises:
        ValueError: for a section without a table.
    """
    table = section.table
    if table is None:
        raise ValueError(f"section '{section.key}' has no table")
    notes = [line.replace("[ ] is", "bold is") for line in (*section.lead, *section.remarks)]
    caption = " ".join([f"{section.title}. {subject}.", *notes])
    rows = [" & ".join(map(_cell, row)) + r" \\" for row in table.rows]
    if table.total:
        rows.insert(-1, r"\midrule")
    return "\n".join(
        (
            r"\begin{table}",
            r"\centering\small\setlength{\tabcolsep}{3pt}",
            f"\\caption{{{escape(caption)}}}",
            f"\\label{{tab:{section.key}}}",
            f"\\begin{{tabular}}{{{''.join('r' if column.right else 'l' for column in table.columns)}}}",
            r"\toprule",
            *_head(table),
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        )
    )


def _head(table: Table) -> Iterator[str]:
    """Titles, as many rows as the longest has lines; shorter ones stand at the bottom."""
    titles = [column.title.split("\n") for column in table.columns]
    height = max(map(len, titles))
    padded = [[""] * (height - len(lines)) + lines for lines in titles]
    return (" & ".join(map(escape, row)) + r" \\" for row in zip(*padded, strict=True))


def _sections(run: Run) -> Iterator[Section]:
    found = levels(run.results)
    if not found:
        yield base_by_value(run.results)
    for level in found:
        several = len(found) > 1
        yield control(level, several=several)
        if any(r.csr_by_target for r in level.conditions):
            yield by_target(level, several=several)
        if level.off_target():
            yield side_effects(level, several=several)
        if level.pooled.exam:
            part = exam(level.pooled.exam)
            yield Section(
                f"{part.key}-{level.number}", _placed(part.title, level, several), (), part.table, part.remarks
            )


def control(level: Level, *, several: bool) -> Section:
    """Control success and fluency without and with steering, a value a row (the numbers of ConVA's Fig. 2)."""
    rows = [_control_row(r.condition.value or "", r) for r in level.conditions]
    if len(rows) > 1:
        rows.append(_control_row("all", level.pooled))
    rates = ("base", "steered", "95%")
    columns = (
        Column("value", right=False),
        *(Column(f"{metric}\n{part}") for metric in ("CSR", "FR") for part in rates),
        *(Column(title) for title in ("n", "unscored", "strength")),
    )
    return Section(
        f"control-{level.number}",
        _placed("Control success (CSR) and fluency (FR) by value (%)", level, several),
        table=Table(columns, tuple(rows), total=len(rows) > 1),
        remarks=("Intervals, n and unscored are those with steering; n of CSR, unscored of both.",),
    )


def _control_row(name: str, result: ConditionResult) -> tuple[Cell, ...]:
    texts: list[str] = []
    for effect in (result.csr, result.fr):
        if effect is None:
            texts += [NONE] * 3
        else:
            rates = (effect.before.estimate, effect.after.estimate)
            texts += [*(percent(rate, sign=False) for rate in rates), rate_interval(effect.after)]
    n = str(result.csr.after.n) if result.csr else NONE
    unscored = str(sum(effect.after.unscored for effect in (result.csr, result.fr) if effect))
    strength = f"{result.condition.strength:g}" if result.condition.value else ""
    return cells(one_line(name, 40), *texts, n, unscored, strength)


def _placed(title: str, level: Level, several: bool) -> str:
    return f"{title}, strength {level.strength}" if several else title


def _cell(cell: Cell) -> str:
    if _SIGNED.fullmatch(cell.text):
        text = f"${cell.text}$"
    elif found := _RANGE.fullmatch(cell.text):
        text = f"{found[1]}--{found[2]}"
    else:
        text = escape(cell.text)
    if cell.mark == "unclear":
        return f"{text}{escape('~')}"
    return f"\\textbf{{{text}}}" if cell.mark in {"best", "target"} else text
