"""``vharness report``: tables for LaTeX and figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.cli.test_bad_input import refused
from tests.reports.runs import Spec, write_run


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


def test_a_graph_is_held_against_a_stored_run_and_stays(vharness: Command, stored: Path) -> None:
    told = vharness("report", stored, "--report", "causal", "--graph", "circle")
    assert told.code == 0, told.err
    assert "the graph 'circle' foretells" in told.out
    assert vharness("report", stored).out == told.out
    assert "the graph 'circle' foretells" in (stored / "report.md").read_text(encoding="utf-8").replace("&#39;", "'")
    other = vharness("report", stored, "--report", "causal", "--graph", "planted", "--format", "csv")
    assert "causal_frequency_unexpected" in other.out
    assert "the graph 'planted' foretells" in vharness("report", stored).out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--report", "casual"), "'report': Input should be 'causal' (got 'casual')"),
        (("--graph", "circle"), "--graph names the graph of --report causal"),
        (("--report", "causal", "--graph", "plnted"), "Did you mean 'planted'?"),
        (("--report", "causal", "--graph", "theory"), "vharness causal reference theory --model"),
        (("--report", "causal", "--graph", "nowhere.json"), "No graph at nowhere.json"),
        (("--report", "causal", "--graph", "other.json"), "none of the values: Positive coping, Social Cynicism."),
        (("--report", "causal", "--graph", "elsewhere.json"), "It has: hedonism, security."),
    ],
)
def test_graphs_that_cannot_be(vharness: Command, stored: Path, options: tuple[str, ...], words: str) -> None:
    Path("other.json").write_text('[["Social Cynicism", "Power"], ["Power", "Positive coping"]]', encoding="utf-8")
    Path("elsewhere.json").write_text('[["security", "hedonism"]]', encoding="utf-8")
    before = (stored / "metrics.json").read_bytes()
    refused(vharness("report", stored, *options), words)
    assert (stored / "metrics.json").read_bytes() == before


def test_runs_without_side_effects(vharness: Command, own_folders: Path) -> None:
    write_run(own_folders / "base", Spec(levels=(), steerer="base"))
    refused(vharness("report", "base", "--report", "causal"), "this run has the unsteered model only")
    write_run(own_folders / "one", Spec(values=("power",)))
    refused(vharness("report", "one", "--report", "causal"), "no value but 'power'", "Leave --tasks out")


def test_figures_stand_beside_the_report(vharness: Command, stored: Path) -> None:
    done = vharness("report", stored, "--figures", "figures", "--format", "csv")
    assert done.code == 0, done.err
    assert done.out.startswith("condition,")
    assert "Written: figures/control.png, figures/control.svg" in done.err
    names = {f"{key}.{kind}" for key in ("control", "side-effects") for kind in ("png", "svg")}
    assert {path.name for path in Path("figures").iterdir()} == names


def test_a_place_for_figures_that_is_a_file(vharness: Command, stored: Path) -> None:
    refused(vharness("report", stored, "--figures", "run/run.json"), "run/run.json cannot be written to")
