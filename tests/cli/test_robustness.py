from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Command

FEW = ("--values", "security", "--limit", "3", "--quiet")


def test_what_stays_is_told_and_stored(vharness: Command) -> None:
    done = vharness("robustness", "--steerer", "caa", *FEW, "--changes", "lower", "--out", "here")
    assert done.code == 0, done.err
    assert "in lower case" in done.out
    found = json.loads(Path("here/robustness.json").read_text(encoding="utf-8"))
    assert [kept["change"] for kept in found["kept"]] == ["plain", "lower"]
    assert all((Path("here") / folder / "run.json").is_file() for folder in found["runs"].values())


def test_bad_input_is_told_in_a_line_or_two(vharness: Command) -> None:
    for arguments, word in (
        (("--steerer", "caa", "--changes", "lowr"), "lower"),
        (("--steerer", "caa", "--rewordings", "nothing.jsonl"), "nothing.jsonl"),
        ((), "Name a method"),
    ):
        done = vharness("robustness", *arguments, *FEW)
        assert (done.code, len(done.lines) <= 2) == (2, True), done.err
        assert word in done.err
