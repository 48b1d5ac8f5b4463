"""Figures of a run: control by value, side effects, dose and response; each as PNG and SVG."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from valuebench_harness.harness.result_statistics import Curve, Doses
from valuebench_harness.harness.run import Run
from valuebench_harness.reports.clean import one_line
from valuebench_harness.reports.html import FULL_HEAT
from valuebench_harness.reports.levels import Level, best_level, levels
from valuebench_harness.reports.numbers import NONE, points
from valuebench_harness.reports.pictures import (
    BLUE,
    INK,
    ORANGE,
    Picture,
    check_drawing,
    new_figure,
    picture,
    tidy,
    two_sided_colours,
    write_pictures,
)
from valuebench_harness.reports.rate_figure import Series, rates_by_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME_LENGTH = 24
CELL = 0.46
"""Inches of a cell of a matrix."""


def write_figures(run: Run, folder: Path) -> list[Path]:
    """Draws all figures of a run into a folder, ``KEY.png`` and ``KEY.svg``.

    Args:
        run: a finished run.
        folder: is made where it is missing; files of the same names are replaced.

    Returns:
        The files.

    Raises:
        UsageError: matplotlib is missing, the run has no metrics, or the folder cannot be written to.
    """
    return write_pictures(run_pictures(run), folder)


def run_pictures(run: Run) -> list[Picture]:
    """All figures that the run has numbers for.

    Raises:
        UsageError: matplotlib is missing, or the run has no metrics.
    """
    check_drawing()
    from matplotlib import rc_context

    with rc_context({"text.parse_math": False}):  # a dollar in a name is a dollar
        return list(_pictures(run))


def _pictures(run: Run) -> Iterator[Picture]:
    best, found = best_level(run.results), levels(run.results)
    if best is None:
        yield picture(
            "control",
            "Answers that act for each value, and fluent answers, without steering; 95% intervals.",
            _base(run),
        )
        return
    yield picture(
        "control",
        "Control success and fluency by value, without and with steering, at the strength of the highest success; "
        "95% intervals.",
        _control(best),
    )
    for level in found:
        if level.off_target():
            yield picture(
                f"side-effects-{level.number}" if len(found) > 1 else "side-effects",
                f"Change of answers that act for each value, in points, at strength {level.strength}; framed: the "
                "value aimed at; ~: the 95% interval covers 0.",
                _side_effects(level),
            )
    if run.results.doses:
        yield picture(
            "dose-response",
            "Control success and fluency by strength, all values pooled: as measured (points) and as a monotone fit "
            "with its 95% interval.",
            _dose_response(run.results.doses),
        )


def _base(run: Run) -> Figure:
    base = run.results.base
    series = Series("unsteered", {v: b.favour for v, b in base.items()}, {v: b.fr for v, b in base.items()})
    return rates_by_value(list(base), [series], control="acts for the value")


def _control(level: Level) -> Figure:
    steered = {r.condition.value or "": r for r in level.conditions}
    csr = {value: r.csr for value, r in steered.items() if r.csr}
    fr = {value: r.fr for value, r in steered.items() if r.fr}
    before = Series("unsteered", {v: e.before for v, e in csr.items()}, {v: e.before for v, e in fr.items()})
    method = f"{level.pooled.condition.steerer}, strength {level.strength}"
    after = Series(method, {v: e.after for v, e in csr.items()}, {v: e.after for v, e in fr.items()})
    return rates_by_value(list(steered), [before, after])


def _side_effects(level: Level) -> Figure:
    from matplotlib.patches import Rectangle

    measured = list(dict.fromkeys(v for r in level.conditions for v in r.side_effects))
    figure = new_figure(3.2 + CELL * len(measured), 1.6 + CELL * len(level.conditions))
    ax = figure.subplots()
    changes = [[r.side_effects.get(v) for v in measured] for r in level.conditions]
    numbers = [[float("nan") if c is None or c.estimate is None else c.estimate for c in row] for row in changes]
    image = ax.imshow(numbers, cmap=two_sided_colours(), vmin=-FULL_HEAT, vmax=FULL_HEAT)
    for i, (result, row) in enumerate(zip(level.conditions, changes, strict=True)):
        for j, (value, change) in enumerate(zip(measured, row, strict=True)):
            if value in result.condition.targets:
                ax.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, edgecolor=INK, linewidth=1.8, zorder=3))
            text = NONE if change is None or change.estimate is None else points(change.estimate)
            mark = "" if change is None or change.shown else "~"
            ax.text(j, i, text + mark, ha="center", va="center", fontsize=7.5, color=INK)
    across = [one_line(v, NAME_LENGTH) for v in measured]
    ax.set_xticks(range(len(across)), across, rotation=45, ha="right", rotation_mode="anchor", fontsize=9)
    down = [one_line(r.condition.value or "", NAME_LENGTH) for r in level.conditions]
    ax.set_yticks(range(len(down)), down, fontsize=9)
    ax.set_ylabel("steered", fontsize=9)
    ax.set_xlabel("measured", fontsize=9)
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)
    bar = figure.colorbar(image, ax=ax, shrink=0.8, aspect=16, pad=0.02, extend="both")
    bar.set_ticks([-FULL_HEAT, 0, FULL_HEAT], labels=[points(x) for x in (-FULL_HEAT, 0, FULL_HEAT)])
    bar.set_label("points", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    return figure


def _dose_response(doses: Doses) -> Figure:
    figure = new_figure(5.6, 3.4)
    ax = figure.subplots()
    for name, curve, colour in (("control success", doses.control, BLUE), ("fluency", doses.fluency, ORANGE)):
        _curve(ax, doses.strengths, curve, colour, name)
    ax.set_ylim(-0.03, 1.05)
    ax.set_xlabel("strength (0: unsteered)", fontsize=9)
    ax.set_ylabel("share of answers", fontsize=9)
    tidy(ax)
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper left", ncols=2, fontsize=8.5, frameon=False)
    return figure


def _curve(ax: Axes, strengths: tuple[float, ...], curve: Curve, colour: str, name: str) -> None:
    fit, low, high, raw = (
        [float("nan") if x is None else x for x in numbers] for numbers in (curve.fit, curve.low, curve.high, curve.raw)
    )
    ax.fill_between(strengths, low, high, color=colour, alpha=0.18, linewidth=0)
    ax.plot(strengths, fit, color=colour, linewidth=1.4, label=name)
    ax.plot(strengths, raw, "o", color=colour, markersize=4)
