"""``vharness check``"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.cli.test_bad_input import refused

FAULTS = Path(__file__).parents[1] / "harness" / "check" / "faults.py"


def test_a_steerer_that_keeps_its_promises(vharness: Command) -> None:
    done = vharness("check", "ica", "--model", "mini", "--quiet")
    assert done.code == 0, done.out
    assert done.out.startswith("ica on mini: ")
    assert "failed" not in done.out.splitlines()[0]
    listed = {s["name"]: s for s in json.loads(vharness("ls", "steerers", "--format", "json").out)}
    assert "checks passed on mini" in listed["ica"]["conformance"]
    assert listed["ica"]["types"]["positive"] == "str | None"
    shown = vharness("ls", "steerers", "--long").out
    assert "conformance: not checked (vharness check conva)" in shown
    assert listed["conva"]["conformance"] == ""


def test_findings_beside_settings_are_not_kept(vharness: Command) -> None:
    assert vharness("check", "ica", "--set", "positive=Be {name}.", "--quiet").code == 0
    listed = {s["name"]: s for s in json.loads(vharness("ls", "steerers", "--format", "json").out)}
    assert listed["ica"]["conformance"] == ""


def test_a_failed_check(vharness: Command) -> None:
    done = vharness("check", f"{FAULTS}:IgnoresTheGate", "--format", "json", "--quiet")
    assert done.code == 1
    found = json.loads(done.out)
    assert found["failed"] == ["gate"]
    (gate,) = (c for c in found["checks"] if c["check"] == "gate")
    assert gate["numbers"]["moved"] > 0
    assert "6 of 6" in gate["words"]


def test_code_that_raises_is_shown_with_its_own_lines_only(vharness: Command, capsys: object) -> None:
    done = vharness("check", f"{FAULTS}:RaisesInPlan", "--format", "md", "--quiet")
    assert done.code == 1
    assert "raised RuntimeError: no plan today" in done.out
    assert 'raise RuntimeError("no plan today")' in done.out
    frames = [line for line in done.out.splitlines() if line.lstrip().startswith("File ")]
    assert frames
    assert all("faults.py" in line for line in frames)


@pytest.mark.parametrize(
    ("options", "needles"),
    [
        (["caaa"], ["Unknown steerer 'caaa'", "'caa'"]),
        (["nowhere.py:Mine"], ["there is no file nowhere.py"]),
        (["broken.py:Mine"], ["broken.py cannot be imported", "ZeroDivisionError"]),
        (["lacking.py:Mine"], ["lacks", "plan"]),
        (["caa", "--strength", "0"], ["Strength 0 is the identity"]),
        (["caa", "--value", "powr"], ["'powr'", "'power'"]),
        (["caa", "--layers", "99"], ["Layer 99 is out of range"]),
        (["caa", "--set", "scop=all"], ["Unknown setting", "'scope'"]),
        (["caa", "--explain", " "], ["The prompt is empty"]),
        (["caa", "--model", "./nowhere"], ["./nowhere is no folder"]),
    ],
    ids=lambda part: " ".join(part) if "steerer" not in part[0] else "",
)
def test_bad_input(vharness: Command, own_folders: Path, options: list[str], needles: list[str]) -> None:
    (own_folders / "broken.py").write_text("1 / 0\n")
    (own_folders / "lacking.py").write_text(
        "from valuebench_harness.steerers import Steerer\nclass Mine(Steerer):\n    name = 'mine'\n    source = '-'\n"
    )
    refused(vharness("check", *options, "--quiet"), *needles)


class TestExplain:
    """Which tokens were steered, by how much, at which layer."""

    ask = ("--explain", "Should I leave the village?", "--max-new-tokens", "4", "--quiet")

    def test_numbers(self, vharness: Command) -> None:
        strong = ["--strength", "3", "--format", "json"]
        found = json.loads(vharness("check", f"{FAULTS}:Honest", *self.ask, *strong, "--set", "scope=generated").out)
        assert found["places"] == [[1, "block"], [2, "block"]]
        prompt = [t for t in found["tokens"] if t["part"] == "prompt"]
        answer = [t for t in found["tokens"] if t["part"] == "answer"]
        assert prompt
        assert 1 <= len(answer) <= 4
        assert all(t["shift"] == [0, 0] and max(t["drift"]) == 0 for t in prompt)
        # One vector for all tokens: the norm of what is added is the same everywhere.
        assert len({round(t["shift"][0], 3) for t in answer}) == 1
        assert all(t["drift"][0] == 0 for t in answer)
        assert all(t["drift"][1] == pytest.approx(t["shift"][0], rel=1e-3) for t in answer)

    def test_table(self, vharness: Command) -> None:
        shown = vharness("check", f"{FAULTS}:Honest", *self.ask).out
        assert "layer 1" in shown
        assert "village" in shown
        assert any(shade in shown for shade in "░▒▓█")

    def test_a_method_that_rewrites_the_prompt(self, vharness: Command) -> None:
        shown = vharness("check", "ica", *self.ask).out
        assert "Sent instead of the question" in shown
        assert "No state is steered" in shown
