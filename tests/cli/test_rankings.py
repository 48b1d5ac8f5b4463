from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.support.checkpoints import build_checkpoint

RUN = ("--values", "security", "--limit", "4", "--quiet")


@pytest.fixture
def runs(vharness: Command, own_folders: Path) -> tuple[Path, Path]:
    """Two methods on the same items."""
    for steerer in ("ica", "caa"):
        assert vharness("eval", "--steerer", steerer, *RUN, "--out", steerer).code == 0
    return own_folders / "ica", own_folders / "caa"


def test_compare(vharness: Command, runs: tuple[Path, Path]) -> None:
    same = vharness("compare", *runs, "--metrics", "csr,fr")
    assert same.code == 0
    assert "No regression shown" in same.out
    assert "'steerer' differs: ica and caa." in same.out
    found = json.loads(vharness("compare", *runs, "--format", "json", "--fail-on", "never").out)
    assert {m["metric"] for m in found["metrics"]} >= {"csr", "fr", "exam", "side_effects"}
    # Without its gate CAA loses the exam.
    lost = vharness("compare", *runs, "--metrics", "exam")
    assert (lost.code, "WORSE" in lost.out) == (1, True)


def test_compare_refuses(vharness: Command, runs: tuple[Path, Path], own_folders: Path) -> None:
    assert "Did you mean 'csr'" in vharness("compare", *runs, "--metrics", "cst").err
    assert vharness("compare", runs[0], own_folders).code == 2
    assert "There is no baseline" in vharness("compare", runs[0], "none.json").err
    assert vharness("eval", "--steerer", "caa", "--values", "power", "--limit", "4", "-q", "--out", "other").code == 0
    other = vharness("compare", runs[1], "other")
    assert other.code == 2
    assert "Nothing could be compared" in other.out


def test_compare_refuses_a_run_that_is_not_finished(vharness: Command, runs: tuple[Path, Path]) -> None:
    """Answers that nobody judged are no failures."""
    (runs[1] / "metrics.json").unlink()
    done = vharness("compare", *runs)
    assert done.code == 2
    assert "has no metrics yet" in done.err


def test_leaderboard_runs_methods_with_their_floor(vharness: Command, own_folders: Path) -> None:
    # So mild that the floor's answers stay whole: a floor that breaks the model does not count.
    Path("mild.yaml").write_text("strength: 0.5\n", encoding="utf-8")
    asked = ("--config", "mild.yaml", *RUN)
    made = vharness("leaderboard", "--steerers", "ica,caa", *asked, "--out", "board")
    assert made.code == 0
    stored = json.loads((own_folders / "board" / "leaderboard.json").read_text(encoding="utf-8"))
    assert {r["entry"]["method"] for r in stored["boards"][0]["rows"]} == {"ica", "caa", "random:caa", "base"}
    ran = {folder.name.rsplit("-", 1)[0] for folder in (own_folders / "vharness-runs").iterdir()}
    assert ran == {"mini-ica", "mini-caa", "mini-random-caa"}
    current = vharness("leaderboard", "--steerers", "ica,caa", *asked, "--check", "board/leaderboard.json")
    assert (current.code, "is current" in current.out) == (0, True)
    stale = vharness("leaderboard", "--steerers", "ica", *asked, "--check", "board/leaderboard.json")
    assert (stale.code, "method 'caa' is gone" in stale.err) == (1, True)


def test_leaderboard_of_runs_without_verdicts(vharness: Command, tmp_path: Path, own_folders: Path) -> None:
    """Nothing was wrong with the command: exit code 3, as of an evaluation whose answers cannot be scored."""
    checkpoint = build_checkpoint(tmp_path / "tiny", "llama")
    asked = ("--models", checkpoint, "--steerers", "ica", "--values", "security", "--limit", "2", "--quiet")
    done = vharness("leaderboard", *asked)
    assert (done.code, "No run counts" in done.err) == (3, True)


def test_leaderboard_refuses(vharness: Command) -> None:
    assert "Name runs, or methods" in vharness("leaderboard").err
    assert "Unknown steerer" in vharness("leaderboard", "--steerers", "nothing").err
    assert "There is no leaderboard" in vharness("leaderboard", "--steerers", "ica", "--check", "none.json").err
    assert vharness("leaderboard", "--steerers", "ica", *RUN, "--format", "htm").code == 2
