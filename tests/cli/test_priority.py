from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Command

FEW = ("--values", "security", "--limit", "3", "--quiet")


def test_a_prompt_is_set_against_a_method(vharness: Command) -> None:
    done = vharness("priority", "--steerer", "caa", *FEW, "--guidance", "negative,none", "--out", "here")
    assert done.code == 0, done.err
    assert "against it" in done.out
    assert "for the value" not in done.out
    found = json.loads(Path("here/priority.json").read_text(encoding="utf-8"))
    assert set(found["runs"]) == {"none+steering", "negative", "negative+steering"}
    assert all((Path("here") / folder / "run.json").is_file() for folder in found["runs"].values())
    assert all(Path(f"here/priority.{ending}").is_file() for ending in ("md", "html", "svg"))
    again = vharness(
        "priority", "--steerer", "caa", *FEW, "--guidance", "negative", "--out", "here", "--format", "json"
    )
    assert json.loads(again.out) == found


def test_a_dry_run_leaves_nothing_behind(vharness: Command) -> None:
    done = vharness("priority", "--steerer", "conva", *FEW, "--dry-run")
    assert done.code == 0, done.err
    assert done.out.count("documents    3") == 5
    assert not Path("vharness-runs").exists()


def test_bad_input_is_told_in_a_line_or_two(vharness: Command) -> None:
    for arguments, word in (
        (("--steerer", "conva", "--guidance", "postive"), "positive"),
        (("--steerer", "conva", "--guide", "caa"), "prompt method"),
        (("--steerer", "conva", "--margin", "5"), "share"),
        (("--steerer", "conva", "--format", "xml"), "format"),
        ((), "Name a method"),
        (("--steerer", "conva", "--set", "ica.negativ=x"), "negative"),
    ):
        done = vharness("priority", *arguments, *FEW)
        assert (done.code, len(done.lines) <= 2) == (2, True), done.err
        assert word in done.err
