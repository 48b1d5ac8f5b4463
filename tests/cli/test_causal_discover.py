from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Command
from valuebench_harness.causal.graph_files import read_graph, write_graph
from valuebench_harness.causal.simulation import planted, random_weights, simulate
from valuebench_harness.causal.table import OrientationTable

WEIGHTS = random_weights(5, 5, np.random.default_rng(3), 0.6, 0.9)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """50 roles x 11 settings of five values; each value pushed up and down; and the planted graph beside it."""
    shifts = {1 + 2 * v + k: {v: 1.0 - 2 * k} for v in range(5) for k in (0, 1)}
    made = simulate(WEIGHTS, 50, 11, np.random.default_rng(0), 0.4, targets=shifts)
    scaled = OrientationTable(made.values, made.settings, made.roles, np.clip(made.scores / 8, -1, 1))
    path = tmp_path / "train.csv"
    path.write_text(scaled.to_csv(), encoding="utf-8")
    write_graph(planted(WEIGHTS), tmp_path / "truth.json")
    targets = {f"s{n}": ("" if shift > 0 else "-") + f"v{v}" for n, to in shifts.items() for v, shift in to.items()}
    (tmp_path / "targets.json").write_text(json.dumps(targets), encoding="utf-8")
    return path


def test_text_tells_the_graph_how_sure_it_is_and_what_naive_counting_would_say(
    vharness: Command, table: Path, tmp_path: Path
) -> None:
    done = vharness("causal", "discover", table, "--bootstraps", 20, "--reference", tmp_path / "truth.json")
    assert done.code == 0, done.err
    assert "550 rows of 50 roles and 11 settings are worth about" in done.out
    assert "PC would report" in done.out
    assert re.search(r"v\d (-->|---|<->) v\d +\d+%", done.out)
    assert "truth" in done.out
    assert "20/20 samples" in done.err


@pytest.mark.parametrize("form", ["json", "graphml", "dot"])
def test_graphs_are_written_and_read_back(vharness: Command, table: Path, tmp_path: Path, form: str) -> None:
    out = tmp_path / "out" / f"graph.{form}"
    done = vharness("causal", "discover", table, "--bootstraps", 5, "--out", out, "--quiet")
    assert (done.code, done.out) == (0, "")
    shown = vharness("causal", "discover", table, "--bootstraps", 5, "--format", form, "--quiet")
    assert shown.out.strip() == out.read_text(encoding="utf-8").strip()
    graph = read_graph(out)
    assert set(graph.nodes) == {f"v{k}" for k in range(5)}
    assert all(edge.stability is not None for edge in graph.edges)


def test_steering_as_intervention_finds_the_planted_graph(vharness: Command, table: Path, tmp_path: Path) -> None:
    base = ("causal", "discover", table, "--bootstraps", 0, "--reference", tmp_path / "truth.json", "--format", "json")
    observed = json.loads(vharness(*base).out)
    pushed = json.loads(vharness(*base, "--targets", tmp_path / "targets.json").out)
    agreement = [graph["about"]["distances"]["truth"]["direction"]["f1"] for graph in (observed, pushed)]
    assert agreement[1] > 0.9
    assert agreement[1] >= agreement[0]
    assert pushed["about"]["total_effects"]["v0"]["v0"]["estimate"] == 1.0
    assert sum(len(edges) for edges in pushed["about"]["against_observation"].values()) >= 5
    turned = vharness(*base, "--turn-by-changes")
    assert json.loads(turned.out)["about"]["turned_by"] == "changes"


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_pictures(vharness: Command, table: Path, tmp_path: Path, ending: str) -> None:
    pytest.importorskip("matplotlib")
    plot = tmp_path / "deep" / f"graph.{ending}"
    plain = ("causal", "discover", table, "--bootstraps", 3, "--plot", plot, "--reference", tmp_path / "truth.json")
    assert vharness(*plain).code == 0
    content = plot.read_bytes()
    assert content[:4] in (b"\x89PNG", b"<?xm", b"%PDF")
    if ending == "svg":
        text = content.decode()
        assert text.count("v3") >= 2  # in the found graph and in the reference
        assert vharness(*plain).code == 0
        assert plot.read_bytes() == content  # the same graph makes the same file
        assert vharness(*plain, "--all-edges").code == 0


def test_unusable_columns_are_named_in_every_output(vharness: Command, table: Path) -> None:
    lines = table.read_text(encoding="utf-8").splitlines()
    spoiled = [lines[0] + ",flat,twin"] + [f"{line},0.5,{line.split(',')[2]}" for line in lines[1:]]
    table.write_text("\n".join(spoiled), encoding="utf-8")
    base = ("causal", "discover", table, "--bootstraps", 0, "--quiet")
    for form in ("text", "md", "json"):
        out = vharness(*base, "--format", form).out
        assert "flat" in out
        assert "constant" in out
        assert "a copy of v0" in out
    assert "flat" in vharness(*base, "--format", "dot").out  # a node without an edge


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--method", "ges"], "Unknown method 'ges'"),
        (["--estimand", "row"], "Unknown estimand 'row'. Did you mean 'rows'"),
        (["--estimand", "settings", "--settings", "s1,s2"], "has 3 independent rows here, too few for 5 values"),
        (["--alpha", "1.5"], "--alpha 1.5 must lie between 0 and 1"),
        (["--settings", "s1,nowhere"], "Unknown setting 'nowhere'"),
        (["--plot", "graph.bmp"], "a picture's file ends in .png, .svg, .pdf"),
        (["--format", "xml"], "Unknown format 'xml'"),
        (["--reference", "none.json"], "No graph at none.json"),
        (["--reference", "truth.json", "--reference", "truth.json"], "Two reference graphs are named 'truth'"),
        (["--targets", "none.json"], "No file of targets at none.json"),
        (["--targets", "wrong.json"], "Unknown value 'honesty'"),
        (["--out", "/proc/none/graph.json"], "cannot be written"),
    ],
)
def test_bad_input_is_told_in_a_line_or_two(
    vharness: Command, table: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    (tmp_path / "wrong.json").write_text('{"s1": "honesty"}', encoding="utf-8")
    done = vharness("causal", "discover", table, "--bootstraps", 0, "--quiet", *options)
    assert done.code == 2
    assert re.search(message, done.err)
    assert len(done.lines) <= 2


def test_too_few_rows(vharness: Command, table: Path) -> None:
    lines = table.read_text(encoding="utf-8").splitlines()
    table.write_text("\n".join(lines[:6]), encoding="utf-8")
    done = vharness("causal", "discover", table)
    assert done.code == 2
    assert "5 complete rows for 5 values are too few; give at least 8" in done.err
