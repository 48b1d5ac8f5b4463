"""``vharness data``"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command

HEADER = "question,choice0,choice1,choice2,choice3,answer\n"


def subject(folder: Path, name: str, rows: str) -> None:
    (folder / "mmlu" / "test").mkdir(parents=True, exist_ok=True)
    (folder / "mmlu" / "test" / f"{name}_test.csv").write_text(HEADER + rows)


def test_ls_says_what_is_here_and_how_to_get_the_rest(
    vharness: Command, own_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject(own_folders, "astronomy", "Which is red?,Venus,Mars,Neptune,Uranus,1\n")
    monkeypatch.setenv("VHARNESS_DATA_DIR", str(own_folders))
    found = {d["name"]: d for d in json.loads(vharness("data", "ls", "--format", "json").out)}
    assert found["schwartz"]["items"]["dilemmas"] == 1000
    assert found["mmlu"]["items"] == {"subjects": 1, "test": 1}
    assert not found["valuebench"]["present"]
    shown = vharness("data", "ls").out
    assert "1 test items" in shown
    assert "vharness data pull valuebench" in shown
    assert all(len(line) <= 100 for line in shown.splitlines())


def test_check_of_a_users_values_finds_the_faults(vharness: Command, own_folders: Path) -> None:
    system = "name: honesty\ndata: ./items\nvalues:\n  honesty:\n    definition: Telling the truth.\n"
    (own_folders / "honesty.yaml").write_text(system)
    (own_folders / "items" / "dilemmas").mkdir(parents=True)
    rows = [f"work,Would you tell person {n} the truth?,tell person {n} the truth,keep quiet,0" for n in range(12)]
    (own_folders / "items" / "dilemmas" / "honesty.csv").write_text(
        "\n".join(["scene,question,option0,option1,favours", *rows]) + "\n"
    )
    done = vharness("data", "check", "honesty.yaml")
    assert done.code == 1
    assert "the first option is favoured in 100%" in " ".join(done.out.split())
    findings = json.loads(vharness("data", "check", "honesty.yaml", "--format", "json").out)
    assert {"scenes", "balance", "duplicates"} <= {f["check"] for f in findings if f["level"] == "problem"}


def test_check_of_pulled_files_compares_checksums(vharness: Command, own_folders: Path) -> None:
    import hashlib

    folder = own_folders / "home" / "data"
    subject(folder, "astronomy", "Which is red?,Venus,Mars,Neptune,Uranus,1\n")
    file = folder / "mmlu" / "test" / "astronomy_test.csv"
    entry = {"commit": "abc", "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    record = {"files": {"test/astronomy_test.csv": entry}}
    (folder / "mmlu" / "source.json").write_text(json.dumps(record))
    assert vharness("data", "check", "mmlu").code == 0
    file.write_text(file.read_text().replace("Mars", "Pluto"))
    done = vharness("data", "check", "mmlu")
    assert done.code == 1
    assert "1 files differ" in done.out


def test_pull_from_a_server_out_of_reach(vharness: Command) -> None:
    done = vharness("data", "pull", "valuebench", "--endpoint", "http://127.0.0.1:9", "--quiet")
    assert done.code == 2
    assert "cannot be reached" in done.err
