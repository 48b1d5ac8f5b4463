"""Figures of a fit's report, after ConVA's, by matplotlib: each as PNG and SVG."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from valuebench_harness.harness.fit_study.records import CosineMap, FitStudy, SizePoint, ValueFit
from valuebench_harness.metrics.rates import Rate
from valuebench_harness.reports.clean import one_line
from valuebench_harness.reports.pictures import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    Picture,
    check_drawing,
    new_figure,
    picture,
    tidy,
    two_sided_colours,
)
from valuebench_harness.reports.rate_figure import Series, rates_by_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL = (2.3, 1.75)
"""Inches of one value's panel."""

PANELS_A_ROW = 5
MAPS_A_ROW = 6
NAME_LENGTH = 24


def pictures(study: FitStudy) -> list[Picture]:
    """All figures that the study has numbers for.

    Raises:
        UsageError: matplotlib is missing.
    """
    check_drawing()
    return list(_pictures(study))


def _pictures(study: FitStudy) -> Iterator[Picture]:
    values = study.values
    yield picture(
        "accuracy",
        "Accuracy of a linear classifier by layer, with 95% intervals; filled points are steered layers.",
        _panels(values, _accuracy, "layer", "accuracy"),
    )
    if study.cosines:
        main = main_map(study)
        yield picture(
            "cosines",
            f"Cosines between the values' directions at layer {main.layer} (ConVA's Fig. 5).",
            _one_map(study, main),
        )
    if len(study.cosines) > 1:
        yield picture(
            "cosines-layers", "The same at every layer, values in the same order (ConVA's Fig. 14).", _all_maps(study)
        )
    if any(v.gate for v in values):
        yield picture(
            "gate",
            "Gate scores of the value's dilemmas (blue) and of exam questions (orange) (ConVA's Fig. 3).",
            _panels(values, _gate, "g(x)", "share"),
        )
    yield picture(
        "sizes",
        "Accuracy on held-out pairs by number of training pairs, with 95% intervals.",
        _panels(values, _sizes, "training pairs", "accuracy"),
    )
    if any(v.control for v in values):
        yield picture(
            "control",
            "Control success by number of training pairs, with 95% intervals (ConVA's Appendix B).",
            _panels(values, _control, "training pairs", "control success"),
        )
    if study.runs:
        yield picture(
            "runs", "Control success and fluency by value, with 95% intervals (ConVA's Fig. 2).", _runs(study)
        )


def main_map(study: FitStudy) -> CosineMap:
    """The layer that most values are steered at, the last of equals."""
    return max(study.cosines, key=lambda one: (one.steered_by, one.layer))


# One panel a value


def _panels(values: Sequence[ValueFit], draw: Callable[[Axes, ValueFit], None], x: str, y: str) -> Figure:
    columns = min(PANELS_A_ROW, len(values))
    rows = -(-len(values) // columns)
    figure = new_figure(max(columns * PANEL[0], 3.6), rows * PANEL[1] + 0.4)
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for ax, value in zip(axes.flat, values, strict=False):
        ax.set_title(one_line(value.value, NAME_LENGTH), fontsize=9, loc="left", color=INK)
        draw(ax, value)
        tidy(ax)
    for ax in list(axes.flat)[len(values) :]:
        ax.set_visible(False)
    figure.supxlabel(x, fontsize=9)
    figure.supylabel(y, fontsize=9)
    return figure


def _accuracy(ax: Axes, value: ValueFit) -> None:
    layers = [a.layer for a in value.accuracy]
    _band(ax, layers, [a.rate for a in value.accuracy])
    for filled in (False, True):
        chosen = [a for a in value.accuracy if a.steered == filled]
        ax.plot(
            [a.layer for a in chosen],
            [_number(a.rate) for a in chosen],
            "o",
            color=BLUE,
            markerfacecolor=BLUE if filled else "white",
            markersize=4,
        )
    ax.axhline(0.5, color=GREY, linewidth=0.8, linestyle=":")
    ax.set_ylim(0.4, 1.03)


def _sizes(ax: Axes, value: ValueFit) -> None:
    _by_size(ax, value.sizes, 0.4)


def _control(ax: Axes, value: ValueFit) -> None:
    if value.control:
        _by_size(ax, value.control, -0.03)


def _by_size(ax: Axes, points: Sequence[SizePoint], lowest: float) -> None:
    sizes = [p.pairs for p in points]
    _band(ax, sizes, [p.rate for p in points])
    ax.plot(sizes, [_number(p.rate) for p in points], "o", color=BLUE, markersize=3)
    ax.set_xscale("log")
    ax.set_xticks(sizes, [str(n) for n in sizes], fontsize=6.5, minor=False)
    ax.minorticks_off()
    ax.axhline(0.5, color=GREY, linewidth=0.8, linestyle=":")
    ax.set_ylim(lowest, 1.03)


def _gate(ax: Axes, value: ValueFit) -> None:
    if value.gate is None:
        return
    bins = np.linspace(0, 1, 21)
    for scores, colour in ((value.gate.unrelated, ORANGE), (value.gate.related, BLUE)):
        weights = np.full(len(scores), 1 / max(len(scores), 1))
        ax.hist(np.asarray(scores), bins=list(bins), weights=weights, color=colour, alpha=0.75)
    ax.set_xlim(0, 1)


def _band(ax: Axes, x: Sequence[float], rates: Sequence[Rate]) -> None:
    low = [r.low if r.low is not None else np.nan for r in rates]
    high = [r.high if r.high is not None else np.nan for r in rates]
    ax.fill_between(x, low, high, color=BLUE, alpha=0.18, linewidth=0)
    ax.plot(x, [_number(r) for r in rates], color=BLUE, linewidth=1.2)


# Maps


def _one_map(study: FitStudy, one: CosineMap) -> Figure:
    n = len(study.values)
    figure = new_figure(3.6 + 0.46 * n, 0.9 + 0.46 * n)
    ax = figure.subplots()
    image = _map(ax, one)
    names = [one_line(v.value, NAME_LENGTH) for v in study.values]
    ax.set_xticks(range(n), names, rotation=45, ha="right", rotation_mode="anchor", fontsize=9)
    ax.set_yticks(range(n), names, fontsize=9)
    ax.tick_params(length=0)
    for i, row in enumerate(one.cosines):
        for j, cosine in enumerate(row):
            if i != j:
                dark = abs(cosine) > 0.6
                ax.text(j, i, _cosine(cosine), ha="center", va="center", fontsize=7.5, color="white" if dark else INK)
    from matplotlib.patches import Rectangle

    for _, first, last in study.groups:
        size = last - first + 1
        ax.add_patch(Rectangle((first - 0.5, first - 0.5), size, size, fill=False, edgecolor=INK, linewidth=1.8))
    if study.groups:
        beside = ax.secondary_yaxis("right")
        beside.set_yticks([(first + last) / 2 for _, first, last in study.groups], [g for g, _, _ in study.groups])
        beside.tick_params(length=0, labelsize=8)
        beside.spines["right"].set_visible(False)
    bar = figure.colorbar(image, ax=ax, shrink=0.6, aspect=16, pad=0.02)
    bar.set_label("cosine", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    return figure


def _all_maps(study: FitStudy) -> Figure:
    columns = min(MAPS_A_ROW, len(study.cosines))
    rows = -(-len(study.cosines) // columns)
    figure = new_figure(1.75 * columns, 1.95 * rows)
    axes = figure.subplots(rows, columns, squeeze=False)
    for ax in axes.flat:
        ax.set_visible(False)
    for ax, one in zip(axes.flat, study.cosines, strict=False):
        ax.set_visible(True)
        _map(ax, one)
        ax.set_title(f"layer {one.layer}", fontsize=9, fontweight="bold" if one.steered_by else "normal", color=INK)
        ax.set_xticks([])
        ax.set_yticks([])
    return figure


def _map(ax: Axes, one: CosineMap) -> Any:
    for side in ax.spines.values():
        side.set_visible(False)
    return ax.imshow(np.asarray(one.cosines), cmap=two_sided_colours(), vmin=-1, vmax=1)


def _cosine(cosine: float) -> str:
    return f"{cosine:.2f}".replace("0.", ".").replace("-.00", ".00")


# Runs


def _runs(study: FitStudy) -> Figure:
    return rates_by_value([v.value for v in study.values], [Series(run.name, run.csr, run.fr) for run in study.runs])


def _number(rate: Rate) -> float:
    return rate.estimate if rate.estimate is not None else float("nan")
