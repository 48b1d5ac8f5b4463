"""The benchmark of ``vharness causal`` on ``mini``, with fewer roles: what the planted graph is recovered to."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.mini_causal import collect as run_collect
from benchmarks.mini_causal import correlation, discover, measure, recovered


def test_the_oracle_gives_the_planted_graph_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exact probabilities of 400 roles; no model is loaded, so this is the estimator's own test."""
    monkeypatch.setenv("VHARNESS_HOME", str(tmp_path / "home"))
    folder = run_collect(tmp_path / "alone", 400, "--oracle", "--test-roles", 0, "--item-share", 1)
    graph = recovered(discover(folder / "train.csv", tmp_path / "alone.json"))
    assert graph["adjacency_f1"] >= 0.9
    assert graph["direction_f1"] >= 0.8


def test_pushes_of_the_oracle_show_the_total_effects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VHARNESS_HOME", str(tmp_path / "home"))
    options = ("--oracle", "--test-roles", 0, "--item-share", 1, "--limit", 4, "--steerers", "caa")
    folder = run_collect(tmp_path / "steered", 25, *options)
    assert correlation(folder, tmp_path / "pushed.json") >= 0.95


@pytest.mark.slow
def test_mini_comes_close_to_its_oracle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The goals of the full benchmark, or what the oracle reaches, less .1 and what fewer roles cost both."""
    monkeypatch.setenv("VHARNESS_HOME", str(tmp_path / "home"))
    found = measure(tmp_path, roles=400, steered_roles=100, effect_roles=12, items=4)
    for kind, goals in (
        ("answers alone", {"adjacency_f1": 0.9, "direction_f1": 0.8}),
        ("with steering", {"direction_f1": 0.8}),
    ):
        for figure, goal in goals.items():
            of_mini, of_oracle = found[kind]["mini"][figure], found[kind]["oracle"][figure]
            assert of_mini >= min(goal, of_oracle - 0.1), (kind, figure, found[kind])
    assert found["total effects"]["mini, planted directions"] >= 0.9
    assert found["total effects"]["oracle, caa"] >= 0.95
    effects = found["effects"]
    assert effects["expected"]["estimate"] > effects["unexpected"]["estimate"]
    assert effects["permutation_p"] < 0.05
