"""Does a report of 20,000 samples stay usable in a browser?

    python -m benchmarks.report_page

A run folder of ten values is written through the product's store and scorer, with distinct answers of 60 words; its
page is opened from disk in the system's Chromium. Opening ends when the sample list is painted; a filter ends with the
frame painted after its event. The command leaves with 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from tests.reports.chromium import ARGUMENTS
from tests.reports.runs import Spec, write_run
from valuebench_harness.data.values import load_value_system
from valuebench_harness.reports.html import render_html

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

OPEN_GOAL, FILTER_GOAL = 2.0, 0.1
WORDS = ("we", "should", "talk", "before", "choosing", "the", "way", "that", "serves", "others", "and", "costs", "time")

PAINTED = "() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))"
FILTER = """([id, value]) => new Promise(done => {
  const field = document.getElementById(id), start = performance.now();
  field.value = value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  requestAnimationFrame(() => setTimeout(() => done((performance.now() - start) / 1000)));
})"""

STEPS = (
    ("value steered", "filter-steered", "power"),
    ("about the value steered", "filter-about", "the value steered"),
    ("about any", "filter-about", "any"),
    ("any value steered", "filter-steered", "any"),
    ("flipped against the base", "filter-flip", "flipped"),
    ("verdict", "filter-verdict", "on the side aimed at"),
    ("flipped or not", "filter-flip", "any"),
    ("any verdict", "filter-verdict", "any"),
    ("first search", "filter-search", "s"),
    ("search, another letter", "filter-search", "se"),
    ("search, a phrase", "filter-search", "serves others"),
    ("no search", "filter-search", ""),
)
"""Name, id of the field and what is put into it, in this order, each on what the one before left."""


def write_page(folder: Path, per_value: int) -> tuple[Path, int]:
    """A page as a run leaves it, and its number of samples."""
    rng = random.Random(0)
    texts = tuple(" ".join(rng.choices(WORDS, k=60)) for _ in range(20_000))
    run = write_run(folder / "run", Spec(values=load_value_system("schwartz").ids, per_value=per_value, texts=texts))
    path = folder / "report.html"
    start = time.perf_counter()
    path.write_text(render_html(run), encoding="utf-8")
    print(f"{len(run.samples):,} samples, {path.stat().st_size / 1e6:.1f} MB, rendered in ", end="")
    print(f"{time.perf_counter() - start:.1f} s")
    return path, len(run.samples)


def opened(browser: Browser, path: Path) -> tuple[Page, float]:
    """A page in a context of its own, and the seconds until its samples are painted."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    start = time.perf_counter()
    page.goto(path.as_uri())
    page.wait_for_selector(".row")
    page.evaluate(PAINTED)
    return page, time.perf_counter() - start


def filtered(page: Page) -> Iterator[tuple[str, float]]:
    """Seconds of each step."""
    for name, field, value in STEPS:
        yield name, page.evaluate(FILTER, [field, value])


def main() -> int:
    """Measures, prints and compares with the goals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--per-value", type=int, default=180, help="dilemmas a value; 180 make 20,000 samples")
    options = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium is not installed (apt-get install chromium)")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        path, _ = write_page(Path(name), options.per_value)
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        print(f"Chromium {browser.version}, {options.repeats} repeats: median (least to most)")
        openings: list[float] = []
        steps: dict[str, list[float]] = {}
        for _ in range(options.repeats):
            page, taken = opened(browser, path)
            openings.append(taken)
            for step, seconds in filtered(page):
                steps.setdefault(step, []).append(seconds)
            page.context.close()
        browser.close()
    missed = _told("open", openings, OPEN_GOAL)
    return max([missed, *(_told(step, seconds, FILTER_GOAL) for step, seconds in steps.items())])


def _told(name: str, seconds: list[float], goal: float) -> int:
    median = statistics.median(seconds)
    line = f"{name:26} {1000 * median:6.0f} ms ({1000 * min(seconds):.0f} to {1000 * max(seconds):.0f})"
    print(f"{line}, goal {1000 * goal:.0f}{'' if median < goal else ': MISSED'}")
    return int(median >= goal)


if __name__ == "__main__":
    sys.exit(main())
