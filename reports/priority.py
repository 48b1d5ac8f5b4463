"""A prompt against a steering method, after ConVA's Fig. 4: tables, a plot, and what came of it in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from markupsafe import Markup

from valuebench_harness.errors import unknown_name
from valuebench_harness.harness.priority_results import Arm, Guidance, Priority, Pull
from valuebench_harness.harness.results import Effect
from valuebench_harness.harness.store import write_atomically
from valuebench_harness.reports import legends
from valuebench_harness.reports.cells import change_cell, rate_cell
from valuebench_harness.reports.clean import one_line
from valuebench_harness.reports.evidence import margin_in_words
from valuebench_harness.reports.markdown import sections_markdown
from valuebench_harness.reports.numbers import NONE, arrow, change_in_words, counted, percent, rate_interval
from valuebench_harness.reports.page import render_page
from valuebench_harness.reports.priority_plot import Plot, make_plot
from valuebench_harness.reports.table import Cell, Column, Section, Table
from valuebench_harness.reports.text import sections_text

FILES = ("json", "md", "html", "svg")
"""Formats that are stored as ``priority.<format>`` beside the runs."""

NAME_LENGTH = 40
PROMPTS: dict[Guidance, str] = {"none": "nothing", "positive": "for the value", "negative": "against it"}

HOW_TO_READ = (
    "On side: answers on the side that steering aims at. Without → with steering, on the same items. "
    "From no prompt: steered answers under this prompt minus steered answers under none."
)
CONFLICTS = (
    "Conflicts: items that steering alone puts on the side aimed at and the prompt alone on the other; "
    "of those, the answers that follow steering when both act."
)


def render_priority(priority: Priority, output: str) -> str:
    """The results in a format.

    Raises:
        UsageError: for an unknown format.
    """
    check_format(output)
    return PRIORITY_FORMATS[output](priority)


def check_format(output: str) -> None:
    """Refuses a format that does not exist, before anything is spent.

    Raises:
        UsageError: for an unknown one.
    """
    if output not in PRIORITY_FORMATS:
        raise unknown_name("format", output, PRIORITY_FORMATS)


def write_priority(priority: Priority, folder: Path) -> dict[str, Path]:
    """Writes ``priority.json``, ``.md``, ``.html`` and ``.svg``, each whole or not at all.

    Raises:
        IncompleteError: where the folder cannot be written.
    """
    paths = {name: folder / f"priority.{name}" for name in FILES}
    for name, path in paths.items():
        write_atomically(path, render_priority(priority, name))
    return paths


def headline(priority: Priority) -> str:
    """What was set against what."""
    way = "towards" if priority.direction == "positive" else "away from"
    values = ", ".join(list(priority.values)[:3]) if len(priority.values) <= 3 else f"{len(priority.values)} values"
    return one_line(f"{priority.steerer} {way} {values} on {priority.model}, guided by {priority.guide}", 160)


def verdict(priority: Priority) -> str:
    """What came of it, in a sentence or two."""
    pooled = priority.pooled
    none, arm = pooled.arm("none"), pooled.arm(priority.opposed)
    if none is None or arm is None or arm.from_none is None:
        return "No prompt pulled against steering, so nothing is said of which wins."
    if arm.from_none.estimate is None:
        return (
            "No item is scored with steering both behind the prompt and without one, so nothing is said of which wins."
        )
    first = (
        f"Against the prompt {percent(arm.steered.estimate)} of steered answers are on the side aimed at (95% interval "
        f"{rate_interval(arm.steered)}); without it {percent(none.steered.estimate)} are. The difference is "
        f"{change_in_words(arm.from_none, none.steered, arm.steered)}: {margin_in_words(arm.not_worse, arm.from_none)}."
    )
    return f"{first} {_contest(pooled)}"


def sections(priority: Priority) -> Iterator[Section]:
    """All values pooled, and value by value."""
    columns = (
        Column("prompt", right=False),
        Column("on side"),
        Column("95%", full="95% interval with steering"),
        Column("effect", full="effect of steering"),
        Column("from\nno prompt"),
        Column("loss\nruled out", full=f"loss of {100 * priority.margin:g} points or more ruled out"),
        Column("fluent", spare=2),
        Column("on side\n+ fluent"),
        Column("n", spare=1),
        Column("unscored", spare=1),
    )
    table = Table(columns, tuple(_arm_row(arm) for arm in priority.pooled.arms))
    yield Section(
        "pooled",
        "Guidance by steering, all values pooled (%, changes in points)",
        (verdict(priority),),
        table,
        (HOW_TO_READ, *legends.marks(table), *legends.fewer(_effects(priority.pooled))),
    )
    yield _by_value(priority)


def _by_value(priority: Priority) -> Section:
    guidances = [arm.guidance for arm in priority.pooled.arms]
    columns = (
        Column("value", right=False),
        *(Column(f"prompt:\n{PROMPTS[g]}") for g in guidances),
        Column("conflicts\nwon", full="conflicts that steering wins"),
        Column("95%", full="95% interval"),
        Column("n", full="conflicts", spare=1),
        Column("has priority", right=False),
    )
    rows = [_value_row(value, found) for value, found in priority.values.items()]
    several = len(rows) > 1
    if several:
        rows.append(_value_row("all", priority.pooled))
    return Section(
        "values",
        "On side by value: without → with steering (%)",
        table=Table(columns, tuple(rows), total=several),
        remarks=(CONFLICTS,),
    )


def _arm_row(arm: Arm) -> tuple[Cell, ...]:
    ruled_out = NONE if arm.not_worse is None or arm.not_worse.shown is None else "yes" if arm.not_worse.shown else "no"
    return (
        Cell(PROMPTS[arm.guidance]),
        Cell(arrow(arm.unsteered.estimate, arm.steered.estimate)),
        Cell(rate_interval(arm.steered)),
        change_cell(arm.effect),
        change_cell(arm.from_none),
        Cell(ruled_out),
        rate_cell(arm.fluent),
        rate_cell(arm.success),
        Cell(str(arm.steered.n)),
        Cell(str(arm.steered.unscored + arm.unsteered.unscored)),
    )


def _value_row(value: str, found: Pull) -> tuple[Cell, ...]:
    contest = found.conflicts
    return (
        Cell(one_line(value, NAME_LENGTH)),
        *(Cell(arrow(arm.unsteered.estimate, arm.steered.estimate)) for arm in found.arms),
        rate_cell(contest),
        Cell(rate_interval(contest) if contest else NONE),
        Cell(str(contest.n) if contest else NONE),
        Cell(found.winner or NONE),
    )


def _effects(found: Pull) -> Iterator[Effect]:
    """Every change of the table beside the rates that it is of."""
    none = found.arm("none")
    for arm in found.arms:
        yield Effect(before=arm.unsteered, after=arm.steered, change=arm.effect)
        if none and arm.from_none:
            yield Effect(before=none.steered, after=arm.steered, change=arm.from_none)


def _contest(found: Pull) -> str:
    contest = found.conflicts
    if contest is None or contest.estimate is None:
        return "No item is led to different sides by the two alone, so neither could win."
    ending = {
        "steering": "steering has priority",
        "prompt": "the prompt has priority",
    }.get(found.winner or "", "neither is shown to have priority")
    return (
        f"Of {counted(contest.n, 'answer')} to items that the two alone lead to different sides, steering decides "
        f"{percent(contest.estimate)} (95% interval {rate_interval(contest)}): {ending}."
    )


def _setting(priority: Priority) -> str:
    strengths = sorted({*priority.strengths.values()})
    shown = f"{strengths[0]:g}" if len(strengths) == 1 else f"{strengths[0]:g}..{strengths[-1]:g}"
    parts = (f"strength {shown}", f"gate {priority.gate}", f"judge {priority.judge}", f"seed {priority.seed}")
    return one_line(" · ".join(parts), 300)


def _warnings(priority: Priority) -> list[str]:
    if not priority.unscored:
        return []
    verb = "is" if priority.unscored == 1 else "are"
    asked = counted(priority.verdicts, "verdict")
    return [f"{priority.unscored:,} of {asked} {verb} unscored; on side, effect and fluent leave such answers out."]


def _preface(priority: Priority) -> Section:
    return Section("setting", headline(priority), (_setting(priority), *_warnings(priority)))


def _text(priority: Priority) -> str:
    return sections_text((_preface(priority), *sections(priority)))


def _markdown(priority: Priority) -> str:
    lead = Section("setting", "Setting", (_setting(priority), *_warnings(priority)))
    return sections_markdown(headline(priority), (*sections(priority), lead))


def _json(priority: Priority) -> str:
    return priority.model_dump_json(indent=1) + "\n"


def _svg(priority: Priority) -> str:
    return _drawn(make_plot(priority), alone=True)


def _drawn(plot: Plot, *, alone: bool) -> str:
    return render_page("priority.svg.j2", css=(), plot=plot, alone=alone)


def _html(priority: Priority) -> str:
    pooled, values = sections(priority)
    return render_page(
        "priority.html.j2",
        css=("report.css",),
        headline=headline(priority),
        setting=_setting(priority),
        verdict=verdict(priority),
        warnings=_warnings(priority),
        sections=(pooled, values),
        plot=Markup(_drawn(make_plot(priority), alone=False)),  # noqa: S704 - escaped by its own template
        runs=[(name, one_line(folder, 120)) for name, folder in priority.runs.items()],
    )


PRIORITY_FORMATS: dict[str, Callable[[Priority], str]] = {
    "text": _text,
    "md": _markdown,
    "json": _json,
    "html": _html,
    "svg": _svg,
}
