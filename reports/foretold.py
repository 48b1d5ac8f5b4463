"""What a graph of values foretold of a run's side effects, and what came of it (``--report causal``)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from valuebench_harness.causal.estimates import Estimate
from valuebench_harness.causal.side_effects import Frequencies, OtherValue, SideEffects, SteeredValue
from valuebench_harness.harness.results import CausalReport
from valuebench_harness.metrics.paired import Change
from valuebench_harness.reports.cells import change_cell
from valuebench_harness.reports.clean import one_line
from valuebench_harness.reports.levels import Level
from valuebench_harness.reports.numbers import NONE, counted, p_text, percent, points
from valuebench_harness.reports.table import Cell, Column, Section, Table, cells

NAME_LENGTH = 24
WAYS = {1: "up", -1: "down", 0: "moves"}


def foretold(causal: CausalReport, level: Level, *, several: bool, everything: bool) -> Iterator[Section]:
    """One strength: a value steered a row, and where there is room a row for every value foretold or moved.

    Args:
        causal: of the run.
        level: the strength.
        several: the run has others.
        everything: the values one by one as well.
    """
    found = next(effects for effects in causal.levels if effects.level == level.number)
    place = f", strength {level.strength}" if several else ""
    yield _by_steered(causal, found, place)
    if everything:
        yield _by_value(found, place)


def _by_steered(causal: CausalReport, found: SideEffects, place: str) -> Section:
    columns = (
        Column("steered", right=False),
        Column("itself"),
        Column("expected\nmoved", full="expected, moved"),
        Column("unexpected\nmoved", full="unexpected, moved"),
        Column("which", right=False),
    )
    rows: list[tuple[Cell, ...]] = [
        (Cell(one_line(c.value, NAME_LENGTH)), _own(c), *_shares(c.others), Cell(_names(c))) for c in found.conditions
    ]
    counted = [c for c in found.conditions if c.moved]
    total = len(found.conditions) > 1
    if total:
        rows.append((*cells("all", ""), *_shares([o for c in counted for o in c.others]), Cell("")))
    graph = causal.graph
    measured = found.tests > 0 or any(_estimate(c) is not None for c in found.conditions)
    name = one_line(causal.name, 40)
    return Section(
        f"causal-{found.level}",
        f"Side effects that the graph '{name}' foretells{place} (changes in points)",
        (
            f"A path of the graph leads from one value to another in {int(graph.reach.sum())} of "
            f"{len(graph.nodes) * (len(graph.nodes) - 1)} cases. Expected are the values that a path leads to from the "
            "value steered.",
            *_frequencies(found.frequencies),
        ),
        Table(columns, tuple(rows), total=total) if measured else None,
        tuple(_remarks(causal, found)),
    )


def _own(condition: SteeredValue) -> Cell:
    note = change_cell(condition.change).note
    known = _estimate(condition) is not None
    return Cell(points(_estimate(condition)), "unclear" if known and not condition.moved else "", note=note)


def _estimate(condition: SteeredValue) -> float | None:
    return condition.change.estimate if condition.change else None


def _shares(others: Sequence[OtherValue]) -> tuple[Cell, Cell]:
    """``3 of 4`` of the expected values, and of the others, that could be measured."""
    out = []
    for expected in (True, False):
        side = [o for o in others if o.foretold is expected and o.verdict != "unmeasured"]
        moved = sum(o.verdict in {"expected", "unexpected"} for o in side)
        out.append(Cell(f"{moved} of {len(side)}" if side else NONE))
    return out[0], out[1]


def _names(condition: SteeredValue) -> str:
    """``expected: power +22; missed: hedonism +8 (16); unexpected: tradition -19``"""
    kinds = {
        "expected": [f"{_name(o)} {points(o.change.estimate)}{' !' * o.other_way}" for o in condition.of("expected")],
        "missed": [f"{_name(o)} {points(o.change.estimate)} ({_size(o.detectable)})" for o in condition.of("missed")],
        "unexpected": [f"{_name(o)} {points(o.change.estimate)}" for o in condition.of("unexpected")],
    }
    return "; ".join(f"{kind}: {', '.join(named)}" for kind, named in kinds.items() if named) or "nothing"


def _frequencies(found: Frequencies | None) -> Iterator[str]:
    if found is None:
        yield "No value steered is shown to move itself, so the graph foretells nothing."
        return
    yield (
        f"Expected values moved in {_interval(found.expected)} of cases, unexpected ones in "
        f"{_interval(found.unexpected)} (means over {found.expected.n} and "
        f"{counted(found.unexpected.n, 'value')} steered)."
    )
    if found.permutation_p is not None:
        p = p_text(found.permutation_p)
        yield (
            f"The difference is {points(found.gap.estimate)} points{_ends(found.gap)}; as large by a graph of the same "
            f"shape with shuffled values: p {p.replace('<', '< ') if p.startswith('<') else f'= {p}'}."
        )


def _remarks(causal: CausalReport, found: SideEffects) -> Iterator[str]:
    marks = []
    if found.tests:
        family = "the one change" if found.tests == 1 else f"the {found.tests} changes"
        marks.append(f"Moved: the change stands after Holm's correction over {family} beside the values steered.")
    if any(o.other_way for c in found.conditions for o in c.others):
        marks.append("! against the direction foretold.")
    if any(c.of("missed") for c in found.conditions):
        marks.append(
            "Missed: foretold and not shown to move; in brackets the change that 80% of such samples would have shown, "
            "so that a miss says no more than that the change is probably smaller."
        )
    if marks:
        yield " ".join(marks)
    missed = [o.detectable for c in found.conditions if c.moved for o in c.of("missed") if o.detectable is not None]
    if missed:
        sizes = f"{_size(min(missed))} to {_size(max(missed))}" if len(missed) > 1 else _size(missed[0])
        yield f"What would have been shown of the {len(missed)} missed: {sizes} points."
    yield from _uncounted(found)
    if found.unscored:
        verb = "is" if found.unscored == 1 else "are"
        yield f"{counted(found.unscored, 'item')} {verb} left out of these changes, since one side has no verdict."
    yield from _absent(causal, found)


def _uncounted(found: SideEffects) -> Iterator[str]:
    """The values steered that the totals leave out, and why."""
    still = [c for c in found.conditions if not c.moved]
    for known, why in (
        (True, "~ not shown to move itself"),
        (False, "Not measured, since no item of its own is scored both without and with steering"),
    ):
        names = [one_line(c.value, NAME_LENGTH) for c in still if (_estimate(c) is not None) is known]
        if names and (known or len(names) < len(found.conditions)):
            yield f"{why}, and left out of the totals: {', '.join(names)}."


def _absent(causal: CausalReport, found: SideEffects) -> Iterator[str]:
    if unmeasured := found.totals.get("unmeasured"):
        verb = "could not be measured: no item is scored both without and with steering"
        yield f"{counted(unmeasured, 'change')} {verb}."
    if causal.outside:
        yield f"The graph does not speak of: {', '.join(one_line(v, NAME_LENGTH) for v in causal.outside)}."
    if causal.combined:
        named = ", ".join(one_line(v, 60) for v in causal.combined)
        yield f"Left out, since a graph cannot say which of several values a change comes from: {named}."


def _by_value(found: SideEffects, place: str) -> Section:
    columns = (
        Column("steered", right=False),
        Column("value", right=False),
        Column("foretold", right=False),
        Column("change"),
        Column("95%"),
        Column("n"),
        Column("unscored"),
        Column("p"),
        Column("detectable"),
        Column("verdict", right=False),
    )
    rows = tuple(
        (
            Cell(one_line(c.value, NAME_LENGTH)),
            Cell(_name(o)),
            Cell(WAYS[o.direction] if o.foretold else "no move"),
            Cell(points(o.change.estimate), note=change_cell(o.change).note),
            *cells(_range(o.change), str(o.change.n), str(o.change.unscored), p_text(o.p), _size(o.detectable)),
            Cell(f"{o.verdict}, the other way" if o.other_way else o.verdict),
        )
        for c in found.conditions
        for o in c.of("expected", "missed", "unexpected", "unmeasured")
    )
    rest = sum(len(c.of("still")) for c in found.conditions)
    return Section(
        f"causal-values-{found.level}",
        f"Values foretold or moved, one by one{place} (points)",
        table=Table(columns, rows),
        remarks=(
            "p: by Holm. Detectable: the least true change that 80% of such samples would show among as many tests.",
            f"Neither foretold nor shown: {counted(rest, 'change')}; report.csv has them (causal_still).",
        ),
    )


def _name(other: OtherValue) -> str:
    return one_line(other.value, NAME_LENGTH)


def _size(change: float | None) -> str:
    return points(change).lstrip("+")


def _range(change: Change) -> str:
    return NONE if change.low is None else f"{points(change.low)} to {points(change.high)}"


def _interval(share: Estimate) -> str:
    """``61% (95% interval 40 to 80)``"""
    if share.low is None or share.high is None:
        return percent(share.estimate)
    return f"{percent(share.estimate)} (95% interval {round(share.low * 100)} to {round(share.high * 100)})"


def _ends(gap: Estimate) -> str:
    return "" if gap.low is None else f" (95% interval {points(gap.low)} to {points(gap.high)})"
