"""Tables and sections before they take a format: what text and Markdown share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

Mark = Literal["", "best", "unclear", "target"]
"""What a cell says beside its number: best of its column; an interval that covers no change; the value aimed at."""

MAX_TIES = 2


@dataclass(frozen=True)
class Span:
    """Shares in [0, 1] for a page to draw: a rate with its interval, and the rate before steering."""

    estimate: float
    low: float
    high: float
    before: float | None = None


@dataclass(frozen=True)
class Cell:
    """Text with a mark; untrusted parts are cleaned by whoever makes the cell.

    Attributes:
        text: what it says.
        mark: what it says beside its number.
        note: the same at length, where there is room for it.
        span: what a page draws beside the text.
        heat: in [-1, 1]: how strongly a page colours the cell, and which way.
    """

    text: str
    mark: Mark = ""
    note: str = ""
    span: Span | None = None
    heat: float | None = None


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        title: may hold a newline.
        full: the title where there is room for it; else the same.
        right: numbers stand to the right.
        spare: which column goes first where there is no room: the highest; 0 always stays.
        beside: it says more of the column before it, so that the two are never parted.
    """

    title: str
    right: bool = True
    spare: int = 0
    full: str = ""
    beside: bool = False

    @property
    def name(self) -> str:
        """The title at length, on one line."""
        return self.full or self.title.replace("\n", " ")


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        columns: of it.
        rows: cells by row.
        total: the last row sums up the others.
        foldable: too many columns are continued below, and none is left out.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: bool = False
    foldable: bool = False


@dataclass(frozen=True)
class Section:
    """A part of a report: lead-in, table, remarks; ``key`` names it in links."""

    key: str
    title: str
    lead: tuple[str, ...] = ()
    table: Table | None = None
    remarks: tuple[str, ...] = ()


def cells(*texts: str) -> tuple[Cell, ...]:
    """A row without marks."""
    return tuple(map(Cell, texts))


def mark_best(
    rows: Sequence[tuple[Cell, ...]], column: int, numbers: Sequence[float | None], *, highest: bool = True
) -> list[tuple[Cell, ...]]:
    """Marks the best cell of a column, unless it is the only one or one of many.

    Args:
        rows: to compare.
        column: its place.
        numbers: what the cells show, exactly, in the order of ``rows``.
        highest: whether higher is better.
    """
    known = [n for n in numbers if n is not None]
    if len(known) < 2:
        return list(rows)
    best = max(known) if highest else min(known)
    if known.count(best) > MAX_TIES or known.count(best) == len(known):
        return list(rows)
    return [
        (*row[:column], replace(row[column], mark="best"), *row[column + 1 :]) if number == best else row
        for row, number in zip(rows, numbers, strict=True)
    ]


def short_names(names: Sequence[str], length: int) -> dict[str, str]:
    """Names cut to ``length`` characters and still told apart."""
    out: dict[str, str] = {}
    for name in names:
        short, number = name[:length], 2
        while short in out.values():
            short = f"{name[: length - len(str(number))]}{number}"
            number += 1
        out[name] = short
    return out
