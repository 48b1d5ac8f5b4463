"""The page in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.reports.runs import Spec, write_run
from valuebench_harness.harness.run import Run
from valuebench_harness.reports.html import render_html

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

Opener = Callable[..., "Page"]


@pytest.fixture
def opened(opened_html: Callable[..., Page]) -> Opener:
    """Opens a run's page; see ``opened_html``."""
    return lambda run, **settings: opened_html(render_html(run), **settings)


def _count(page: Page) -> int:
    return int(page.inner_text("#count").split(" of ")[0].replace(",", ""))


def test_filters_agree_with_the_records(run: Run, opened: Opener) -> None:
    page = opened(run)
    answers = [a for a in run.answers() if a.condition.value]
    assert _count(page) == len(answers)
    page.select_option("#filter-steered", "power")
    assert _count(page) == sum(a.condition.value == "power" for a in answers)
    page.select_option("#filter-about", "the value steered")
    page.select_option("#filter-kind", "dilemma")
    page.select_option("#filter-verdict", "on the side aimed at")
    own = [a for a in answers if a.condition.value == a.document.value == "power" and a.document.kind == "dilemma"]
    assert _count(page) == sum(a.aimed is True for a in own)
    page.select_option("#filter-verdict", "any")
    page.select_option("#filter-flip", "flipped")
    base = {
        a.document.id: a.verdicts["csr"].label
        for a in run.answers()
        if a.condition.id == "base" and "csr" in a.verdicts
    }
    assert _count(page) == sum(a.verdicts["csr"].label != base[a.document.id] for a in own)
    page.click("button[type=reset]")
    page.wait_for_function(
        "document.getElementById('count').textContent.startsWith(" + repr(f"{len(answers):,} of") + ")"
    )


def test_search_looks_at_questions_and_answers(run: Run, opened: Opener) -> None:
    page = opened(run)
    page.fill("#filter-search", "[POWER 3]")
    assert _count(page) == len(run.results.conditions)
    page.fill("#filter-search", "no such words")
    assert _count(page) == 0
    assert "No sample fits" in page.inner_text("#detail")


def test_the_keyboard_moves_through_the_list(run: Run, opened: Opener) -> None:
    page = opened(run)
    first = page.inner_text("#detail")
    page.focus("#list")
    page.keyboard.press("ArrowDown")
    assert page.inner_text("#detail") != first
    page.keyboard.press("End")
    active = page.get_attribute("#list", "aria-activedescendant")
    assert active == f"row-{_count(page) - 1}"
    assert page.get_attribute(f"#{active}", "aria-selected") == "true"
    page.keyboard.press("Home")
    assert page.inner_text("#detail") == first


def test_both_answers_stand_side_by_side(run: Run, opened: Opener) -> None:
    page = opened(run)
    page.select_option("#filter-kind", "dilemma")
    page.select_option("#filter-flip", "flipped")
    base, steered = page.locator("#detail .side").all()
    assert base.locator("h4").inner_text() == "Base"
    assert base.locator(".text").inner_text() != steered.locator(".text").inner_text()
    assert base.locator(".touch").count() == 0
    assert steered.locator(".touch").first.inner_text() == "Steered at layers 1-2. Gate open."
    a, b = base.bounding_box(), steered.bounding_box()
    assert a is not None
    assert b is not None
    assert a["y"] == b["y"]
    assert a["x"] + a["width"] <= b["x"]


def test_steered_tokens_are_marked_in_answer_and_prompt(run: Run, opened: Opener) -> None:
    page = opened(run)
    page.select_option("#filter-kind", "dilemma")
    assert page.is_visible("#legend")
    base, steered = page.locator("#detail .side").all()
    assert base.locator("mark").count() == 0
    answer = steered.locator(".text").inner_text()
    assert steered.locator(".text mark").inner_text() == answer[2:-10]
    assert "7 of 9 tokens steered: 7 at layer 1, 5 at 2" in steered.inner_text()
    for side in (base, steered):
        assert not side.locator(".prompt").is_visible()
    steered.locator("summary").click()
    page.wait_for_function("[...document.querySelectorAll('#detail details')].every(d => d.open)")
    assert steered.locator(".prompt mark").inner_text() == base.locator(".prompt").inner_text()[7:-10]
    page.focus("#list")
    page.keyboard.press("ArrowDown")
    assert page.locator("#detail .prompt mark").is_visible()


def test_a_mark_is_told_without_colour_and_is_read_aloud(run: Run, opened: Opener) -> None:
    page = opened(run)
    page.select_option("#filter-kind", "dilemma")
    mark = page.locator("#detail .text mark")
    assert "underline" in mark.evaluate("e => getComputedStyle(e).textDecorationLine")
    assert "steered:" in page.locator("#detail .side:last-child .text").aria_snapshot()
    page.evaluate("getSelection().selectAllChildren(document.querySelector('#detail .side:last-child .text'))")
    assert page.evaluate("String(getSelection())").strip() == page.locator("#detail .text").last.inner_text()


def test_hostile_answers_run_nothing_and_are_shown_as_text(hostile: Run, opened: Opener) -> None:
    page = opened(hostile)
    page.fill("#filter-search", "<script>")
    assert _count(page) > 0
    page.focus("#list")
    for _ in range(5):
        page.keyboard.press("ArrowDown")
    assert "<script>" in page.inner_text("#detail")
    assert page.evaluate("window.hacked") is None
    assert page.locator("img, #detail script, #rows script").count() == 0


def test_only_rows_in_sight_exist(tmp_path: Path, opened: Opener) -> None:
    run = write_run(tmp_path / "many", Spec(per_value=150, exam=0, gate="none"))
    page = opened(run)
    assert _count(page) > 1_300
    assert page.locator(".row").count() < 60
    page.evaluate("document.getElementById('list').scrollTop = 40_000")
    page.wait_for_selector("#row-692")
    assert page.locator(".row").count() < 60


@pytest.mark.parametrize("width", [1280, 420])
def test_the_page_is_never_wider_than_the_window(
    run: Run, levels: Run, base_only: Run, opened: Opener, width: int
) -> None:
    for each in (run, levels, base_only):
        page = opened(each, width=width)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_theme_follows_the_system_until_chosen(run: Run, opened: Opener) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    light, dark = opened(run), opened(run, scheme="dark")
    assert light.evaluate(background) != dark.evaluate(background)
    wanted = light.evaluate(background)
    dark.click("#theme")
    assert dark.evaluate(background) == wanted


def test_a_base_run_shows_its_answers(base_only: Run, opened: Opener) -> None:
    page = opened(base_only)
    assert _count(page) == len(base_only.samples)
    assert page.locator("#detail .side").count() == 1
