"""Control success value by value, where a run steers several at once."""

from __future__ import annotations

from valuebench_harness.reports import legends
from valuebench_harness.reports.cells import change_cell, rate_cell
from valuebench_harness.reports.clean import one_line
from valuebench_harness.reports.levels import Level
from valuebench_harness.reports.numbers import percent, rate_interval
from valuebench_harness.reports.table import Cell, Column, Section, Table


def by_target(level: Level, *, several: bool) -> Section:
    """One row for each value of each combination, on the side that its weight aims at.

    Args:
        level: the strength.
        several: the run has others.
    """
    columns = (
        Column("steered", right=False),
        Column("target", right=False),
        Column("towards"),
        Column("base"),
        Column("CSR"),
        Column("95%"),
        Column("change"),
        Column("n"),
    )
    effects = [effect for r in level.conditions for effect in r.csr_by_target.values()]
    rows = tuple(
        (
            Cell(one_line(str(r.condition.value), 40)),
            Cell(one_line(value, 24)),
            Cell("for" if r.condition.aim(value) > 0 else "against"),
            Cell(percent(effect.before.estimate, sign=False)),
            rate_cell(effect.after),
            Cell(rate_interval(effect.after)),
            change_cell(effect.change),
            Cell(str(effect.after.n)),
        )
        for r in level.conditions
        for value, effect in r.csr_by_target.items()
    )
    place = f", strength {level.strength}" if several else ""
    table = Table(columns, rows)
    return Section(
        f"targets-{level.number}",
        f"Several values at once{place} (%, changes in points)",
        table=table,
        remarks=(*legends.marks(table), *legends.fewer(effects)),
    )
