"""A page for fitted artifacts, after ConVA's figures and tables: one HTML file, and its figures as PNG and SVG."""

from __future__ import annotations

import base64
from pathlib import Path

from valuebench_harness.errors import IncompleteError
from valuebench_harness.harness.fit_study.records import FitStudy
from valuebench_harness.harness.store import write_atomically
from valuebench_harness.reports.clean import clean
from valuebench_harness.reports.fit_figures import pictures
from valuebench_harness.reports.fit_sections import fit_sections, headline, setting
from valuebench_harness.reports.numbers import counted, percent, ranges, seconds
from valuebench_harness.reports.page import render_page
from valuebench_harness.reports.pictures import Picture

FIGURES = "figures"
PLACES = {"cosines-layers": "cosines"}
"""Figures that stand in another figure's part."""


def write_fit_report(study: FitStudy, out: Path) -> Path:
    """Writes ``fit.html`` and ``figures/*.png``, ``*.svg``.

    Returns:
        Path of the page.

    Raises:
        UsageError: matplotlib is missing.
        IncompleteError: where the folder cannot be written.
    """
    drawn = pictures(study)
    try:
        (out / FIGURES).mkdir(parents=True, exist_ok=True)
        for picture in drawn:
            (out / FIGURES / f"{picture.key}.png").write_bytes(picture.png)
            (out / FIGURES / f"{picture.key}.svg").write_text(picture.svg, encoding="utf-8")
    except OSError as error:
        raise IncompleteError(
            f"{out} cannot be written: {error.strerror or error}. Make room, or use --out."
        ) from error
    page = out / "fit.html"
    write_atomically(page, render_fit(study, drawn))
    return page


def render_fit(study: FitStudy, drawn: list[Picture]) -> str:
    """The page; all text of models and users is escaped, figures are inside as images that cannot run."""
    by_part: dict[str, list[Picture]] = {}
    for picture in drawn:
        by_part.setdefault(PLACES.get(picture.key, picture.key), []).append(picture)
    return render_page(
        "fit_report.html.j2",
        css=("report.css", "fit_report.css"),
        images=True,
        headline=headline(study),
        setting=clean(setting(study)),
        tiles=_tiles(study),
        notes=[clean(note) for note in study.notes],
        sections=list(fit_sections(study)),
        pictures=by_part,
        source=_source,
        facts=_facts(study),
    )


def _tiles(study: FitStudy) -> list[tuple[str, str, str]]:
    """Title, number, note."""
    best = [max(a.rate.estimate or 0.0 for a in v.accuracy) for v in study.values]
    layers = sorted({layer for v in study.values for layer in v.layers})
    each = [len(v.layers) for v in study.values]
    spread = f"{min(each)} to {max(each)} a value" if min(each) != max(each) else f"{each[0]} a value"
    total = sum(v.seconds for v in study.values)
    return [
        ("Best layer's accuracy", percent(min(best)), f"the lowest value; the highest {percent(max(best))}"),
        ("Steered layers", ranges(layers) or "none", spread),
        ("Training pairs", f"{min(v.n_pairs for v in study.values)}", "a value, at least"),
        ("Time to fit", seconds(total), counted(len(study.values), "value")),
    ]


def _facts(study: FitStudy) -> list[tuple[str, str]]:
    settings = ", ".join(f"{k}={v}" for k, v in study.settings.items()) or "none"
    return [
        ("Method", clean(f"{study.method} ({study.source})")),
        ("Settings", clean(settings)),
        ("Model", clean(f"{study.model} ({study.fingerprint[:12]})")),
        ("Value system", clean(study.system)),
        ("Gate", study.gate),
        ("Made", f"{study.created}, valuebench-harness {study.version}"),
        ("Numbers", "fit.json beside this page; figures as PNG and SVG in figures/"),
    ]


def _source(picture: Picture) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(picture.svg.encode()).decode()}"
