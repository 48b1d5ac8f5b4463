"""Two runs side by side: a verdict on each metric, and the items that flipped."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.text import Text

from valuebench_harness.errors import unknown_name
from valuebench_harness.harness.compare.flips import Flip
from valuebench_harness.harness.compare.verdicts import Comparison, MetricVerdict
from valuebench_harness.harness.run import Answer
from valuebench_harness.metrics.ids import METRICS
from valuebench_harness.reports.clean import cut, one_line
from valuebench_harness.reports.markdown import escape, section_lines
from valuebench_harness.reports.numbers import NONE, percent, points
from valuebench_harness.reports.table import Cell, Column, Section, Table
from valuebench_harness.reports.text import MAX_WIDTH, section_parts

SHOWN_FLIPS = 6
ANSWER_LENGTH = 300


def render_comparison(comparison: Comparison, found: Sequence[Flip], output: str) -> str:
    """A comparison in a format.

    Args:
        comparison: of two runs, or of a run and a baseline.
        found: items that flipped; empty where one side holds no answers.
        output: ``text``, ``md`` or ``json``.

    Raises:
        UsageError: for an unknown format.
    """
    if output not in COMPARISON_FORMATS:
        raise unknown_name("format", output, COMPARISON_FORMATS)
    return COMPARISON_FORMATS[output](comparison, found)


def headline(comparison: Comparison) -> str:
    """The outcome in one sentence."""
    worse = [METRICS[m.metric].title for m in comparison.regressed]
    if worse:
        return f"Regression: {', '.join(worse)} {'is' if len(worse) == 1 else 'are'} worse in {comparison.second}."
    if not comparison.metrics or len(comparison.incomparable) == len(comparison.metrics):
        return "Nothing could be compared."
    better = [METRICS[m.metric].title for m in comparison.metrics if m.verdict == "better"]
    return f"No regression shown{f'; better: {chr(44).join(better)}' if better else ''}."


def comparison_section(comparison: Comparison) -> Section:
    """The table of verdicts."""
    columns = (
        Column("metric", right=False),
        Column("first"),
        Column("second"),
        Column("change"),
        Column("95%", full="95% interval"),
        Column("n", spare=2),
        Column("flips", spare=1, full="fell / rose"),
        Column("verdict", right=False),
    )
    rows = tuple(_row(m) for m in comparison.metrics)
    return Section(
        key="comparison",
        title=f"{comparison.first} (first) and {comparison.second} (second)",
        table=Table(columns, rows),
        remarks=(
            f"Worse: shown to be worse by more than a margin of {comparison.margin:g}, at most "
            f"{comparison.alpha:.0%} false alarms over all metrics (Holm). Paired on the same items.",
        ),
    )


def verdict_in_words(m: MetricVerdict) -> str:
    """The verdict with what it rests on."""
    if m.verdict == "not comparable":
        return f"not comparable: {one_line(m.reason, 120)}"
    if m.verdict == "worse" and m.adjusted is not None:
        return f"WORSE (p {m.adjusted:.2g})"
    if m.verdict == "no difference shown" and m.detectable is not None:
        return f"none shown ({100 * m.detectable:.0f} points would be)"
    return m.verdict


def _row(m: MetricVerdict) -> tuple[Cell, ...]:
    interval = NONE if m.low is None else f"{points(m.low)}..{points(m.high)}"
    changed = NONE if m.estimate is None else f"{m.down} / {m.up}"
    unscored = f" ({m.unscored} unscored)" if m.unscored else ""
    return (
        Cell(METRICS[m.metric].title),
        Cell(percent(m.before)),
        Cell(percent(m.after)),
        Cell(points(m.estimate)),
        Cell(interval),
        Cell(str(m.n) if m.n else NONE),
        Cell(changed),
        Cell(verdict_in_words(m) + unscored, "best" if m.verdict == "better" else ""),
    )


def _text(comparison: Comparison, found: Sequence[Flip]) -> str:
    width = min(MAX_WIDTH, shutil.get_terminal_size((MAX_WIDTH, 24)).columns)
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=sys.stdout.isatty(), legacy_windows=False)
    console.print(Text(headline(comparison), style="bold red" if comparison.regressed else "bold"))
    for note in comparison.notes:
        console.print(Text(f"! {one_line(note, 300)}", style="yellow"))
    console.print()
    for part in section_parts(comparison_section(comparison), width):
        console.print(part)
    for flip in found[:SHOWN_FLIPS]:
        console.print()
        console.print(Text(_title(flip), style="italic"))
        console.print(Text(f"  {one_line(flip.first.document.text, 300)}"))
        for name, answer in (("first ", flip.first), ("second", flip.second)):
            console.print(Text(f"  {name}  {one_line(_said(answer), ANSWER_LENGTH)}"))
    if len(found) > SHOWN_FLIPS:
        console.print(Text(f"\n{len(found) - SHOWN_FLIPS} more flips: --format json", style="dim"))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()).rstrip()


def _title(flip: Flip) -> str:
    about = flip.second.condition.value if flip.metric == "csr" else "exam"
    return f"{flip.change.capitalize()}: {about}, {flip.first.document.id}"


def _said(answer: Answer) -> str:
    if answer.document.kind != "exam":
        return cut(answer.sample.answer, ANSWER_LENGTH) or "(empty)"
    choice = answer.sample.choice
    return answer.document.options[choice] if choice is not None else "(none)"


def _markdown(comparison: Comparison, found: Sequence[Flip]) -> str:
    lines = [f"# {escape(headline(comparison))}", *(f"\n> {escape(n)}" for n in comparison.notes), ""]
    lines += section_lines(comparison_section(comparison))
    if found:
        lines += ["", "## Flipped items", "", "| item | change | first | second |", "|:--|:--|:--|:--|"]
    for flip in found:
        said = (escape(one_line(_said(a), ANSWER_LENGTH)) for a in (flip.first, flip.second))
        lines.append(f"| {escape(flip.first.document.id)} | {flip.change} | {' | '.join(said)} |")
    return "\n".join(lines) + "\n"


def _json(comparison: Comparison, found: Sequence[Flip]) -> str:
    data = comparison.model_dump(mode="json")
    data["flips"] = [
        {
            "metric": flip.metric,
            "change": flip.change,
            "condition": flip.second.condition.id,
            "document": flip.first.document.id,
            "question": flip.first.document.text,
            "first": _said(flip.first),
            "second": _said(flip.second),
        }
        for flip in found
    ]
    return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


COMPARISON_FORMATS: dict[str, Callable[[Comparison, Sequence[Flip]], str]] = {
    "text": _text,
    "md": _markdown,
    "json": _json,
}
