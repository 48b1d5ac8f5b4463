"""``vharness causal show``: a score as one page that works offline.

A reader clicks a value and sees what a change of it is expected to move, and what did move.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup
from pydantic import JsonValue

from valuebench_harness.causal.choices import Moved
from valuebench_harness.causal.effects import Effects
from valuebench_harness.causal.estimates import Estimate
from valuebench_harness.causal.graph import ValueGraph
from valuebench_harness.causal.score import Score
from valuebench_harness.causal.steering import Proportions
from valuebench_harness.reports.browser import script_json
from valuebench_harness.reports.causal_score import number, with_interval
from valuebench_harness.reports.causal_svg import NAME_LENGTH, drawing, name_lines, pie
from valuebench_harness.reports.clean import one_line
from valuebench_harness.reports.numbers import p_text
from valuebench_harness.reports.page import render_page

THIS = "this graph"
PIE_NAME = 9
STEERINGS = {"prompt": "role prompts", "sae": "settings"}


@dataclass(frozen=True)
class Bar:
    """One frequency of Figure 4."""

    kind: str
    estimate: float
    low: float
    high: float
    text: str


@dataclass(frozen=True)
class Group:
    """The two bars of a graph and a way of steering."""

    graph: str
    steering: str
    bars: tuple[Bar, ...]
    gap: str
    p: str


@dataclass(frozen=True)
class Pie:
    """Shares of the test roles: its name, its sectors as paths, and all in words."""

    name: str
    sectors: tuple[str, ...]
    words: str


@dataclass(frozen=True)
class Choice:
    """A value's best raising and lowering setting and those aimed at it (Table 3)."""

    value: tuple[str, ...]
    pies: tuple[Pie, ...]


def render_score(score: Score) -> str:
    """The whole page."""
    graphs = {THIS: score.graph, **score.reference_graphs}
    return render_page(
        "causal.html.j2",
        css=("report.css", "causal.css"),
        js="causal.js",
        score=score,
        drawings=[drawing(name, graph) for name, graph in graphs.items()],
        groups=list(effect_groups(score)),
        values=[one_line(value, NAME_LENGTH) for value in score.values],
        rows=list(steering_rows(score)),
        noise=[number(score.noise_ratio[value]) for value in score.values],
        choices=list(_choices(score)),
        origin=_origin(score.graph),
        left_out=score.graph.about.get("values_left_out") or {},
        data=Markup(script_json(_data(score))),  # noqa: S704 - escaped by script_json
    )


def _origin(graph: ValueGraph) -> str:
    """How the graph was made, as far as it says."""
    said = ("method", "estimand", "alpha", "rows", "roles", "settings", "source")
    return ", ".join(f"{key} {one_line(str(graph.about[key]), 100)}" for key in said if key in graph.about) or "given"


def effect_groups(score: Score) -> Iterator[Group]:
    """Figures 4 to 7: of each graph and way of steering, the two frequencies."""
    for name, effects in {THIS: score.effects, **score.references}.items():
        for kind, steering in STEERINGS.items():
            found: Effects = getattr(effects, kind)
            bars = tuple(_bar(side, getattr(found, side)) for side in ("expected", "unexpected"))
            p = p_text(found.permutation_p)
            yield Group(one_line(name, NAME_LENGTH), steering, bars, with_interval(found.gap), p)


def _bar(kind: str, estimate: Estimate) -> Bar:
    point = estimate.estimate or 0.0
    low, high = (point if end is None else end for end in (estimate.low, estimate.high))
    return Bar(kind, point, low, high, with_interval(estimate))


def steering_rows(score: Score) -> Iterator[tuple[str, list[tuple[Proportions, str, str]], str]]:
    """Table 4: of each setting its name, a cell a value (shares in training, cosine, in words), and the mean cosine."""
    for setting, cells in score.steering_table.items():
        shown = [(cell.train, number(cell.cosine.estimate), _words(cell.train)) for cell in cells.values()]
        yield one_line(setting, NAME_LENGTH), shown, number(score.mean_similarity[setting].estimate)


def _words(p: Proportions) -> str:
    if p.stimulated is None or p.suppressed is None:
        return "no role answered"
    return f"{p.stimulated:.0%} of {p.roles} roles stimulated, {p.suppressed:.0%} suppressed"


def _choices(score: Score) -> Iterator[Choice]:
    for value, choice in score.choices.items():
        pies = {
            f"▲ {one_line(choice.raising.settings[0], NAME_LENGTH)}": choice.raising,
            f"▼ {one_line(choice.lowering.settings[0], NAME_LENGTH)}": choice.lowering,
            "▲ aimed": choice.aimed_up,
            "▼ aimed": choice.aimed_down,
        }
        yield Choice(name_lines(value), tuple(_pie(name, moved) for name, moved in pies.items() if moved is not None))


def _pie(name: str, moved: Moved) -> Pie:
    test = moved.test
    sectors = pie((test.stimulated or 0.0, test.suppressed or 0.0, test.maintained or 0.0))
    return Pie(name if len(name) <= PIE_NAME else f"{name[: PIE_NAME - 1]}…", sectors, f"{name}: {_words(test)}")


def _data(score: Score) -> JsonValue:
    """What the script needs: of every graph and value what is expected, and of every steering what moved."""
    graphs = {THIS: score.graph, **score.reference_graphs}
    return {
        "values": [one_line(value, NAME_LENGTH) for value in score.values],
        "names": list(score.values),
        "graphs": [
            {"name": one_line(name, NAME_LENGTH), "expected": [list(graph.successors(value)) for value in score.values]}
            for name, graph in graphs.items()
        ],
        "steerings": [
            {
                "name": name,
                "steerings": [e.steerings for e in _effects(score, kind).by_value.values()],
                "moved": [dict(e.moved) for e in _effects(score, kind).by_value.values()],
                "against": one_line(_effects(score, kind).against, 80),
            }
            for kind, name in STEERINGS.items()
        ],
    }


def _effects(score: Score, kind: str) -> Effects:
    found: Effects = getattr(score.effects, kind)
    return found
