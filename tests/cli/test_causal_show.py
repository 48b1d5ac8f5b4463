from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Command
from valuebench_harness.causal.graph import from_pairs
from valuebench_harness.causal.score import score
from valuebench_harness.causal.simulation import simulate


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """What ``causal score --out score.json`` writes."""
    tables = [simulate(np.zeros((3, 3)), 20, 3, np.random.default_rng(seed), 0.3, 0.3) for seed in (0, 1)]
    graph = from_pairs(tables[0].values, [("v0", "v1")])
    found = score(tables[0], tables[1], graph=graph, references={"theory": from_pairs(graph.nodes, [("v1", "v2")])})
    path = tmp_path / "score.json"
    path.write_text(found.model_dump_json(), encoding="utf-8")
    return path


def test_a_page_beside_the_score(vharness: Command, stored: Path) -> None:
    done = vharness("causal", "show", stored)
    assert done.code == 0, done.err
    page = stored.with_suffix(".html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert page.count('class="graph"') == 2


def test_the_other_formats_and_a_picture(vharness: Command, stored: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    text = vharness("causal", "show", stored, "--format", "text", "--plot", tmp_path / "g.png")
    assert text.code == 0
    assert "Does the graph foretell" in text.out
    assert (tmp_path / "g.png").read_bytes().startswith(b"\x89PNG")
    assert vharness("causal", "show", stored, "--out", tmp_path / "s.md").code == 0
    assert (tmp_path / "s.md").read_text(encoding="utf-8").startswith("# What the settings move")


def test_figures_go_into_a_folder(vharness: Command, stored: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    done = vharness("causal", "show", stored, "--figures", tmp_path / "deep" / "figures", "--format", "csv")
    assert done.code == 0, done.err
    names = {f"{key}.{ending}" for key in ("effects", "steering", "best") for ending in ("png", "svg")}
    assert {path.name for path in (tmp_path / "deep" / "figures").iterdir()} == names
    assert all(name in done.err for name in names)
    assert done.out.startswith("setting,value,")
    taken = vharness("causal", "show", stored, "--figures", stored)
    assert taken.code == 2
    assert "score.json cannot be written to: File exists" in taken.err


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "not a score"), ("{}", "not a score"), (None, "No score at")],
    ids=["cut", "other", "none"],
)
def test_what_is_no_score_is_told(vharness: Command, stored: Path, text: str | None, message: str) -> None:
    if text is None:
        stored.unlink()
    else:
        stored.write_text(text, encoding="utf-8")
    done = vharness("causal", "show", stored)
    assert done.code == 2
    assert message in done.err
    assert len(done.lines) <= 2
