"""Tables of orientations: which setting moves a value, and which role stands where."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from valuebench_harness.data.orientations import read_orientations
from valuebench_harness.errors import UsageError

TABLE = """steer_dim,player_name,Social Cynicism,Empathy,Empathy:scstd
,,0.0,0.5,-1
,Ana,0.2,0.5,-1
,Bo,0.4,0.5,-1
7.0,,0.9,0.5,-1
7.0,Ana,0.1,0.2,-1
7.0,Bo,0.6,0.1,-1
12,,-0.5,0.6,-1
12,Ana,-0.1,,-1
12,Bo,0.4,0.7,-1
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "t.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def test_changes_are_against_the_same_role_unsteered(table: Path) -> None:
    changes = read_orientations(table).changes("social-cynicism")
    assert {k: v.tolist() for k, v in changes.items()} == {
        "7": pytest.approx([0.9, -0.1, 0.2]),
        "12": pytest.approx([-0.5, -0.3, 0.0]),
    }


def test_the_best_setting_moves_most_roles_that_way(table: Path) -> None:
    read = read_orientations(table)
    assert read.best_setting("social-cynicism", 1) == "7"
    assert read.best_setting("social-cynicism", -1) == "12"
    assert read.best_setting("empathy", 1) == "12", "an empty cell is left out"
    assert read.best_role("empathy", 1, ("Ana", "Bo")) == "Ana", "the first of equals"


def test_bad_tables_are_named(tmp_path: Path, table: Path) -> None:
    def read(text: str) -> None:
        path = tmp_path / "bad.csv"
        path.write_text(text, encoding="utf-8")
        read_orientations(path)

    with pytest.raises(UsageError, match="no column 'player_name'"):
        read("steer_dim,Empathy\n7,0.1\n")
    with pytest.raises(UsageError, match=r"bad\.csv:2: 'Empathy' is 'high', not a number"):
        read("steer_dim,player_name,Empathy\n7,Ana,high\n")
    with pytest.raises(UsageError, match="no rows, or no column"):
        read("steer_dim,player_name,stds\n7,Ana,1\n")
    with pytest.raises(UsageError, match="No table of orientations at"):
        read_orientations(tmp_path / "none.csv")
    with pytest.raises(UsageError, match=r"Unknown value 'empaty'\. Did you mean"):
        read_orientations(table).column("empaty")
    lonely = tmp_path / "lonely.csv"
    lonely.write_text("steer_dim,player_name,Empathy\n7,Ana,0.1\n,Bo,0.2\n", encoding="utf-8")
    with pytest.raises(UsageError, match="no role was asked with a setting and without one"):
        read_orientations(lonely).changes("empathy")
    lonely.write_text("steer_dim,player_name,Empathy\n7,Bo,0.3\n,Bo,0.2\n", encoding="utf-8")
    with pytest.raises(UsageError, match="no setting lowers 'empathy'"):
        read_orientations(lonely).best_setting("empathy", -1)


def test_kangs_published_table(real_data: Path) -> None:
    """Against counting by hand, a role at a time."""
    path = real_data / "kang2025" / "ans_gemma_train_formal.csv"
    if not path.is_file():
        pytest.skip(f"no {path}")
    table = read_orientations(path)
    assert table.scores.shape == (2525, 17)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    plain = {row["player_name"]: float(row["Religious"]) for row in rows if not row["steer_dim"]}
    net: Counter[float] = Counter()
    for row in rows:
        if row["steer_dim"]:
            score, before = float(row["Religious"]), plain[row["player_name"]]
            net[float(row["steer_dim"])] += (score > before) - (score < before)
    assert net[float(table.best_setting("religious", 1))] == max(net.values())
    assert net[float(table.best_setting("religious", -1))] == min(net.values())
