"""The report as one page: no network, no framework, opens from disk.

What a model said reaches the page as escaped text or as JSON that the script writes with
``textContent``; the page's own content security policy lets nothing else run or load.
"""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from valuebench_harness.harness.results import Effect
from valuebench_harness.harness.run import Run
from valuebench_harness.reports import story
from valuebench_harness.reports.browser import sample_data, script_json
from valuebench_harness.reports.facts import facts
from valuebench_harness.reports.levels import best_level
from valuebench_harness.reports.numbers import arrow, change_in_words, percent, points
from valuebench_harness.reports.page import render_page
from valuebench_harness.reports.sections import sections

HEAT_STEPS = 5
FULL_HEAT = 0.5
"""Change at which a cell has its full colour."""


@dataclass(frozen=True)
class Tile:
    """A number that stands out."""

    title: str
    number: str
    note: str


def render_html(run: Run) -> str:
    """The whole report with all samples as one self-contained HTML page."""
    return render_page(
        "report.html.j2",
        css=("report.css",),
        js="report.js",
        filters={"heat": heat_class},
        headline=story.headline(run),
        setting=story.setting(run),
        verdict=story.verdict(run),
        warnings=story.warnings(run),
        tiles=tiles(run),
        sections=list(sections(run, everything=True)),
        facts=facts(run),
        data=Markup(script_json(sample_data(run))),  # noqa: S704 - escaped by script_json
    )


def heat_class(change: float) -> str:
    """Class of a coloured cell: ``heat-3`` is orange, ``heat3`` blue, ``heat0`` has no colour."""
    step = round(min(abs(change) / FULL_HEAT, 1.0) * HEAT_STEPS)
    return f"heat{'-' if change < 0 and step else ''}{step}"


def tiles(run: Run) -> list[Tile]:
    """The numbers of the summary; none where only the base was run."""
    level = best_level(run.results)
    if level is None:
        return []
    pooled, out = level.pooled, []
    for title, effect in (
        ("Control success", pooled.csr),
        ("Fluency", pooled.fr),
        ("On side and fluent", pooled.success),
    ):
        if effect:
            out.append(Tile(title, _numbers(effect), _change(effect)))
    if pooled.exam:
        gated, ungated = pooled.exam.gated, pooled.exam.ungated
        note = f"{percent(ungated.after.estimate)} without the gate" if ungated else _change(gated)
        out.append(Tile("Exam", _numbers(gated), note))
    if pooled.entanglement is not None:
        off = level.off_target()
        shown = sum(c.shown for c in off.values())
        note = f"root mean square; {shown} of {len(off)} shown"
        out.append(Tile("Side effects", f"{points(pooled.entanglement).lstrip('+')} points", note))
    return out


def _numbers(effect: Effect) -> str:
    before, after = effect.before.estimate, effect.after.estimate
    return "not known" if before is None and after is None else arrow(before, after, sign=True)


def _change(effect: Effect) -> str:
    return change_in_words(effect.change, effect.before, effect.after)
