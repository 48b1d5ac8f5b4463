"""Where the marks of the priority plot go; its template draws them.

A row a value, in it a line a guidance: a ring where answers stand without steering, a dot with its 95% interval where
they stand with it. ConVA's Fig. 4 shows the dots.
"""

from __future__ import annotations

from dataclasses import dataclass

from valuebench_harness.harness.priority_results import Arm, Guidance, Priority, Pull
from valuebench_harness.reports.clean import one_line

NAME_LENGTH = 24
LEFT, SPAN, RIGHT = 190.0, 400.0, 30.0
TOP, LINE, GAP = 64.0, 15.0, 11.0

TITLES: dict[Guidance, str] = {"none": "no prompt", "positive": "prompt for the value", "negative": "prompt against it"}
COLOURS: dict[Guidance, str] = {"none": "#7a8594", "positive": "#2f7fd6", "negative": "#e08214"}
"""Told apart in daylight, in print and by the colour-blind; the lines stand in the legend's order as well."""


@dataclass(frozen=True)
class Mark:
    """One guidance on one value, in user units; ``None`` where nothing was scored."""

    y: float
    colour: str
    unsteered: float | None
    steered: float | None
    low: float | None
    high: float | None
    title: str


@dataclass(frozen=True)
class Row:
    """A value."""

    name: str
    y: float
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Plot:
    """The whole plot.

    Attributes:
        title: for those who do not see it.
        width: of it.
        height: of it.
        rows: values, all of them pooled last.
        ticks: (x, percent) of the axis.
        legend: (x, colour, words) of each guidance.
    """

    title: str
    width: float
    height: float
    rows: tuple[Row, ...]
    ticks: tuple[tuple[float, int], ...]
    legend: tuple[tuple[float, str, str], ...]


def make_plot(priority: Priority) -> Plot:
    """The plot of a crossed design."""
    pulls = dict(priority.values)
    named: list[tuple[str, Pull]] = [(one_line(v, NAME_LENGTH), p) for v, p in pulls.items()]
    if len(named) > 1:
        named.append(("all", priority.pooled))
    arms = priority.pooled.arms
    height = LINE * len(arms) + GAP
    rows = tuple(_row(name, pull, TOP + n * height) for n, (name, pull) in enumerate(named))
    return Plot(
        title="Share of answers on the side aimed at, by value and prompt, without and with steering",
        width=LEFT + SPAN + RIGHT,
        height=TOP + height * len(rows) + 8,
        rows=rows,
        ticks=tuple((_x(percent / 100), percent) for percent in (0, 25, 50, 75, 100)),
        legend=tuple((LEFT + 150 * n, COLOURS[arm.guidance], TITLES[arm.guidance]) for n, arm in enumerate(arms)),
    )


def _row(name: str, pull: Pull, top: float) -> Row:
    marks = tuple(_mark(arm, top + LINE * (n + 0.5)) for n, arm in enumerate(pull.arms))
    return Row(name, top + LINE * len(marks) / 2, marks)


def _mark(arm: Arm, y: float) -> Mark:
    before, after = arm.unsteered, arm.steered
    shown = [f"{r.estimate:.0%}" if r.estimate is not None else "unscored" for r in (before, after)]
    return Mark(
        y=y,
        colour=COLOURS[arm.guidance],
        unsteered=_place(before.estimate),
        steered=_place(after.estimate),
        low=_place(after.low),
        high=_place(after.high),
        title=f"{TITLES[arm.guidance]}: {shown[0]} without steering, {shown[1]} with it, n {after.n}",
    )


def _place(share: float | None) -> float | None:
    return None if share is None else _x(share)


def _x(share: float) -> float:
    return round(LEFT + SPAN * share, 1)
