"""The terminal report: at most 100 columns, and readable without colour."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Iterable, Iterator

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from valuebench_harness.harness.run import Answer, Run
from valuebench_harness.reports import story
from valuebench_harness.reports.clean import cut, one_line
from valuebench_harness.reports.levels import best_level
from valuebench_harness.reports.pairs import Example, examples
from valuebench_harness.reports.sections import sections
from valuebench_harness.reports.table import Cell, Section, Table

MAX_WIDTH = 100
GAP = 2
ANSWER_LENGTH = 400
WRAPPED = 24
"""Least width of a last column of words: what is longer goes on in further lines."""
STYLES = {"": "", "best": "bold green", "unclear": "dim", "target": "bold"}


def render_text(run: Run) -> str:
    """The report as text for standard output: as wide as the terminal, in colour where it is one."""
    width = min(MAX_WIDTH, shutil.get_terminal_size((MAX_WIDTH, 24)).columns)
    out = io.StringIO()
    print_report(run, Console(file=out, width=width, force_terminal=sys.stdout.isatty(), legacy_windows=False))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()).rstrip()


def print_report(run: Run, console: Console) -> None:
    """Prints the report as wide as the console is, at most 100 columns."""
    console.width = min(console.width, MAX_WIDTH)
    console.print(report(run, console.width), soft_wrap=False)


def report(run: Run, width: int) -> Group:
    """The report as rich renderables.

    All text goes through :class:`~rich.text.Text`, so nothing that a model said is read as markup.
    """
    parts: list[RenderableType] = [
        Text(story.headline(run), style="bold"),
        Text(story.setting(run), style="dim"),
        Text(""),
        Text(story.verdict(run)),
    ]
    parts += [Text(f"! {warning}", style="yellow") for warning in story.warnings(run)]
    for section in sections(run):
        parts += [Text(""), *section_parts(section, width)]
    level = best_level(run.results)
    found = examples(run, level)
    if found:
        parts += [Text(""), Text("Samples", style="bold"), *(x for e in found for x in _example(e, width))]
    return Group(*parts)


def section_parts(section: Section, width: int) -> Iterator[RenderableType]:
    """A section as rich renderables, within ``width`` columns."""
    yield Text(section.title, style="bold")
    yield from (Text(line) for line in section.lead)
    if section.table:
        yield from _tables(section.table, width)
    yield from (Text(line, style="dim") for line in section.remarks)


def _tables(table: Table, width: int) -> Iterator[RenderableType]:
    """A table that fits: without the columns that can be spared, and continued below where that is not enough."""
    widths = [_column_width(table, n) for n in range(len(table.columns))]
    chosen = list(range(len(table.columns)))
    left_out = []
    while not table.foldable and _needed(table, chosen, widths) > width:
        spared = max(chosen, key=lambda n: table.columns[n].spare)
        if table.columns[spared].spare == 0:
            break
        chosen.remove(spared)
        left_out.append(table.columns[spared].name)
    for part in _folds(table, chosen, widths, width):
        yield _rich(table, part, widths)
    if left_out:
        yield Text(f"No room here for: {', '.join(reversed(left_out))}; other formats hold them.", style="dim")


def _folds(table: Table, chosen: list[int], widths: list[int], width: int) -> Iterator[list[int]]:
    """The columns in parts that fit; each begins with those that name the rows."""
    names = _names(table, chosen, widths, width)
    groups: list[list[int]] = []
    for n in chosen[len(names) :]:
        if table.columns[n].beside and groups:
            groups[-1].append(n)
        else:
            groups.append([n])
    part = names
    for group in groups:
        if part != names and _needed(table, [*part, *group], widths) > width:
            yield part
            part = names
        part = [*part, *group]
    yield part


def _names(table: Table, chosen: list[int], widths: list[int], width: int) -> list[int]:
    """The first column, and those of words beside it as far as they leave half of the width."""
    names = chosen[:1]
    for n in chosen[1:-1]:
        if table.columns[n].right or _needed(table, [*names, n], widths) > width / 2:
            break
        names = [*names, n]
    return names


def _needed(table: Table, chosen: list[int], widths: list[int]) -> int:
    """The least width of some columns; the last, where it is words, can be wrapped."""
    last = chosen[-1]
    end = widths[last] if table.columns[last].right or len(chosen) == 1 else min(widths[last], WRAPPED)
    return sum(widths[n] + GAP for n in chosen[:-1]) + end


def _rich(table: Table, chosen: list[int], widths: list[int]) -> RichTable:
    titled = any(c.title for c in table.columns)
    out = RichTable(
        box=box.SIMPLE_HEAD if titled else None,
        show_header=titled,
        show_edge=False,
        padding=(0, GAP - 1 if titled else GAP, 0, 0),  # the box's own divider is the rest of the gap
        pad_edge=False,
    )
    for n in chosen:
        column = table.columns[n]
        wraps = not column.right and n == chosen[-1]
        out.add_column(
            Text(column.title),
            justify="right" if column.right else "left",
            no_wrap=not wraps,
            min_width=None if wraps else widths[n],
        )
    for number, row in enumerate(table.rows):
        last = table.total and number == len(table.rows) - 1
        if last:
            out.add_section()
        out.add_row(*(_cell(table, row[n], n) for n in chosen), style="bold" if last else "")
    return out


def _cell(table: Table, cell: Cell, column: int) -> Text:
    """A cell's text; where any cell of the column has a mark behind it, all leave room for one."""
    text = f"[{cell.text}]" if cell.mark == "target" else cell.text
    behind = {"best": "*", "unclear": "~", "target": ""}.get(cell.mark, "")
    marked = any(row[column].mark in {"best", "unclear"} for row in table.rows)
    if marked and cell.mark != "target":
        behind = behind or " "
    return Text(text + behind, style=STYLES[cell.mark])


def _column_width(table: Table, column: int) -> int:
    head = max(len(line) for line in table.columns[column].title.split("\n"))
    return max([head, *(_cell(table, row[column], column).cell_len for row in table.rows)])


def _example(example: Example, width: int) -> Iterator[RenderableType]:
    answer, base = example.pair.answer, example.pair.base
    condition, document = answer.condition, answer.document
    steering = f", {condition.value} steered" if condition.value else ""
    yield Text(f"{example.title}: a dilemma of {document.value}{steering}", style="italic")
    yield Padding(Text(one_line(document.text, 300)), (0, 0, 0, 2))
    columns = RichTable(box=None, show_header=True, padding=(0, GAP, 0, 0), pad_edge=False)
    sides = [("base", base), ("steered", answer)] if base else [("base", answer)]
    for title, side in sides:
        if side:
            columns.add_column(Text(f"{title} ({verdict_words(side)})"), width=(width - 4 - GAP) // 2, overflow="fold")
    columns.add_row(*(Text(cut(side.sample.answer, ANSWER_LENGTH) or "(empty)") for _, side in sides if side))
    yield Padding(columns, (0, 0, 1, 2))


def verdict_words(answer: Answer) -> str:
    """A dilemma's verdicts: ``for power, fluent``."""
    csr, fr = answer.verdicts.get("csr"), answer.verdicts.get("fr")
    side = {"yes": "for", "no": "against"}.get(csr.label or "" if csr else "")
    words = [f"{side} {answer.document.value}" if side else "unscored"]
    if fr:
        words.append(fr.label or "fluency unscored")
    return ", ".join(words)


def sections_text(parts: Iterable[Section]) -> str:
    """Sections that are no run's, as text for standard output."""
    width = min(MAX_WIDTH, shutil.get_terminal_size((MAX_WIDTH, 24)).columns)
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=sys.stdout.isatty(), legacy_windows=False)
    for number, section in enumerate(parts):
        console.print(Group(*([Text("")] if number else []), *section_parts(section, width)), soft_wrap=False)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()).rstrip()
