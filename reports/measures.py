"""The table of results: a condition a row, a measure a column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from valuebench_harness.harness.results import ConditionResult
from valuebench_harness.metrics.ids import METRICS
from valuebench_harness.reports.cells import change_cell, effect_cell
from valuebench_harness.reports.clean import one_line
from valuebench_harness.reports.numbers import NONE, percent, points, rate_interval
from valuebench_harness.reports.table import Cell, Column, Table, mark_best


@dataclass(frozen=True)
class Measure:
    """A column of the table of results.

    Attributes:
        column: its title and how easily it is spared.
        cell: what a condition's cell says.
        rank: the number by which the best is marked; ``None`` marks none.
        highest: whether higher is better.
        told_once: where all rows say the same, the heading does too, and there is no column.
    """

    column: Column
    cell: Callable[[ConditionResult], Cell]
    rank: Callable[[ConditionResult], float | None] | None = None
    highest: bool = True
    told_once: bool = False


def _csr(r: ConditionResult) -> float | None:
    return r.csr.after.estimate if r.csr else None


def _success(r: ConditionResult) -> float | None:
    return r.success.after.estimate if r.success else None


def _consistency(r: ConditionResult) -> float | None:
    return r.consistency.rate.estimate if r.consistency else None


def _ungated_exam(r: ConditionResult) -> float | None:
    return r.exam.ungated.after.estimate if r.exam and r.exam.ungated else None


def _unscored(r: ConditionResult) -> int:
    return sum(effect.after.unscored for effect in (r.csr, r.fr) if effect)


MEASURES = (
    Measure(Column("CSR", full="CSR without → with"), lambda r: effect_cell(r.csr, drawn=True), _csr),
    Measure(Column("95%", spare=5, full="95% interval"), lambda r: Cell(rate_interval(r.csr.after) if r.csr else NONE)),
    Measure(Column("change"), lambda r: change_cell(r.csr.change if r.csr else None)),
    Measure(Column("FR", spare=3, full="FR without → with"), lambda r: effect_cell(r.fr)),
    Measure(
        Column("side+\nfluent", full="on side + fluent"), lambda r: Cell(percent(_success(r), sign=False)), _success
    ),
    Measure(
        Column("con-\nsist.", spare=6, full="consistency"),
        lambda r: Cell(percent(_consistency(r), sign=False)),
        _consistency,
    ),
    Measure(
        Column("exam", spare=2, full="exam without → with"), lambda r: effect_cell(r.exam.gated if r.exam else None)
    ),
    Measure(Column("no\ngate", spare=4, full="exam, no gate"), lambda r: Cell(percent(_ungated_exam(r), sign=False))),
    Measure(
        Column("side\neff.", full="side effects"),
        lambda r: Cell(points(r.entanglement).lstrip("+")),
        lambda r: r.entanglement,
        highest=METRICS["side_effects"].higher_is_better,
    ),
    Measure(
        Column("x", spare=7, full="strength"),
        lambda r: Cell(f"{r.condition.strength:g}" if r.condition.value else ""),
        told_once=True,
    ),
    Measure(Column("un-\nscored", spare=8, full="unscored"), lambda r: Cell(str(_unscored(r)))),
)


def results_table(
    title: str, named: Sequence[tuple[str, ConditionResult]], total: tuple[str, ConditionResult] | None = None
) -> Table:
    """Results as a table, the best of each measure marked, measures that tell nothing left out.

    Args:
        title: of the first column; a measure of this name is what the rows are named by, and no column of its own.
        named: rows with their names.
        total: the row that sums them up; it is not compared.
    """
    results = [r for _, r in named]
    measures = [
        m
        for m in MEASURES
        if m.column.name != title
        and (told := {m.cell(r).text for r in results} - {NONE, ""})
        and not (m.told_once and len(told) == 1)
    ]
    rows = [(Cell(one_line(name, 24)), *(m.cell(r) for m in measures)) for name, r in named]
    for place, measure in enumerate(measures, 1):
        if measure.rank:
            rows = mark_best(rows, place, [measure.rank(r) for r in results], highest=measure.highest)
    if total:
        rows.append((Cell(total[0]), *(m.cell(total[1]) for m in measures)))
    return Table(
        columns=(Column(title, right=False), *(m.column for m in measures)), rows=tuple(rows), total=total is not None
    )
