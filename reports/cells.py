"""Numbers of the results as cells."""

from __future__ import annotations

from valuebench_harness.harness.results import Effect
from valuebench_harness.metrics.paired import Change
from valuebench_harness.metrics.rates import Rate
from valuebench_harness.reports.numbers import NONE, arrow, change_in_words, percent, points, rate_interval
from valuebench_harness.reports.table import Cell, Span


def rate_cell(rate: Rate | None) -> Cell:
    """A rate, drawn with its interval."""
    if rate is None:
        return Cell(NONE)
    return Cell(percent(rate.estimate, sign=False), span=_span(rate), note=f"{rate_interval(rate)}, n {rate.n}")


def effect_cell(effect: Effect | None, *, drawn: bool = False) -> Cell:
    """A rate without and with steering."""
    if effect is None:
        return Cell(NONE)
    before, after = effect.before.estimate, effect.after.estimate
    note = change_in_words(effect.change, effect.before, effect.after)
    return Cell(arrow(before, after), note=note, span=_span(effect.after, before) if drawn else None)


def change_cell(change: Change | None, *, target: bool = False, heat: bool = False) -> Cell:
    """A change, marked where it is not shown or where its value is the one aimed at."""
    if change is None or change.estimate is None:
        return Cell(NONE)
    return Cell(
        points(change.estimate),
        "target" if target else "" if change.shown else "unclear",
        note=f"{change_in_words(change)}, n {change.n}",
        heat=change.estimate if heat else None,
    )


def _span(rate: Rate, before: float | None = None) -> Span | None:
    if rate.estimate is None or rate.low is None or rate.high is None:
        return None
    return Span(rate.estimate, rate.low, rate.high, before)
