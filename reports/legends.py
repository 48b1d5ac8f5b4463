"""What stands below a table: its marks and columns explained, as far as they are in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from valuebench_harness.harness.results import Effect
from valuebench_harness.metrics.ids import METRICS
from valuebench_harness.reports.numbers import on_fewer
from valuebench_harness.reports.table import Mark, Table

MARKS: dict[Mark, str] = {
    "best": "* best of its column.",
    "unclear": "~ the 95% interval of the change covers 0: no difference shown.",
}

COLUMNS = {
    "CSR without → with": f"CSR: {METRICS['csr'].meaning}, without → with steering",
    "exam, no gate": "no gate: the exam when every answer is steered",
    "side effects": f"side effects: {METRICS['side_effects'].meaning}, in points",
    "strength": "x: strength",
}
"""Names of columns of the table of results to what they mean."""

ON_FEWER = (
    "Changes count the items scored on both sides, rates all that are scored: here they are not the same items, and a "
    "change need not be the difference of its rates."
)


def marks(*tables: Table) -> Iterator[str]:
    """The marks that stand in any of the tables, explained in one line; nothing where there is none."""
    found = {cell.mark for table in tables for row in table.rows for cell in row}
    words = " ".join(text for mark, text in MARKS.items() if mark in found)
    if words:
        yield words


def columns(*tables: Table) -> Iterator[str]:
    """The columns of tables of results, explained in one line."""
    found = {column.name for table in tables for column in table.columns}
    words = "; ".join(text for name, text in COLUMNS.items() if name in found)
    if words:
        yield f"{words}."


def fewer(effects: Iterable[Effect | None]) -> Iterator[str]:
    """What changes count, where one rests on fewer answers than the rates beside it."""
    known = [e for e in effects if e and e.change.estimate is not None]
    if any(on_fewer(e.change, e.before, e.after) for e in known):
        yield ON_FEWER
