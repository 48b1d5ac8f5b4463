"""What verbs that list things share: plain tables, JSON, sizes in words."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from valuebench_harness.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

PLAIN_WIDTH = 100
"""Columns of what is not written to a terminal."""

UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


class ListFormat(StrEnum):
    """Formats of verbs that list."""

    text = "text"
    json = "json"


Format = Annotated[ListFormat, typer.Option("--format", help="text or json.")]


def show_json(records: Any) -> None:
    """Prints dataclasses, or a list of them, as JSON."""
    plain = [dataclasses.asdict(r) for r in records] if isinstance(records, list) else dataclasses.asdict(records)
    typer.echo(json.dumps(plain, indent=1, default=str))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()) -> Table:
    """A table without frames; cells are taken literally, not as markup.

    Args:
        columns: headers.
        rows: cells, turned into text.
        right: headers of the columns that are aligned right.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    made = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold", justify="right" if column in right else "left")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(str(cell)) for cell in row))
    return made


def show(*parts: Any) -> None:
    """Prints tables and text to the terminal, text literally."""
    from rich.console import Console

    # Where there is no terminal, rich would take 80 columns.
    console = Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else PLAIN_WIDTH)
    for part in parts:
        console.print(part, markup=False, highlight=False, soft_wrap=isinstance(part, str))


def size_text(count: float) -> str:
    """A number of bytes in words, such as ``1.2 GB``."""
    for unit, one in reversed(UNITS.items()):
        if count >= one:
            number = count / one
            return f"{number:.0f} {unit}" if unit == "B" or number >= 100 else f"{number:.1f} {unit}"
    return "0 B"


def parse_size(text: str, option: str) -> int:
    """A number of bytes as users write it: ``2GB``, ``500 MB``, ``1000``.

    Raises:
        UsageError: where it is no size.
    """
    compact = text.replace(" ", "").upper()
    unit = next((u for u in sorted(UNITS, key=len, reverse=True) if compact.endswith(u)), "")
    try:
        number = float(compact.removesuffix(unit))
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise UsageError(f"{option} '{text}' is no size; write it as 2GB, 500MB or 1000 (bytes).")
    return int(number * UNITS.get(unit, 1))


def short_path(path: Path) -> str:
    """A path below the working folder or the home folder, written from there."""
    for root, mark in ((Path.cwd(), ""), (Path.home(), "~/")):
        if path.is_relative_to(root) and path != root:
            return f"{mark}{path.relative_to(root)}"
    return str(path)
