"""Columns that no discovery can use, taken out before it sees them and named in what it says.

causal-learn 0.1.4 keeps a constant column adjacent to everything, stops at a copy of a column with a
singular matrix, and at a missing number with an assertion.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from valuebench_harness.causal.table import OrientationTable
from valuebench_harness.errors import UsageError

MISSING_SHARE = 0.2
"""A value without an orientation in more rows than this is left out, rather than all these rows."""

COPY = 1 - 1e-9
"""Absolute correlation from which on a column is a copy of another."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """A table that discovery can use.

    Attributes:
        table: without missing numbers, constant columns and copies.
        left_out: values that were left out, and why.
        rows_left_out: rows with a missing number.
    """

    table: OrientationTable
    left_out: dict[str, str]
    rows_left_out: int


def prepare(table: OrientationTable) -> Prepared:
    """Leaves out values with too many missing numbers, rows with any, constant values and copies.

    Raises:
        UsageError: fewer than two values, or fewer rows than values, are left.
    """
    left_out: dict[str, str] = {}
    table = _without(table, dict(_mostly_missing(table)), left_out)
    complete = ~np.isnan(table.scores).any(axis=1)
    dropped = int((~complete).sum())
    table = table.rows(np.flatnonzero(complete))
    table = _without(table, dict(_constant(table)), left_out)
    table = _without(table, dict(_copies(table)), left_out)
    if len(table.values) < 2:
        told = "; ".join(f"{value} is {why}" for value, why in left_out.items()) or "the table has one column"
        raise UsageError(f"{table.source}: no two values vary, so there is no graph to find ({told}).")
    # A correlation matrix of rank n - 1 must hold all values and leave a degree of freedom to each test.
    if len(table) < len(table.values) + 3:
        raise UsageError(
            f"{table.source}: {len(table)} complete rows for {len(table.values)} values are too few; "
            f"give at least {len(table.values) + 3}."
        )
    return Prepared(table, left_out, dropped)


def _without(table: OrientationTable, reasons: dict[str, str], left_out: dict[str, str]) -> OrientationTable:
    left_out.update(reasons)
    return table.of_values([value for value in table.values if value not in reasons])


def _mostly_missing(table: OrientationTable) -> Iterator[tuple[str, str]]:
    for value, column in zip(table.values, table.scores.T, strict=True):
        missing = int(np.isnan(column).sum())
        if missing > MISSING_SHARE * len(column):
            yield value, f"missing in {missing} of {len(column)} rows"


def _constant(table: OrientationTable) -> Iterator[tuple[str, str]]:
    for value, column in zip(table.values, table.scores.T, strict=True):
        if len(column) == 0 or np.ptp(column) < 1e-12:
            yield value, "constant"


def _copies(table: OrientationTable) -> Iterator[tuple[str, str]]:
    if len(table.values) < 2 or len(table) < 2:
        return
    correlation = np.abs(np.corrcoef(table.scores.T))
    copied: set[int] = set()
    for later in range(1, len(table.values)):
        for earlier in range(later):
            if earlier not in copied and correlation[earlier, later] > COPY:
                copied.add(later)
                yield table.values[later], f"a copy of {table.values[earlier]}"
                break
