from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.reports.chromium import ARGUMENTS
from tests.reports.runs import HOSTILE, Spec, write_run
from valuebench_harness.harness.run import Run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Three values at one strength, with a gate and an exam."""
    return write_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Steered answers that try to break whatever shows them, some of them unscored."""
    return write_run(tmp_path_factory.mktemp("hostile"), Spec(texts=HOSTILE, unscored=0.1, per_value=24))


@pytest.fixture(scope="session")
def base_only(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return write_run(tmp_path_factory.mktemp("base"), Spec(levels=(), steerer="base"))


@pytest.fixture(scope="session")
def levels(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Three strengths."""
    return write_run(tmp_path_factory.mktemp("levels"), Spec(levels=(1.0, 2.0, 4.0)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install playwright)")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed (apt-get install chromium)")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def opened_html(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Opens a page from disk; at the end nothing may have been logged, thrown or asked of a network."""
    trouble: list[str] = []
    pages: list[Page] = []

    def open_page(html: str, *, width: int = 1280, scheme: str = "light") -> Page:
        path = tmp_path / f"{len(pages)}.html"
        path.write_text(html, encoding="utf-8")
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
        page.on("console", lambda m: trouble.append(f"console: {m.text}"))
        page.on("pageerror", lambda e: trouble.append(f"error: {e}"))
        page.on("dialog", lambda d: trouble.append(f"dialog: {d.message}"))
        page.on("request", lambda r: None if r.url == path.as_uri() else trouble.append(f"request: {r.url}"))
        page.goto(path.as_uri())
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert trouble == []
