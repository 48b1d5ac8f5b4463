"""Reports by the name of their format, and the files that every finished run gets."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import cast

from valuebench_harness.errors import unknown_name
from valuebench_harness.harness.run import Run
from valuebench_harness.harness.store import write_atomically
from valuebench_harness.reports.parquet import write_samples

FORMATS = {
    "text": "valuebench_harness.reports.text:render_text",
    "json": "valuebench_harness.reports.data:render_json",
    "md": "valuebench_harness.reports.markdown:render_markdown",
    "csv": "valuebench_harness.reports.data:render_csv",
    "html": "valuebench_harness.reports.html:render_html",
    "tex": "valuebench_harness.reports.tex:render_tex",
}
"""Format to the function that renders it, imported when it is used."""

FILES = ("html", "md", "json", "csv")
"""Formats that are stored as ``report.<format>`` beside a run."""


def check_format(name: str) -> None:
    """Refuses a format that does not exist, before anything is spent.

    Raises:
        UsageError: for an unknown one.
    """
    if name not in FORMATS:
        raise unknown_name("format", name, FORMATS)


def render(run: Run, name: str) -> str:
    """A run's report in a format.

    Args:
        run: a finished run.
        name: of the format, one of ``FORMATS``.

    Raises:
        UsageError: for an unknown format, or a run without metrics.
    """
    check_format(name)
    module, _, function = FORMATS[name].partition(":")
    renderer = cast("Callable[[Run], str]", getattr(import_module(module), function))
    return renderer(run)


def write_all(run: Run) -> dict[str, Path]:
    """Writes all reports of a run into its folder, each file whole or not at all.

    Returns:
        Path by format; the samples under ``parquet``.

    Raises:
        UsageError: for a run without metrics.
        IncompleteError: where the folder cannot be written.
    """
    paths = {name: run.folder / f"report.{name}" for name in FILES}
    for name, path in paths.items():
        write_atomically(path, render(run, name))
    return {**paths, "parquet": write_samples(run, run.folder / "samples.parquet")}
