from __future__ import annotations

import csv
import io
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Command
from valuebench_harness.causal.simulation import simulate
from valuebench_harness.causal.table import OrientationTable

VALUES = ("Achievement", "Benevolence", "Social Cynicism")


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """Two settings: "up" raises the first value, "both" the first two."""
    folder = tmp_path / "vharness-runs" / "collection"
    folder.mkdir(parents=True)
    for seed, name in enumerate(("train", "test")):
        made = simulate(
            np.zeros((3, 3)), 30, 3, np.random.default_rng(seed), 0.6, targets={1: {0: 2.0}, 2: {0: 2.0, 1: 2.0}}
        )
        settings = tuple({"": "", "s1": "up", "s2": "both"}[s] for s in made.settings)
        table = OrientationTable(VALUES, settings, made.roles, np.clip(made.scores / 8, -1, 1))
        (folder / f"{name}.csv").write_text(table.to_csv(), encoding="utf-8")
    return folder


def test_the_ranking_in_all_formats(vharness: Command, collection: Path, tmp_path: Path) -> None:
    base = ("causal", "advise", "--raise", "achievement", "--keep", "benevolence,social_cynicism")
    text = vharness(*base)  # finds the newest collection below the working folder
    assert text.code == 0, text.err
    told = json.loads(vharness(*base, "--collection", collection, "--format", "json").out)
    first = told["ranking"][0]
    assert (first["name"], first["works"]) == ("up", True)
    assert {r["name"]: r["harms"] for r in told["ranking"]}["both"] is True
    listed = vharness(*base, "--top", 40).out
    assert listed.index("up ") < listed.index("both ")
    assert f"{first['measured']['estimate']:+.2f}" in text.out
    tables = ("--train", collection / "train.csv", "--test", collection / "test.csv")
    rows = list(csv.DictReader(io.StringIO(vharness(*base, *tables, "--format", "csv").out)))
    assert rows[0]["name"] == "up"
    assert rows[0]["Benevolence:verdict"] == "kept"
    assert len(rows) == len(told["ranking"]) == 2 + 29
    assert "Which setting to use" in vharness(*base, "--format", "md").out
    (tmp_path / "g.json").write_text('[["Achievement", "Benevolence"]]', encoding="utf-8")
    assert vharness(*base, "--graph", "g.json", "--top", 2).code == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "Name a value to move"),
        (["--raise", "achievment"], "Unknown value 'achievment'. Did you mean 'Achievement'"),
        (["--raise", "achievement", "--keep", "Achievement"], "is to be raised and kept at once"),
        (["--raise", "achievement", "--margin", "-1"], "must be above 0"),
        (["--raise", "achievement", "--collection", "nowhere"], "No table of orientations at nowhere/train.csv"),
        (["--raise", "achievement", "--graph", "cycle.json"], "cycle (Achievement --> Benevolence --> Social Cynicism"),
        (["--raise", "achievement", "--graph", "nowhere.json"], "No graph at nowhere.json"),
    ],
)
def test_bad_input_is_told(vharness: Command, collection: Path, options: list[str], message: str) -> None:
    ends = [*VALUES, VALUES[0]]
    Path("cycle.json").write_text(json.dumps([*map(list, pairwise(ends))]), encoding="utf-8")
    done = vharness("causal", "advise", *options)
    assert done.code == 2
    assert message in done.err
    assert len(done.lines) <= 2


def test_without_tables(vharness: Command) -> None:
    done = vharness("causal", "advise", "--raise", "power")
    assert done.code == 2
    assert "No tables: give --train and --test" in done.err
