"""The tables of a run, in the order in which a reader needs them.

Every function here takes stored results and gives a :class:`Section`; a new report part is a
function and a line in :func:`sections`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from valuebench_harness.harness.results import Exam, Results
from valuebench_harness.harness.run import Run
from valuebench_harness.metrics.rates import LEVEL
from valuebench_harness.reports import legends
from valuebench_harness.reports.cells import change_cell, rate_cell
from valuebench_harness.reports.clean import one_line
from valuebench_harness.reports.cost import cost_rows
from valuebench_harness.reports.evidence import dose_response, evidence
from valuebench_harness.reports.foretold import foretold
from valuebench_harness.reports.levels import Level, best_level, levels
from valuebench_harness.reports.measures import results_table
from valuebench_harness.reports.numbers import NONE, percent, rate_interval
from valuebench_harness.reports.settled import settled
from valuebench_harness.reports.table import Cell, Column, Section, Table, cells, short_names
from valuebench_harness.reports.targets import by_target

FEW = 4
"""Scenes named at each end."""


def sections(run: Run, *, everything: bool = False) -> Iterator[Section]:
    """All sections of a run but its samples.

    Args:
        run: a finished run.
        everything: all strengths' matrices, all scenes and the exam by itself, not only what fits a terminal.
    """
    results = run.results
    best = best_level(results)
    if best is None:
        yield base_by_value(results)
    else:
        found = levels(results)
        if len(found) > 1:
            yield by_strength(found)
        if results.doses:
            yield dose_response(results.doses, found)
        for level in found:
            yield by_value(level, several=len(found) > 1, explained=found if level is found[-1] else ())
        for level in found if everything else (best,):
            if any(r.csr_by_target for r in level.conditions):
                yield by_target(level, several=len(found) > 1)
            if level.off_target():
                yield side_effects(level, several=len(found) > 1)
            if results.causal:
                yield from foretold(results.causal, level, several=len(found) > 1, everything=everything)
        if everything and best.pooled.exam:
            yield exam(best.pooled.exam)
        worth = evidence(best)
        if worth.table and worth.table.rows:
            yield worth
        if any(rate.estimate is not None for rate in best.pooled.scenes.values()):
            yield by_scene(best, everything=everything)
        if any(r.orientations for r in best.conditions):
            yield orientations(best, everything=everything)
    yield from settled(results, everything=everything)
    if results.lm_eval:
        yield lm_eval(results)
    yield Section(
        "cost", "Cost", table=Table((Column("", right=False), Column("", right=False)), tuple(cost_rows(run)))
    )


def base_by_value(results: Results) -> Section:
    """The unsteered model."""
    columns = (
        Column("value", right=False),
        Column("acts for it"),
        Column("95%"),
        Column("FR"),
        Column("n"),
        Column("unscored"),
    )
    rows = [
        (
            Cell(one_line(value, 24)),
            rate_cell(base.favour),
            Cell(rate_interval(base.favour)),
            Cell(percent(base.fr.estimate, sign=False)),
            *cells(str(base.favour.n), str(base.favour.unscored)),
        )
        for value, base in results.base.items()
    ]
    found = results.base_exam
    lead = (
        [f"Exam: {percent(found.estimate)} of {found.n} right, 95% interval {rate_interval(found)}."] if found else []
    )
    return Section("values", "The unsteered model by value (%)", tuple(lead), Table(columns, tuple(rows)))


def by_strength(found: tuple[Level, ...]) -> Section:
    """All values pooled, a strength a row."""
    table = results_table("strength", [(level.strength, level.pooled) for level in found])
    return Section(
        "strengths",
        "By strength, all values pooled (%, changes in points)",
        table=table,
        remarks=(*legends.marks(table), *legends.fewer(level.pooled.csr for level in found)),
    )


def by_value(level: Level, *, several: bool, explained: Sequence[Level] = ()) -> Section:
    """One strength, a value a row, all of them in the last.

    Args:
        level: the strength.
        several: the run has others.
        explained: strengths whose tables' columns and marks are explained below this one.
    """
    place = f", strength {level.strength}" if several else ""
    tables = [_values(each) for each in explained]
    effects = [r.csr for each in explained for r in (*each.conditions, each.pooled)]
    return Section(
        f"values-{level.number}",
        f"By value{place} (%, changes in points)",
        table=_values(level),
        remarks=(*legends.columns(*tables), *legends.marks(*tables), *legends.fewer(effects)),
    )


def _values(level: Level) -> Table:
    named = [(r.condition.value or "", r) for r in level.conditions]
    return results_table("value", named, ("all", level.pooled) if len(named) > 1 else None)


def side_effects(level: Level, *, several: bool) -> Section:
    """Values steered by values measured."""
    measured = list(dict.fromkeys(v for r in level.conditions for v in r.side_effects))
    short = short_names(measured, 6)
    rows = [
        (
            Cell(one_line(r.condition.value or "", 24)),
            *(change_cell(r.side_effects.get(v), target=v in r.condition.targets, heat=True) for v in measured),
        )
        for r in level.conditions
    ]
    columns = (Column("steered", right=False), *(Column(short[v], full=one_line(v, 24)) for v in measured))
    table = Table(columns, tuple(rows), foldable=True)
    off = level.off_target()
    shown, chance = sum(c.shown for c in off.values()), len(off) * (1 - LEVEL)
    place = f", strength {level.strength}" if several else ""
    return Section(
        f"side-effects-{level.number}",
        f"Side effects{place}: change of answers that act for each value (points)",
        lead=("A row steers a value, a column measures one; [ ] is the value aimed at.",),
        table=table,
        remarks=(
            *legends.marks(table),
            f"Changes elsewhere: {shown} of {len(off)} shown; {chance:.1f} would be by chance alone.",
        ),
    )


def exam(found: Exam) -> Section:
    """The exam, pooled over the values steered."""
    columns = (Column("exam", right=False), Column("right"), Column("95%"), Column("change"), Column("answers"))
    effects = {"with steering": found.gated}
    if found.ungated:
        effects = {"with steering, gated": found.gated, "with steering, no gate": found.ungated}
    before = found.gated.before
    rows = [("without steering", before, Cell(""))]
    rows += [(name, effect.after, change_cell(effect.change)) for name, effect in effects.items()]
    table = Table(
        columns,
        tuple((Cell(n), rate_cell(r), Cell(rate_interval(r)), change, Cell(f"{r.n:,}")) for n, r, change in rows),
    )
    remarks = (*legends.marks(table), *legends.fewer(effects.values()))
    return Section("exam", "Exam (%, changes in points)", table=table, remarks=remarks)


def by_scene(level: Level, *, everything: bool) -> Section:
    """Control success by kind of scene, best first."""
    scored = [(scene, rate.estimate, rate) for scene, rate in level.pooled.scenes.items() if rate.estimate is not None]
    ranked = [(scene, rate) for scene, _, rate in sorted(scored, key=lambda x: -x[1])]
    remarks = []
    if not everything and len(ranked) > 2 * FEW:
        alike = ranked[0][1].estimate == ranked[-1][1].estimate
        remarks.append(
            f"{2 * FEW} of {len(ranked)}; the others have the same rate."
            if alike
            else f"The {FEW} best and the {FEW} worst of {len(ranked)}."
        )
        ranked = ranked[:FEW] + ranked[-FEW:]
    empty = len(level.pooled.scenes) - len(scored)
    if empty:
        left = f"is {empty} scene" if empty == 1 else f"are {empty} scenes"
        remarks.append(f"Left out {left} without a scored answer.")
    columns = (Column("scene", right=False), Column("CSR"), Column("95%"), Column("n"), Column("unscored", spare=1))
    rows = tuple(
        (Cell(one_line(scene, 40)), rate_cell(rate), *cells(rate_interval(rate), str(rate.n), str(rate.unscored)))
        for scene, rate in ranked
    )
    return Section("scenes", "CSR by scene (%)", table=Table(columns, rows), remarks=tuple(remarks))


def orientations(level: Level, *, everything: bool) -> Section:
    """Questionnaires of other value systems, largest changes first."""
    found = [
        (
            after - before if before is not None and after is not None else None,
            r.condition.value or "",
            name,
            before,
            after,
        )
        for r in level.conditions
        for name, (before, after) in r.orientations.items()
    ]
    found.sort(key=lambda x: -abs(x[0] or 0.0))
    shown = found if everything else found[: 2 * FEW]
    columns = (
        Column("steered", right=False),
        Column("questionnaire", right=False),
        Column("base"),
        Column("steered"),
        Column("change"),
    )
    rows = tuple(
        cells(
            one_line(value, 24),
            one_line(name, 40),
            *(NONE if x is None else f"{x:+.2f}" for x in (before, after, change)),
        )
        for change, value, name, before, after in shown
    )
    remarks = () if everything or len(found) <= len(shown) else (f"The {len(shown)} largest changes of {len(found)}.",)
    return Section(
        "orientations",
        "Other questionnaires: mean orientation, -1 against to +1 for the value",
        table=Table(columns, rows),
        remarks=remarks,
    )


def lm_eval(results: Results) -> Section:
    """Metrics of lm-eval tasks as lm-eval computes them."""
    base = results.lm_eval.get("base", {})
    columns = (
        Column("condition", right=False),
        Column("task", right=False),
        Column("metric", right=False),
        Column("base"),
        Column("steered"),
    )
    rows = [
        cells(
            one_line(condition, 40),
            one_line(task, 30),
            one_line(metric, 20),
            _number(base.get(task, {}).get(metric)),
            _number(number),
        )
        for condition, tasks in results.lm_eval.items()
        if condition != "base" or len(results.lm_eval) == 1
        for task, metrics in tasks.items()
        for metric, number in metrics.items()
    ]
    return Section("lm-eval", "lm-eval tasks", table=Table(columns, tuple(rows)))


def _number(number: float | None) -> str:
    return NONE if number is None else f"{number:.4g}"
