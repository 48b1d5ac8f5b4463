"""``vharness causal collect`` and ``vharness causal reference``; answers are the oracle's, so no model is loaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from valuebench_harness.causal.graph_files import read_graph
from valuebench_harness.causal.table import read_table
from valuebench_harness.data.grammar import scm

COLLECT = ("causal", "collect", "--oracle", "--quiet")


def test_roles_answer_and_tables_come_out(vharness: Command, tmp_path: Path) -> None:
    done = vharness(*COLLECT, "--roles", 10, "--limit", 6, "--out", "run")
    assert done.code == 0, done.err
    assert "1 settings x 11 roles x 10 values" in done.out
    train, test = (read_table(tmp_path / "run" / f"{part}.csv") for part in ("train", "test"))
    assert (len(train.role_names), len(test.role_names)) == (9, 3)
    assert set(train.role_names) & set(test.role_names) == {""}
    again = vharness(*COLLECT, "--roles", 10, "--limit", 6, "--out", "run", "--format", "json")
    facts = json.loads(again.out)
    # 2 of 4 training items for 9 roles, both test items for 3, of 10 values.
    assert facts["counts"] == {"train": 180, "train_unscored": 0, "test": 60, "test_unscored": 0}


def test_a_dry_run_counts_and_asks_nothing(vharness: Command, tmp_path: Path) -> None:
    done = vharness("causal", "collect", "--roles", 125, "--steerers", "caa", "--steer-values", "power", "--dry-run")
    assert done.code == 0
    counts = {line.split()[0]: line.split()[1] for line in done.out.splitlines() if line}
    # 7 of 16 training items of 10 values, for 101 roles under 3 settings; 8 test items for 26.
    assert counts["train"] == f"{7 * 10 * 101 * 3:,}"
    assert counts["test"] == f"{8 * 10 * 26 * 3:,}"
    assert not list(tmp_path.glob("vharness-runs/*"))


def test_a_dry_run_counts_features_that_the_model_is_to_choose(vharness: Command, tmp_path: Path) -> None:
    done = vharness(
        *("causal", "collect", "--roles", 9, "--test-roles", 0, "--values", "power", "--features", "top:5"),
        *("--set", "path=somewhere", "--dry-run"),
    )
    assert done.code == 0, done.err
    assert "settings     6 (the unsteered one among them)" in done.out
    assert "at most 5, the most active on 'your values'" in done.out
    named = vharness("causal", "collect", "--features", "top", "--set", "feature=3", "--dry-run")
    assert named.code == 2
    assert "leave feature, features and table out" in named.err


def test_a_folder_by_default_is_continued_by_the_same_command(vharness: Command, tmp_path: Path) -> None:
    for _ in range(2):
        assert vharness(*COLLECT, "--roles", 3, "--limit", 4).code == 0
    assert len(list((tmp_path / "vharness-runs").iterdir())) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--roles", 1, "--test-roles", 0), "fewer than 2"),
        (("--roles", 3, "--test-roles", 3), "fewer than 2"),
        (("--values", "courage"), "Unknown value 'courage'"),
        (("--features", "few"), "'few' is none"),
        (("--features", "top:0"), "'top:0' is neither"),
        (("--features", "top:4,1312"), "'top:4,1312' is neither"),
        (("--features", "top"), "--oracle has no hidden states"),
        (("--steerers", "cnva"), "Did you mean 'conva'?"),
        (("--steerers", "caa", "--steer-values", "powre"), "Did you mean 'power'?"),
        (("--questions", "valuebench"), "mini reads its own grammar only"),
        (("--format", "xml"), "Unknown format 'xml'"),
        (("--score", "logits"), "--score"),
        (("--limit", 1), "too few for training and testing"),
    ],
)
def test_bad_input(vharness: Command, arguments: tuple[object, ...], words: str) -> None:
    done = vharness(*COLLECT, *arguments)
    assert done.code == 2
    assert words in done.err
    assert len(done.lines) <= 2


def test_questions_that_are_not_here(vharness: Command) -> None:
    done = vharness("causal", "collect", "--model", "gpt2", "--dry-run")
    assert done.code == 2
    assert "vharness data pull valuebench" in done.err


@pytest.mark.parametrize(("name", "edges"), [("planted", 11), ("circle", 10), ("higher-order", 10)])
def test_reference_graphs(vharness: Command, tmp_path: Path, name: str, edges: int) -> None:
    done = vharness("causal", "reference", name, "--out", "graph.json")
    assert done.code == 0, done.err
    graph = read_graph(tmp_path / "graph.json", list(scm.INDEX))
    assert len(graph.edges) == edges
    assert (
        vharness("causal", "reference", "graph.json", "--value-system", "schwartz", "--out", "copy.graphml").code == 0
    )
    copy = read_graph(tmp_path / "copy.graphml", graph.nodes)
    assert {(e.source, e.mark, e.target) for e in copy.edges} == {(e.source, e.mark, e.target) for e in graph.edges}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("plnted",), "Did you mean 'planted'?"),
        (("theory",), "--model"),
        (("self", "--model", "mini"), "its graph is 'planted'"),
        (("planted", "--value-system", "valuebench"), "none of the planted values"),
        (("circle", "--value-system", "valuebench"), "no place on a circle"),
        (("upper-dimensions",), "vharness data pull valuebench"),
        (("nowhere.json",), "nowhere.json"),
    ],
)
def test_references_that_cannot_be(vharness: Command, arguments: tuple[str, ...], words: str) -> None:
    done = vharness("causal", "reference", *arguments)
    assert done.code == 2
    assert words in done.err
