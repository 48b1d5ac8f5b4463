"""The leaderboard as Markdown, text, CSV, JSON and a page with a sortable table and a plot."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rich.console import Console

from valuebench_harness.errors import UsageError, unknown_name
from valuebench_harness.harness.leaderboard.board import Board, Leaderboard, Ranked, damage
from valuebench_harness.metrics.rates import Rate
from valuebench_harness.reports.clean import one_line
from valuebench_harness.reports.data import inert
from valuebench_harness.reports.markdown import escape, section_lines
from valuebench_harness.reports.numbers import NONE, counted, percent, points, rate_interval, seconds
from valuebench_harness.reports.page import render_page
from valuebench_harness.reports.table import Cell, Column, Section, Span, Table
from valuebench_harness.reports.text import MAX_WIDTH, section_parts

SHOWN_VALUES = 3

HOW_TO_READ = (
    "Rank: one more than the number of methods shown to answer better on the side aimed at and fluently, on the same "
    "items, by paired tests with at most 5% chance of any false order (Holm); methods that cannot be told apart share "
    "one. Unscored answers count as failures. 95% intervals in percent. A dot marks the front: no other method has as "
    "much effect with less damage (side effects and loss in the exam)."
)


def render_leaderboard(leaderboard: Leaderboard, output: str) -> str:
    """A leaderboard in a format.

    Raises:
        UsageError: for an unknown format.
    """
    check_leaderboard_format(output)
    return LEADERBOARD_FORMATS[output](leaderboard)


def check_leaderboard_format(output: str) -> None:
    """Refuses a format that does not exist, before anything is run.

    Raises:
        UsageError: for an unknown one.
    """
    if output not in LEADERBOARD_FORMATS:
        raise unknown_name("format", output, LEADERBOARD_FORMATS)


def narrowed(leaderboard: Leaderboard, text: str) -> Leaderboard:
    """The rows whose model or method holds a text; ranks stay those among all methods.

    Raises:
        UsageError: where no row is left.
    """
    wanted = text.lower()
    boards = []
    for board in leaderboard.boards:
        whole = wanted in board.model.lower()
        rows = tuple(row for row in board.rows if whole or wanted in row.entry.method.lower())
        if rows:
            boards.append(board.model_copy(update={"rows": rows}))
    if not boards:
        raise UsageError(f"--only '{text}' leaves no model and no method.")
    return leaderboard.model_copy(update={"boards": tuple(boards)})


def board_section(board: Board) -> Section:
    """A board as a table."""
    columns = (
        Column("rank"),
        Column("method", right=False),
        Column("side+\nfluent", full="on side + fluent"),
        Column("95%", spare=3, full="95% interval"),
        Column("CSR", spare=2),
        Column("FR", spare=4),
        Column("exam", spare=1, full="exam change, points"),
        Column("side\neff.", full="side effects"),
        Column("con-\nsist.", spare=6, full="consistency"),
        Column("score", spare=5, full="harmonic score"),
        Column("tokens", spare=8, full="tokens an answer, read + written"),
        Column("fit", spare=7, full="time to fit"),
        Column("strength", right=False, spare=9),
    )
    values = ", ".join(board.values[:SHOWN_VALUES])
    more = len(board.values) - SHOWN_VALUES
    named = f"{values} and {more} more" if more > 0 else values
    towards = "towards" if board.direction == "positive" else "away from"
    first = board.rows[0].entry
    return Section(
        key=f"board-{board.items}-{board.direction}",
        title=f"{one_line(board.model, 60)}: {towards} {one_line(named, 100)}",
        table=Table(columns, tuple(_row(r) for r in board.rows)),
        remarks=(
            f"{counted(first.success.clusters, 'item')} of {counted(len(board.values), 'value')}, "
            f"questions {board.items}, model {board.revision[:12]}.",
        ),
    )


def _row(row: Ranked) -> tuple[Cell, ...]:
    e = row.entry
    exam = points(e.exam_change.estimate) if e.exam_change else NONE
    unclear = e.exam_change is not None and not e.exam_change.shown
    return (
        Cell(str(row.rank)),
        Cell(one_line(e.method, 40) + (" •" if row.on_front else "")),
        Cell(percent(e.success.estimate), span=_span(e.success)),
        Cell(rate_interval(e.success)),
        Cell(percent(e.csr.estimate)),
        Cell(percent(e.fr.estimate)),
        Cell(exam, "unclear" if unclear else ""),
        Cell(points(e.side_effects).lstrip("+")),
        Cell(percent(e.consistency.estimate if e.consistency else None)),
        Cell(NONE if e.score is None else f"{e.score:.2f}"),
        Cell(f"{e.prompt_tokens:.0f} + {e.new_tokens:.0f}"),
        Cell(seconds(e.fit_seconds) if e.fit_seconds else NONE),
        Cell(_strength(e.strengths, e.chosen)),
    )


def _span(rate: Rate) -> Span | None:
    if rate.estimate is None or rate.low is None or rate.high is None:
        return None
    return Span(rate.estimate, rate.low, rate.high)


def _strength(strengths: Mapping[str, float], chosen: str) -> str:
    if not strengths:
        return NONE
    low, high = min(strengths.values()), max(strengths.values())
    return (f"{low:g}" if low == high else f"{low:g} to {high:g}") + f" ({chosen})"


def _sections(leaderboard: Leaderboard) -> list[Section]:
    return [board_section(board) for board in leaderboard.boards]


def _refused(leaderboard: Leaderboard) -> list[str]:
    return [f"Not counted: {r.run}: {'; '.join(r.reasons)}." for r in leaderboard.refused]


def _markdown(leaderboard: Leaderboard) -> str:
    lines = ["# Leaderboard", "", escape(HOW_TO_READ)]
    for section in _sections(leaderboard):
        lines += ["", *section_lines(section)]
    lines += [f"\n> {escape(text)}" for text in _refused(leaderboard)]
    return "\n".join(lines) + "\n"


def _text(leaderboard: Leaderboard) -> str:
    out = io.StringIO()
    console = Console(file=out, width=MAX_WIDTH, legacy_windows=False)
    for section in _sections(leaderboard):
        for part in section_parts(section, MAX_WIDTH):
            console.print(part)
        console.print()
    console.print(HOW_TO_READ, markup=False, highlight=False)
    for text in _refused(leaderboard):
        console.print(one_line(text, 400), markup=False, highlight=False)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()).rstrip()


def _rows(leaderboard: Leaderboard) -> Iterator[dict[str, Any]]:
    for board in leaderboard.boards:
        for row in board.rows:
            e = row.entry
            yield {
                "model": e.model,
                "revision": e.revision,
                "direction": e.direction,
                "values": " ".join(e.values),
                "items": e.items,
                "rank": row.rank,
                "method": e.method,
                "front": row.on_front,
                **{f"{n}{end}": x for n in ("success", "csr", "fr", "exam") for end, x in _ends(getattr(e, n))},
                "exam_change": e.exam_change.estimate if e.exam_change else None,
                "consistency": e.consistency.estimate if e.consistency else None,
                "side_effects": e.side_effects,
                "score": e.score,
                "prompt_tokens": e.prompt_tokens,
                "new_tokens": e.new_tokens,
                "fit_seconds": e.fit_seconds,
                "unscored": e.unscored,
                "chosen": e.chosen,
            }


def _ends(rate: Rate | None) -> list[tuple[str, float | int | None]]:
    if rate is None:
        return [("", None), ("_low", None), ("_high", None), ("_n", None)]
    return [("", rate.estimate), ("_low", rate.low), ("_high", rate.high), ("_n", rate.n)]


def _csv(leaderboard: Leaderboard) -> str:
    rows = list(_rows(leaderboard))
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: "" if v is None else inert(v) for k, v in row.items()})
    return out.getvalue()


def _json(leaderboard: Leaderboard) -> str:
    return leaderboard.model_dump_json(indent=1) + "\n"


def _html(leaderboard: Leaderboard) -> str:
    boards = [
        {"section": board_section(board), "points": [_point(row) for row in board.rows]} for board in leaderboard.boards
    ]
    return render_page(
        "leaderboard.html.j2",
        css=("report.css", "leaderboard.css"),
        js="leaderboard.js",
        boards=boards,
        how=HOW_TO_READ,
        refused=_refused(leaderboard),
    )


def _point(row: Ranked) -> dict[str, Any]:
    """A method's place in the plot of effect against damage."""
    s = row.entry.success
    return {
        "method": row.entry.method,
        "front": row.on_front,
        "damage": damage(row.entry),
        "effect": s.estimate or 0.0,
        "low": s.low or 0.0,
        "high": s.high or 0.0,
    }


LEADERBOARD_FORMATS: dict[str, Callable[[Leaderboard], str]] = {
    "text": _text,
    "md": _markdown,
    "csv": _csv,
    "json": _json,
    "html": _html,
}
