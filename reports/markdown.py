"""The report in GitHub's Markdown: for a pull request, a README or a notebook."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator

from valuebench_harness.harness.run import Answer, Run
from valuebench_harness.reports import story
from valuebench_harness.reports.clean import cut, one_line
from valuebench_harness.reports.facts import facts
from valuebench_harness.reports.levels import best_level
from valuebench_harness.reports.pairs import Example, examples
from valuebench_harness.reports.sections import sections
from valuebench_harness.reports.table import Cell, Section, Table
from valuebench_harness.reports.text import verdict_words

ANSWER_LENGTH = 2_000
_SPECIAL = re.compile(r"([\\`*_\[\]|~$])|^(\s*)([#+-]|\d+(?=[.)](?:\s|$)))", re.MULTILINE)


def render_markdown(run: Run) -> str:
    """The whole report as GitHub-flavoured Markdown."""
    lines = [
        f"# {escape(story.headline(run))}",
        "",
        escape(story.setting(run)),
        "",
        f"**{escape(story.verdict(run))}**",
    ]
    for warning in story.warnings(run):
        lines += ["", f"> {escape(warning)}"]
    for section in sections(run, everything=True):
        lines += ["", *section_lines(section)]
    lines += ["", "## Samples", "", "All of them are in `report.html` and `samples.parquet`."]
    for example in examples(run, best_level(run.results)):
        lines += ["", *_example(example)]
    lines += ["", "## The run", "", "| | |", "|:--|:--|", *(f"| {escape(k)} | {_code(v)} |" for k, v in facts(run))]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Text that Markdown, and the HTML inside it, shows as it is; nobody is mentioned by ``@``."""

    def inert(match: re.Match[str]) -> str:
        anywhere, indent, leading = match.groups()
        if anywhere:
            return f"\\{anywhere}"
        return f"{indent}&#{ord(leading[0])};{leading[1:]}"

    return _SPECIAL.sub(inert, html.escape(text, quote=False)).replace("@", "@&#8203;")


def _code(text: str) -> str:
    """An inline code span inside a table, with a fence that the text does not hold."""
    fence = "`" * (max([0, *map(len, re.findall("`+", text))]) + 1)
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{text.replace('|', chr(92) + '|')}{pad}{fence}"


def section_lines(section: Section) -> Iterator[str]:
    """A section as lines of Markdown."""
    yield f"## {escape(section.title)}"
    for line in section.lead:
        yield from ("", escape(line))
    if section.table:
        yield ""
        yield from _table(section.table)
    for line in section.remarks:
        yield from ("", f"<sub>{escape(line)}</sub>")


def _table(table: Table) -> Iterator[str]:
    yield _row([escape(c.name) for c in table.columns])
    yield _row(["--:" if c.right else ":--" for c in table.columns])
    for number, row in enumerate(table.rows):
        last = table.total and number == len(table.rows) - 1
        yield _row([_cell(cell, bold=last) for cell in row])


def _row(texts: list[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _cell(cell: Cell, *, bold: bool) -> str:
    text = escape(cell.text)
    if cell.mark == "target":
        return f"**\\[{text}\\]**"
    behind = {"best": "\\*", "unclear": "\\~"}.get(cell.mark, "")
    return f"**{text}{behind}**" if text and (bold or cell.mark == "best") else text + behind


def _example(example: Example) -> Iterator[str]:
    answer, base = example.pair.answer, example.pair.base
    steering = f", {answer.condition.value} steered" if answer.condition.value else ""
    yield f"### {escape(f'{example.title}: a dilemma of {answer.document.value}{steering}')}"
    yield ""
    yield escape(one_line(answer.document.text, ANSWER_LENGTH))
    yield ""
    if base is None:
        yield from _answer("base", answer)
        return
    yield from _answer("base", base)
    yield ""
    yield from _answer("steered", answer)


def _answer(title: str, answer: Answer) -> Iterator[str]:
    """An answer inside ``<pre>``, where Markdown reads nothing until the tag ends."""
    yield f"{title} ({escape(verdict_words(answer))}):"
    yield ""
    yield f"<pre>{html.escape(cut(answer.sample.answer, ANSWER_LENGTH), quote=False) or '(empty)'}</pre>"


def sections_markdown(title: str, parts: Iterable[Section]) -> str:
    """Sections that are no run's, as a Markdown document."""
    return "\n".join([f"# {escape(title)}", *(line for part in parts for line in ("", *section_lines(part)))]) + "\n"
