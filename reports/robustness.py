"""How much of a steering effect stays when items are asked another way: as text, Markdown and JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from valuebench_harness.errors import unknown_name
from valuebench_harness.harness.robustness.changes import PLAIN
from valuebench_harness.harness.robustness.records import Kept, Robustness
from valuebench_harness.harness.store import write_atomically
from valuebench_harness.metrics.retained import Retained
from valuebench_harness.reports import legends
from valuebench_harness.reports.cells import change_cell
from valuebench_harness.reports.clean import one_line
from valuebench_harness.reports.markdown import sections_markdown
from valuebench_harness.reports.numbers import NONE, arrow, counted, rate_interval
from valuebench_harness.reports.table import Cell, Column, Section, Table
from valuebench_harness.reports.text import sections_text

FILES = ("json", "md")
"""Formats that are stored as ``robustness.<format>`` beside the runs."""

CHANGES = {
    PLAIN: "none",
    "role": "behind a role",
    "counter": "behind a counter-prompt",
    "lower": "in lower case",
    "upper": "in capitals",
    "leet": "in leetspeak",
    "base64": "in Base64",
    "reworded": "in other words",
}

HOW_TO_READ = (
    "Success: on the side aimed at and fluent, of all answers, unscored ones counting as failures; without → with "
    "steering. Stays: this effect as a share of that on the same items without a change (Fieller's 95% interval; - "
    "where it is unbounded). Floor: the same of random directions of the same size. A change that moves the unsteered "
    "model leaves more or less to gain, so read the share beside the success itself."
)


def render_robustness(found: Robustness, output: str) -> str:
    """The study in a format.

    Raises:
        UsageError: for an unknown format.
    """
    check_format(output)
    return ROBUSTNESS_FORMATS[output](found)


def check_format(output: str) -> None:
    """Refuses a format that does not exist, before anything is spent.

    Raises:
        UsageError: for an unknown one.
    """
    if output not in ROBUSTNESS_FORMATS:
        raise unknown_name("format", output, ROBUSTNESS_FORMATS)


def write_robustness(found: Robustness, folder: Path) -> dict[str, Path]:
    """Writes ``robustness.json`` and ``.md``, each whole or not at all.

    Raises:
        IncompleteError: where the folder cannot be written.
    """
    paths = {name: folder / f"robustness.{name}" for name in FILES}
    for name, path in paths.items():
        write_atomically(path, render_robustness(found, name))
    return paths


def section(found: Robustness) -> Section:
    """The table: a change a row."""
    columns = (
        Column("change", right=False),
        Column("success"),
        Column("95%", full="95% interval with steering"),
        Column("effect"),
        Column("stays", full="share of the effect that stays"),
        Column("floor's\neffect", full="effect of random directions"),
        Column("floor's\nshare", full="the same as a share"),
        Column("n", spare=1),
        Column("unscored", spare=1),
    )
    table = Table(columns, tuple(_row(kept) for kept in found.kept))
    values = ", ".join(found.values) if len(found.values) <= 3 else f"{len(found.values)} values"
    n = found.kept[0].effect.n
    setting = f"{values}; {counted(n, 'item')}; judge {found.judge}, seed {found.seed}. %, changes in points."
    return Section(
        "robustness",
        _title(found),
        (one_line(setting, 300),),
        table,
        (HOW_TO_READ, *legends.marks(table), *_notes(found)),
    )


def _notes(found: Robustness) -> Iterator[str]:
    """What is not in the table, or not on all items."""
    n = found.kept[0].effect.n
    for pairs, reason in found.unfitted.items():
        yield one_line(f"{counted(pairs, 'training pair')}: the method cannot be fitted. {reason}", 300)
    for kept in found.kept:
        if kept.left_out:
            some = ", ".join(kept.left_out[:3]) + (", ..." if len(kept.left_out) > 3 else "")
            verb = "is" if len(kept.left_out) == 1 else "are"
            which = f"{len(kept.left_out)} of {counted(n, 'item')} without an acceptable rewording {verb} left out"
            yield one_line(f"{_words(kept).capitalize()}: {which} ({some}).", 300)
    if found.writer:
        yield one_line(f"Reworded by {found.writer}; a rule checked that the options stay, nobody the sense.", 200)


def _title(found: Robustness) -> str:
    way = "towards" if found.direction == "positive" else "away from"
    return one_line(f"What stays of {found.steerer} ({way} the value) on {found.model}", 160)


def _row(kept: Kept) -> tuple[Cell, ...]:
    return (
        Cell(_words(kept)),
        Cell(arrow(kept.unsteered.estimate, kept.steered.estimate)),
        Cell(rate_interval(kept.steered)),
        change_cell(kept.effect),
        Cell(_share(kept.share)),
        change_cell(kept.floor),
        Cell(_share(kept.floor_share)),
        Cell(str(kept.effect.n)),
        Cell(str(kept.unscored)),
    )


def _words(kept: Kept) -> str:
    return CHANGES[kept.change] if kept.pairs is None else counted(kept.pairs, "training pair")


def _share(share: Retained | None) -> str:
    """``83 (68..101)``, in percent."""
    if share is None or share.estimate is None:
        return NONE
    bounds = "-" if share.low is None or share.high is None else f"{100 * share.low:.0f}..{100 * share.high:.0f}"
    return f"{100 * share.estimate:.0f} ({bounds})"


ROBUSTNESS_FORMATS: dict[str, Callable[[Robustness], str]] = {
    "text": lambda found: sections_text((section(found),)),
    "md": lambda found: sections_markdown(_title(found), (section(found),)),
    "json": lambda found: found.model_dump_json(indent=1) + "\n",
}
