"""Evaluations of a leaderboard that run at once give what they give one after the other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command

pytestmark = pytest.mark.slow  # Ray alone takes half a minute to start and stop

RUN = ("--values", "security", "--limit", "4", "--no-floor", "--quiet")
BROKEN = """
from valuebench_harness.steerers import Steerer

class Broken(Steerer):
    "Cannot plan."
    name = "broken"
    source = "this file"

    def plan(self, request, artifact):
        raise ZeroDivisionError("no plan")
"""


@pytest.fixture(autouse=True)
def _ray() -> None:
    pytest.importorskip("ray", reason="ray is not installed")


def test_two_at_once_give_the_same_board(
    vharness: Command, own_folders: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def rows(*options: str) -> dict[str, object]:
        made = vharness("leaderboard", "--steerers", "ica,caa", *RUN, *options, "--format", "json")
        assert made.code == 0, made.err
        found = json.loads(made.out)["boards"][0]["rows"]
        return {r["entry"]["method"]: (r["rank"], r["entry"]["success"]) for r in found}

    at_once = rows("--workers", "2")
    assert sorted(p.name.split("-")[1] for p in (own_folders / "vharness-runs").iterdir()) == ["caa", "ica"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VHARNESS_HOME", str(tmp_path / "other"))
    assert rows() == at_once


def test_one_that_fails_is_named_and_leaves_the_others(vharness: Command, own_folders: Path) -> None:
    (own_folders / "broken.py").write_text(BROKEN, encoding="utf-8")
    made = vharness("leaderboard", "--steerers", "broken.py:Broken,ica", *RUN, "--workers", "2")
    assert made.code == 3
    assert "broken.py:Broken on mini" in made.err
    assert "ZeroDivisionError: no plan" in made.err
    assert "ray" not in made.err
    (finished,) = (own_folders / "vharness-runs").glob("mini-ica-*")
    assert json.loads((finished / "run.json").read_text(encoding="utf-8"))["status"] == "complete"


def test_workers_are_counted(vharness: Command) -> None:
    refused = vharness("leaderboard", "--steerers", "ica", *RUN, "--workers", "0")
    assert (refused.code, "--workers 0" in refused.err) == (2, True)
