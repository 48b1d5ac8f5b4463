"""Control success and fluency by value, several runs or strengths side by side: ConVA's Fig. 2 with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from valuebench_harness.metrics.rates import Rate
from valuebench_harness.reports.clean import one_line
from valuebench_harness.reports.pictures import BLUE, GREY, ORANGE, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = (GREY, BLUE, ORANGE, "#2a9d6a", "#a0529c", "#c0392b")
"""The unsteered model comes first."""

NAME_LENGTH = 24


@dataclass(frozen=True)
class Series:
    """Rates that share a colour.

    Attributes:
        name: for the legend.
        csr: control success by value.
        fr: fluency by value.
    """

    name: str
    csr: Mapping[str, Rate]
    fr: Mapping[str, Rate]


def rates_by_value(values: Sequence[str], series: Sequence[Series], *, control: str = "control success") -> Figure:
    """Two rows of points with 95% intervals; rates of nothing scored are left out.

    Args:
        values: from left to right.
        series: drawn beside each other at every value.
        control: what the upper row shows.
    """
    figure = new_figure(max(6.0, 1.05 * len(values)), 4.6)
    upper, lower = figure.subplots(2, 1, sharex=True)
    for ax, title, rates_of in ((upper, control, [s.csr for s in series]), (lower, "fluency", [s.fr for s in series])):
        for k, (one, rates) in enumerate(zip(series, rates_of, strict=True)):
            shift = (k - (len(series) - 1) / 2) * 0.7 / max(len(series), 4)
            points = [(i + shift, *ends) for i, v in enumerate(values) if v in rates and (ends := _ends(rates[v]))]
            x, y, low, high = zip(*points, strict=True) if points else ((), (), (), ())
            gaps = [[b - a for a, b in zip(low, y, strict=True)], [b - a for a, b in zip(y, high, strict=True)]]
            colour, label = COLOURS[k % len(COLOURS)], one_line(one.name, 60)
            ax.errorbar(x, y, yerr=gaps, fmt="o", markersize=5, color=colour, elinewidth=1.4, label=label)
        ax.set_ylim(-0.03, 1.05)
        ax.set_ylabel(title, fontsize=9)
        tidy(ax)
    names = [one_line(v, NAME_LENGTH) for v in values]
    lower.set_xticks(range(len(names)), names, rotation=30, ha="right", fontsize=8.5)
    handles, labels = lower.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=3, fontsize=8.5, frameon=False)
    return figure


def _ends(rate: Rate) -> tuple[float, float, float] | None:
    """Estimate and interval; none where nothing was scored."""
    if rate.estimate is None:
        return None
    low, high = (rate.estimate if end is None else end for end in (rate.low, rate.high))
    return rate.estimate, min(low, rate.estimate), max(high, rate.estimate)
