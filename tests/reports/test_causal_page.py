"""The page of ``vharness causal show``, as text and in a real browser."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import numpy as np
import pytest

from valuebench_harness.causal.graph import ValueGraph, from_pairs
from valuebench_harness.causal.score import Score, score
from valuebench_harness.causal.simulation import simulate
from valuebench_harness.causal.table import OrientationTable
from valuebench_harness.reports.causal_page import render_score
from valuebench_harness.reports.causal_svg import drawing, pie

if TYPE_CHECKING:
    from playwright.sync_api import Page

HOSTILE = '</script><img src=x onerror="document.title=1">'
NAMES = ("Power", "Social Cynicism", HOSTILE, "Positive coping", "Lone")


@pytest.fixture(scope="module")
def scored() -> Score:
    weights = np.zeros((5, 5))
    weights[1, 0], weights[2, 1], weights[3, 1] = 0.8, -0.7, 0.6
    tables = []
    for seed, roles in ((0, 40), (1, 15)):
        made = simulate(weights, roles, 4, np.random.default_rng(seed), 0.3, 0.3)
        tables.append(OrientationTable(NAMES, made.settings, made.roles, np.round(made.scores / 8, 1), f"t{seed}.csv"))
    graph = from_pairs(NAMES, [(NAMES[0], NAMES[1]), (NAMES[1], NAMES[2]), (NAMES[1], NAMES[3])])
    other = from_pairs(NAMES, [(NAMES[3], NAMES[0]), (NAMES[0], NAMES[3])])
    return score(tables[0], tables[1], graph=graph, references={"theory": other})


@pytest.fixture(scope="module")
def page_text(scored: Score) -> str:
    return render_score(scored)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_loads_nothing_and_escapes_names(page_text: str) -> None:
    parser = _Tags()
    parser.feed(page_text)
    assert {tag for tag, _ in parser.tags}.isdisjoint({"img", "link", "iframe", "object"})
    assert not [a for _, attributes in parser.tags for a in attributes if a.startswith("on") or a in {"src", "style"}]
    assert "default-src 'none'" in html.unescape(page_text)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page_text)


def test_it_shows_every_number_of_the_score(page_text: str, scored: Score) -> None:
    cells = re.findall(r'aria-label="cosine ([\d.]+|-)', page_text)
    assert len(cells) == 3 * 5
    first = scored.steering_table["s1"]["Power"].cosine.estimate
    assert cells[0] == f"{first:.2f}"
    assert page_text.count('class="bar-expected"') == page_text.count('class="bar-unexpected"') == 4
    data = json.loads(re.search(r'id="data">(.*?)</script>', page_text, re.S)[1])  # type: ignore[index]
    assert data["names"] == list(NAMES)
    assert data["graphs"][0]["expected"][0] == [NAMES[1], NAMES[2], NAMES[3]]
    assert data["graphs"][1]["expected"][0] == [NAMES[3]]
    assert data["steerings"][1]["moved"][0] == scored.effects.sae.by_value["Power"].moved


def test_drawings_hold_every_value_and_the_reduced_edges() -> None:
    graph = from_pairs("abcd", [("a", "b"), ("b", "c"), ("a", "c")])
    drawn = drawing("g", graph)
    assert {box.value for box in drawn.boxes} == set("abcd")
    assert {(line.source, line.target) for line in drawn.lines} == {("a", "b"), ("b", "c")}
    rows = {box.value: box.y for box in drawn.boxes}
    assert rows["a"] < rows["b"] < rows["c"] < rows["d"]  # causes above effects, the lone value last
    assert all(0 < box.x < drawn.width and 0 < box.y < drawn.height for box in drawn.boxes)
    assert drawing("none", ValueGraph(nodes=("a",))).lines == ()


def test_pies_have_a_sector_a_share() -> None:
    assert pie((1.0, 0.0, 0.0))[1:] == ("", "")
    half, quarter, rest = pie((0.5, 0.25, 0.25))
    assert half.startswith("M0 0L0.00 -20.00A")
    assert half.endswith("1 0.00 20.00Z")
    assert quarter.endswith("-20.00 -0.00Z") or quarter.endswith("-20.00 0.00Z")
    assert rest.endswith("-0.00 -20.00Z") or rest.endswith("0.00 -20.00Z")


@pytest.fixture
def opened(page_text: str, opened_html: Callable[..., Page]) -> Page:
    return opened_html(page_text)


@pytest.mark.browser
def test_a_click_tells_what_should_move_and_what_did(opened: Page, scored: Score) -> None:
    graph = opened.locator(".graph").first
    nodes = graph.locator(".node")
    nodes.nth(1).click()
    assert nodes.nth(1).get_attribute("aria-pressed") == "true"
    expected = [n for n in range(5) if "expected" in (nodes.nth(n).get_attribute("class") or "")]
    assert expected == [2, 3]
    panel = opened.locator("#value")
    assert "Moved by role prompts" in panel.inner_text()
    count = scored.effects.sae.by_value["Social Cynicism"].steerings
    assert f"{count} of them moved Social Cynicism" in panel.inner_text()
    assert panel.locator(".is-expected").count() == 4  # two values, two ways of steering
    assert HOSTILE[:20] in panel.inner_text()
    assert opened.title() == "What a steered value moves along"
    nodes.nth(1).press("Enter")  # lets go
    assert panel.inner_text() == "No value chosen yet."
