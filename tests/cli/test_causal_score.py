from __future__ import annotations

import csv
import html
import io
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cli.conftest import Command
from valuebench_harness.causal.simulation import random_weights, simulate

KANG = Path(os.environ.get("VHARNESS_DATA_DIR", "")) / "kang2025"
"""Read when the module is: the tests' own environment names no data."""

CHOSEN = "14351,1025,2965,10096,1341,1975,10605,14049,1312,4752"


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Path, Path]:
    """A training and a test table of five values."""
    rng = np.random.default_rng(0)
    weights = random_weights(5, 4, rng)
    paths = []
    for name, roles in (("train", 40), ("test", 12)):
        table = simulate(weights, roles, 4, rng, setting_share=0.2)
        rounded = np.clip(np.round(table.scores / 3, 1), -1, 1)
        path = tmp_path / f"{name}.csv"
        path.write_text(type(table)(table.values, table.settings, table.roles, rounded).to_csv(), encoding="utf-8")
        paths.append(path)
    return paths[0], paths[1]


@pytest.mark.skipif(not KANG.is_dir(), reason="VHARNESS_DATA_DIR names no folder with kang2025/")
def test_the_published_numbers(vharness: Command) -> None:
    done = vharness(
        *("causal", "score", "--train", KANG / "ans_gemma_train_formal.csv"),
        *("--test", KANG / "ans_gemma_test_formal.csv", "--graph-features", CHOSEN, "--sae-role", "Mary Holt"),
        *("--reference", f"{KANG / 'published_graphs.json'}:gemma", "--format", "json"),
    )
    assert done.code == 0, done.err
    score: dict[str, Any] = json.loads(done.out)
    effects = score["effects"]
    for steering, expected, unexpected in (("prompt", 0.690, 0.560), ("sae", 0.568, 0.506)):
        assert effects[steering]["expected"]["estimate"] == pytest.approx(expected, abs=5e-4)
        assert effects[steering]["unexpected"]["estimate"] == pytest.approx(unexpected, abs=5e-4)
        low, high = (effects[steering]["gap"][end] for end in ("low", "high"))
        assert low < effects[steering]["gap"]["estimate"] < high
        assert 0.05 < effects[steering]["permutation_p"] < 0.5  # neither gap is beyond relabelling
    # The graph found here reaches what the published one reaches, so both foretell the same.
    assert score["references"]["gemma"] == effects
    assert score["steering_table"]["1312"]["Social Cynicism"]["cosine"]["estimate"] == pytest.approx(0.10, abs=0.005)
    assert len(score["steering_table"]) == 24


def test_every_format_says_the_same(vharness: Command, tables: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "ours.json").write_text('[["v0", "v1"], ["v1", "v2"]]', encoding="utf-8")
    base = ("causal", "score", "--train", tables[0], "--test", tables[1], "--reference", tmp_path / "ours.json")
    told = json.loads(vharness(*base, "--format", "json").out)
    mean = told["mean_similarity"]["s1"]["estimate"]
    text = vharness(*base)
    assert text.code == 0
    assert f"{mean:.2f}" in text.out
    assert "ours" in text.out
    assert f"| {mean:.2f} |" in html.unescape(vharness(*base, "--format", "md").out)
    rows = list(csv.DictReader(io.StringIO(vharness(*base, "--format", "csv").out)))
    assert len(rows) == 15
    cell = told["steering_table"]["s2"]["v3"]
    (row,) = (r for r in rows if (r["setting"], r["value"]) == ("s2", "v3"))
    assert float(row["cosine"]) == cell["cosine"]["estimate"]
    assert float(row["test_stimulated"]) == cell["test"]["stimulated"]
    written = vharness(*base, "--out", tmp_path / "out" / "score.json")
    assert written.code == 0
    assert json.loads((tmp_path / "out" / "score.json").read_text(encoding="utf-8")) == told


def test_aimed_settings_stand_beside_the_best(vharness: Command, tables: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "targets.json").write_text('{"s1": "v0", "s2": "-v0"}', encoding="utf-8")
    base = ("causal", "score", "--train", tables[0], "--test", tables[1], "--targets", tmp_path / "targets.json")
    told = json.loads(vharness(*base, "--format", "json").out)["choices"]
    assert told["v0"]["raising"]["settings"] == ["s3"]
    assert told["v0"]["aimed_down"]["settings"] == ["s2"]
    cell = json.loads(vharness(*base, "--format", "json").out)["steering_table"]["s1"]["v0"]["test"]
    assert told["v0"]["aimed_up"]["test"] == pytest.approx(cell)
    assert "aimed down" in " ".join(vharness(*base).out.split())


def test_figures_are_drawn_beside_the_report(vharness: Command, tables: tuple[Path, Path], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    done = vharness("causal", "score", "--train", tables[0], "--test", tables[1], "--figures", tmp_path / "figures")
    assert done.code == 0, done.err
    assert "Does the graph foretell" in done.out
    for key in ("effects", "steering", "best"):
        assert (tmp_path / "figures" / f"{key}.png").read_bytes().startswith(b"\x89PNG")
        assert (tmp_path / "figures" / f"{key}.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_single_answers_tell_of_consistency(vharness: Command, tables: tuple[Path, Path], tmp_path: Path) -> None:
    said = {"part": "test", "value": "v0", "role": "x", "label": "yes", "score": 1.0}
    rows = [
        {"setting": setting, "item": f"q{n}", "thought_label": "no" if n == 0 else "yes", **said}
        for setting in ("", "s1")
        for n in range(4)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "answers.parquet")
    base = ("causal", "score", "--train", tables[0], "--test", tables[1], "--answers", tmp_path / "answers.parquet")
    told = json.loads(vharness(*base, "--format", "json").out)["answers"]
    assert told["thought_answer"]["before"]["estimate"] == 0.25
    assert told["inverse"]["n"] == 0
    assert "thought and answer differ, steered" in vharness(*base).out


def test_a_run_is_repeatable_and_the_seed_moves_only_the_intervals(
    vharness: Command, tables: tuple[Path, Path]
) -> None:
    base = ("causal", "score", "--train", tables[0], "--test", tables[1], "--format", "json")
    first, again, other = (vharness(*base, *more).out for more in ((), ("--seed", 0), ("--seed", 1)))
    assert first == again != other
    one, two = (json.loads(x)["effects"]["sae"]["unexpected"] for x in (first, other))
    assert one["estimate"] == two["estimate"]
    assert one["low"] != two["low"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--graph-features", "s1,s9"], "Unknown setting 's9'"),
        (["--sae-role", "role 99"], "Unknown role 'role 99'"),
        (["--baseline-role", "nobody"], "Unknown role 'nobody'"),
        (["--graph", "nowhere.json"], "No graph at nowhere.json"),
        (["--graph", "unknown.json"], "Unknown value 'honesty'"),
        (["--reference", "unknown.json"], "Unknown value 'honesty'"),
        (["--targets", "none.json"], "No file of targets at none.json"),
        (["--answers", "none.parquet"], "No answers at none.parquet"),
        (["--format", "xml"], "Unknown format 'xml'"),
        (["--test", "nowhere.csv"], "No table of orientations at nowhere.csv"),
        (["--test", "other.csv"], "measure different values"),
        (["--test", "steered.csv"], "no unsteered rows"),
        (["--train", "plain.csv"], "every row is unsteered"),
        (["--test", "fewer.csv"], "Setting 's2' of .*train.csv is not in fewer.csv"),
    ],
)
def test_bad_input_is_told_in_a_line_or_two(
    vharness: Command, tables: tuple[Path, Path], tmp_path: Path, options: list[str], message: str
) -> None:
    lines = tables[1].read_text(encoding="utf-8").splitlines(keepends=True)
    made = {
        "unknown.json": '[["v0", "honesty"]]',
        "other.csv": "".join([lines[0].replace("v4", "v5"), *lines[1:]]),
        "steered.csv": "".join([lines[0], *(line for line in lines[1:] if not line.startswith(","))]),
        "plain.csv": "".join([lines[0], *(line for line in lines[1:] if line.startswith(","))]),
        "fewer.csv": "".join(line for line in lines if not line.startswith("s2,")),
    }
    for name, text in made.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = vharness("causal", "score", "--train", tables[0], "--test", tables[1], *options)
    assert done.code == 2
    assert len(done.lines) <= 2
    assert re.search(message, done.err)
