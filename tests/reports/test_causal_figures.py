"""Figures of a causal score: what they show is read back from the SVG and from the artists."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from valuebench_harness.causal.graph import ValueGraph, from_pairs
from valuebench_harness.causal.interventions import Target
from valuebench_harness.causal.score import Score, score
from valuebench_harness.causal.simulation import simulate
from valuebench_harness.causal.table import OrientationTable
from valuebench_harness.reports.causal_figures import score_pictures, write_figures
from valuebench_harness.reports.causal_score import number, with_interval
from valuebench_harness.reports.pictures import BLUE, ORANGE, Picture

pytest.importorskip("matplotlib")

HOSTILE = "$x_{1}$ <b>&--> \x1b[31m"
NAMES = ("Power", "Social Cynicism", HOSTILE, "Lone")
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def scored() -> Score:
    weights = np.zeros((4, 4))
    weights[1, 0], weights[2, 1] = 0.8, -0.7
    tables = []
    for seed, roles in ((0, 30), (1, 12)):
        made = simulate(weights, roles, 4, np.random.default_rng(seed), 0.3, 0.3)
        scores = np.round(made.scores / 8, 1)
        scores[[setting == "s3" for setting in made.settings], 3] = np.nan  # nobody answered
        tables.append(OrientationTable(NAMES, made.settings, made.roles, scores, f"t{seed}.csv"))
    graph = from_pairs(NAMES, [(NAMES[0], NAMES[1]), (NAMES[1], NAMES[2])])
    aimed = {"s2": Target(value="Power", sign=-1)}
    return score(tables[0], tables[1], graph=graph, references={"none": ValueGraph(nodes=NAMES)}, targets=aimed)


@pytest.fixture(scope="module")
def drawn(scored: Score) -> dict[str, Picture]:
    return {one.key: one for one in score_pictures(scored)}


def texts(one: Picture) -> list[str]:
    """All strings of a figure: matplotlib leaves each as a comment beside its outlines."""
    return [text.strip() for text in re.findall(r"<!-- (.*?) -->", one.svg, re.S)]


def fills(one: Picture, colour: str) -> int:
    shapes = ElementTree.fromstring(one.svg).iter(f"{SVG}path")
    return sum(f"fill: {colour}" in (shape.get("style") or "") for shape in shapes)


def test_frequencies_stand_with_their_gap(scored: Score, drawn: dict[str, Picture]) -> None:
    said = " ".join(texts(drawn["effects"]))
    for effects in (scored.effects.prompt, scored.effects.sae):
        assert f"gap {with_interval(effects.gap)}" in said
    assert "gap - " in f"{said} "  # the graph without an edge expects nothing
    assert said.count("role prompts") == 2


def test_every_cell_of_the_steering_table_has_its_shares_and_cosine(scored: Score, drawn: dict[str, Picture]) -> None:
    said = texts(drawn["steering"])
    for setting, cells in scored.steering_table.items():
        assert setting in said
        for cell in cells.values():
            assert number(cell.cosine.estimate) in said
    shapes = ElementTree.fromstring(drawn["steering"].svg).iter(f"{SVG}path")
    blue = [shape.get("d") or "" for shape in shapes if f"fill: {BLUE}" in (shape.get("style") or "")]
    widths = [np.ptp([float(x) for x in re.findall(r"[ML] ([\d.-]+) ", path)]) for path in blue[:12]]
    shares = [cell.train.stimulated or 0.0 for cells in scored.steering_table.values() for cell in cells.values()]
    unit = max(widths) / max(shares)
    np.testing.assert_allclose(np.array(widths) / unit, shares, atol=1e-4)


def test_pies_of_the_chosen_and_the_aimed_settings(scored: Score, drawn: dict[str, Picture]) -> None:
    said = texts(drawn["best"])
    for choice in scored.choices.values():
        assert choice.raising.settings[0] in said
        assert choice.lowering.settings[0] in said
    assert "aimed down" in said
    assert "aimed up" not in said  # no setting aims up, so there is no such row
    shown = [m.test for c in scored.choices.values() for m in (c.raising, c.lowering, c.aimed_down) if m is not None]
    for colour, share in ((BLUE, "stimulated"), (ORANGE, "suppressed")):
        assert fills(drawn["best"], colour) == sum(bool(getattr(test, share)) for test in shown) + 1  # and the key


def test_names_are_text_and_the_same_score_makes_the_same_files(scored: Score, tmp_path: Path) -> None:
    first, again = (write_figures(scored, tmp_path / name / "deep") for name in ("a", "b"))
    assert [path.name for path in first] == [
        f"{key}.{ending}" for key in ("effects", "steering", "best") for ending in ("png", "svg")
    ]
    for one, other in zip(first, again, strict=True):
        assert one.read_bytes() == other.read_bytes()
    for path in first[::2]:
        width, height = struct.unpack(">II", path.read_bytes()[16:24])
        assert min(width, height) > 300
    svg = first[3].read_text(encoding="utf-8")
    ElementTree.fromstring(svg)
    assert "$x_{1}$" in svg
    assert "\x1b" not in svg


def test_a_full_pie_is_a_full_pie(scored: Score) -> None:
    """One share of 1 is a whole circle, not an empty sector."""
    choice = scored.choices["Power"]
    whole = choice.raising.test.model_copy(update={"stimulated": 1.0, "suppressed": 0.0, "maintained": 0.0})
    changed = choice.model_copy(update={"raising": choice.raising.model_copy(update={"test": whole})})
    only = scored.model_copy(update={"choices": {**scored.choices, "Power": changed}})
    before, after = ({p.key: p for p in score_pictures(s)}["best"] for s in (scored, only))
    assert fills(after, BLUE) == fills(before, BLUE) + (not choice.raising.test.stimulated)
    sectors = [
        shape.get("d") or ""
        for shape in ElementTree.fromstring(after.svg).iter(f"{SVG}path")
        if f"fill: {BLUE}" in (shape.get("style") or "")
    ]
    points = np.array([float(x) for x in re.findall(r"-?\d+\.?\d*", sectors[0])]).reshape(-1, 2)
    assert np.ptp(points[:, 0]) == pytest.approx(np.ptp(points[:, 1]), rel=1e-3)
