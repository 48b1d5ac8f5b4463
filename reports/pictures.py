"""Figures as PNG and SVG, by matplotlib: colours, axes, and files that come out the same each time."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from valuebench_harness.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

BLUE, ORANGE, GREY, INK = "#2f7fd6", "#e08214", "#8a94a3", "#1a2028"
DPI = 150


@dataclass(frozen=True)
class Picture:
    """A figure in both formats.

    Attributes:
        key: name of its files.
        caption: what it shows, for those who cannot see it as well.
        png: bytes.
        svg: text.
    """

    key: str
    caption: str
    png: bytes
    svg: str


def check_drawing() -> None:
    """Refuses where matplotlib is missing.

    Raises:
        UsageError: it is.
    """
    if find_spec("matplotlib") is None:
        raise UsageError("Figures are drawn with matplotlib: pip install 'valuebench-harness[plots]'.")


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches; no window, whatever the user's matplotlib is set to."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def picture(key: str, caption: str, figure: Figure) -> Picture:
    """A finished figure in both formats; the same figure makes the same bytes."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # the places are found: they need not be looked for again in each format
    png, svg = io.BytesIO(), io.StringIO()
    figure.savefig(png, format="png", dpi=DPI, metadata={"Software": None, "Title": caption})
    with _same_each_time():
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None, "Title": caption})
    return Picture(key, caption, png.getvalue(), svg.getvalue())


def tidy(ax: Axes) -> None:
    """Axes without a frame at the top and at the right."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(GREY)
    ax.tick_params(labelsize=8, color=GREY)


def two_sided_colours() -> LinearSegmentedColormap:
    """Orange for below, white for none, blue for above."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("orange-blue", [ORANGE, "#ffffff", BLUE])


def write_pictures(drawn: Iterable[Picture], folder: Path) -> list[Path]:
    """Writes figures as ``KEY.png`` and ``KEY.svg``.

    Args:
        drawn: figures.
        folder: is made where it is missing; files of the same names are replaced.

    Returns:
        The files.

    Raises:
        UsageError: the folder cannot be written to.
    """
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for one in drawn:
            written += [folder / f"{one.key}.png", folder / f"{one.key}.svg"]
            written[-2].write_bytes(one.png)
            written[-1].write_text(one.svg, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{folder} cannot be written to: {error.strerror}.") from error
    return written


@contextmanager
def _same_each_time() -> Iterator[None]:
    """Ids in the SVG that do not change from one drawing to the next."""
    from matplotlib import rc_context

    with rc_context({"svg.hashsalt": "valuebench-harness"}):
        yield
