"""Figures of a score, after Kang's Figures 4 to 7 and Tables 1, 3 and 4: each as PNG and SVG."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from valuebench_harness.causal.choices import Moved
from valuebench_harness.causal.score import Score
from valuebench_harness.causal.steering import Proportions
from valuebench_harness.reports.causal_page import effect_groups, steering_rows
from valuebench_harness.reports.causal_score import number
from valuebench_harness.reports.causal_svg import name_lines
from valuebench_harness.reports.clean import one_line
from valuebench_harness.reports.numbers import NONE
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
    write_pictures,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PALE = "#eef1f5"
SHARES = {"stimulated": BLUE, "suppressed": ORANGE, "maintained": PALE}
KINDS = {"raising": "raising", "lowering": "lowering", "aimed_up": "aimed up", "aimed_down": "aimed down"}
SIDES = {"expected": BLUE, "unexpected": GREY}

CELL_WIDTH, CELL_HEIGHT = 0.52, 0.26
"""Inches of a cell of the steering table."""

MOST_INCHES = 400.0
"""Height that a PNG can have at our resolution (matplotlib's limit: 65,536 dots)."""

VALUES_A_ROW = 9
PIE_NAME = 13
NAME_LENGTH = 28


def score_pictures(score: Score) -> list[Picture]:
    """All figures of a score.

    Raises:
        UsageError: matplotlib is missing.
    """
    check_drawing()
    from matplotlib import rc_context

    with rc_context({"text.parse_math": False}):  # a dollar in a name is a dollar
        return list(_pictures(score))


def write_figures(score: Score, folder: Path) -> list[Path]:
    """Draws all figures of a score into a folder.

    Args:
        score: to draw.
        folder: is made where it is missing; files of the same names are replaced.

    Returns:
        The files.

    Raises:
        UsageError: matplotlib is missing, or the folder cannot be written to.
    """
    return write_pictures(score_pictures(score), folder)


def _pictures(score: Score) -> Iterator[Picture]:
    yield picture(
        "effects",
        "How often expected and unexpected values moved along, with 95% intervals (Kang's Figures 4 to 7).",
        _effects(score),
    )
    yield picture(
        "steering",
        "Shares of the training roles that each setting stimulates, suppresses and leaves; the number: cosine with the "
        "shares among the test roles (Kang's Tables 1 and 4).",
        _steering(score),
    )
    yield picture(
        "best",
        "Each value's best raising and lowering setting, chosen in training, on the test roles (Kang's Table 3).",
        _best(score),
    )


# Figures 4 to 7


def _effects(score: Score) -> Figure:
    groups = list(effect_groups(score))
    figure = new_figure(7.6, 1.0 + 0.62 * len(groups))
    ax = figure.subplots()
    for y, group in enumerate(groups):
        for bar, shift in zip(group.bars, (-0.19, 0.19), strict=True):
            reach = [[bar.estimate - bar.low], [bar.high - bar.estimate]]
            ax.barh(y + shift, bar.estimate, height=0.34, color=SIDES[bar.kind], label=bar.kind)
            ax.errorbar(bar.estimate, y + shift, xerr=reach, color=INK, elinewidth=1.1, capsize=2.5)
        beside = f"gap {group.gap}\np {group.p}"
        ax.text(1.02, y, beside, transform=ax.get_yaxis_transform(), va="center", fontsize=8.5, color=INK)
    ax.set_yticks(range(len(groups)), [f"{group.graph}\n{group.steering}" for group in groups])
    ax.invert_yaxis()
    ax.set_xlim(0, 1)
    ax.set_xlabel("how often a value changed along", fontsize=9)
    ax.grid(axis="x", color=PALE, zorder=0)
    ax.set_axisbelow(True)
    tidy(ax)
    ax.tick_params(axis="y", length=0, labelsize=9)
    named = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    figure.legend(named.values(), named.keys(), loc="outside upper left", ncols=2, fontsize=8.5, frameon=False)
    return figure


# Tables 1 and 4


def _steering(score: Score) -> Figure:
    rows, values = list(steering_rows(score)), score.values
    height = min((len(rows) + 1) * CELL_HEIGHT + 2.0, MOST_INCHES)
    figure = new_figure((len(values) + 1) * CELL_WIDTH + 1.8, height)
    ax = figure.subplots()
    for y, (_, cells, mean) in enumerate(rows):
        for x, (shares, cosine, _) in enumerate(cells):
            _stack(ax, x, y, shares)
            _cell(ax, x, y, cosine)
        _cell(ax, len(values), y, mean)
    for x, value in enumerate(values):
        _cell(ax, x, len(rows), number(score.noise_ratio[value]))
    ax.set_xlim(-0.5, len(values) + 0.5)
    ax.set_ylim(len(rows) + 0.5, -0.5)
    names = [one_line(value, NAME_LENGTH) for value in values]
    ax.xaxis.tick_top()
    ax.set_xticks(range(len(names) + 1), [*names, "mean"], rotation=50, ha="left", rotation_mode="anchor", fontsize=8.5)
    ax.set_yticks(range(len(rows) + 1), [*(name for name, _, _ in rows), "noise ratio"], fontsize=8.5)
    _no_frame(ax)
    _legend(figure)
    return figure


def _stack(ax: Axes, x: int, y: int, shares: Proportions) -> None:
    """A bar of the three shares, raised from the left and lowered from the right."""
    from matplotlib.patches import Rectangle

    width, height = 0.92, 0.84
    left, bottom = x - width / 2, y - height / 2
    ax.add_patch(Rectangle((left, bottom), width, height, facecolor=PALE, edgecolor="none"))
    up, down = (width * (share or 0.0) for share in (shares.stimulated, shares.suppressed))
    ax.add_patch(Rectangle((left, bottom), up, height, facecolor=BLUE, edgecolor="none"))
    ax.add_patch(Rectangle((left + width - down, bottom), down, height, facecolor=ORANGE, edgecolor="none"))


def _cell(ax: Axes, x: int, y: int, text: str) -> None:
    halo = {"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.8}
    ax.text(x, y, text, ha="center", va="center", fontsize=7.5, color=INK, bbox=halo)


# Table 3


def _best(score: Score) -> Figure:
    kinds = {k: name for k, name in KINDS.items() if any(getattr(c, k) is not None for c in score.choices.values())}
    columns = min(VALUES_A_ROW, len(score.values))
    blocks = -(-len(score.values) // columns)
    block_height = len(kinds) + 0.65
    figure = new_figure(columns * 1.02 + 1.1, blocks * block_height * 1.02 + 0.4)
    ax = figure.subplots()
    for n, (value, choice) in enumerate(score.choices.items()):
        block, x = divmod(n, columns)
        top = block * block_height
        ax.text(x, top - 0.52, "\n".join(name_lines(value)), ha="center", va="bottom", fontsize=8.5, color=INK)
        for row, kind in enumerate(kinds):
            moved: Moved | None = getattr(choice, kind)
            if moved is not None:
                _pie(ax, x, top + row, moved, named=not kind.startswith("aimed"))
    for block in range(blocks):
        for row, label in enumerate(kinds.values()):
            ax.text(-0.6, block * block_height + row, label, ha="right", va="center", fontsize=8.5, color=INK)
    ax.set_xlim(-1.4, columns - 0.4)
    ax.set_ylim(blocks * block_height - 1.0, -0.95)
    ax.set_aspect("equal")
    ax.set_xticks([])
    ax.set_yticks([])
    _no_frame(ax)
    _legend(figure)
    return figure


def _pie(ax: Axes, x: float, y: float, moved: Moved, *, named: bool) -> None:
    """Shares of the test roles, from the top clockwise, and the setting's name below."""
    from matplotlib.patches import Circle, Wedge

    radius = 0.36
    shares = [getattr(moved.test, kind) or 0.0 for kind in SHARES]
    ends = [0.0, *accumulate(shares)]
    # The axis points down, so angles grow clockwise.
    for start, end, colour in zip(ends, ends[1:], SHARES.values(), strict=False):
        if end > start:
            ax.add_patch(Wedge((x, y), radius, 360 * start - 90, 360 * end - 90, facecolor=colour, edgecolor="none"))
    ax.add_patch(Circle((x, y), radius, fill=False, edgecolor=GREY, linewidth=0.6))
    if not sum(shares):
        ax.text(x, y, NONE, ha="center", va="center", fontsize=8.5, color=INK)
    if named:
        name = one_line(moved.settings[0], PIE_NAME)
        ax.text(x, y + 0.39, name, ha="center", va="top", fontsize=7, color=GREY)


# Both


def _no_frame(ax: Axes) -> None:
    for side in ax.spines.values():
        side.set_visible(False)
    ax.tick_params(length=0, colors=INK)


def _legend(figure: Figure) -> None:
    from matplotlib.patches import Patch

    keys = [Patch(facecolor=colour, edgecolor=GREY, linewidth=0.4, label=kind) for kind, colour in SHARES.items()]
    figure.legend(handles=keys, loc="outside lower left", ncols=3, fontsize=8.5, frameon=False)
