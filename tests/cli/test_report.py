"""``vharness report``: tables for LaTeX and figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.cli.test_bad_input import refused
from tests.reports.runs import write_run


@pytest.fixture
def stored(own_folders: Path) -> Path:
    write_run(own_folders / "run")
    return Path("run")


def test_tables_for_latex_by_format_and_by_ending(vharness: Command, stored: Path) -> None:
    shown = vharness("report", stored, "--format", "tex")
    assert shown.code == 0, shown.err
    assert shown.out.count(r"\begin{table}") == 3
    written = vharness("report", stored, "--out", "tables.tex")
    assert written.code == 0, written.err
    assert Path("tables.tex").read_text(encoding="utf-8").strip() == shown.out.strip()


def test_figures_stand_beside_the_report(vharness: Command, stored: Path) -> None:
    done = vharness("report", stored, "--figures", "figures", "--format", "csv")
    assert done.code == 0, done.err
    assert done.out.startswith("condition,")
    assert "Written: figures/control.png, figures/control.svg" in done.err
    names = {f"{key}.{kind}" for key in ("control", "side-effects") for kind in ("png", "svg")}
    assert {path.name for path in Path("figures").iterdir()} == names


def test_a_place_for_figures_that_is_a_file(vharness: Command, stored: Path) -> None:
    refused(vharness("report", stored, "--figures", "run/run.json"), "run/run.json cannot be written to")
