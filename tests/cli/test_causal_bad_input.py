"""Tables, graphs and questions that no command can use: an error in a line or two, or the value left out and named."""

from __future__ import annotations

import html
import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Command
from valuebench_harness.causal.simulation import random_weights, simulate
from valuebench_harness.causal.table import OrientationTable


@pytest.fixture(autouse=True)
def made(tmp_path: Path) -> None:
    """In the working folder: tables of five values, whole and spoiled, and graphs."""
    rng = np.random.default_rng(0)
    weights = random_weights(5, 4, rng)
    for name, roles in (("train", 30), ("test", 10)):
        table = simulate(weights, roles, 4, rng, setting_share=0.2)
        rounded = OrientationTable(
            table.values, table.settings, table.roles, np.clip(np.round(table.scores / 3, 1), -1, 1)
        )
        head, *lines = rounded.to_csv().splitlines()
        texts = {
            "": [head, *lines],
            "-few": [head, *lines[:5]],
            "-empty": [head, *(",".join([*line.split(",")[:2], *["nan"] * 5]) for line in lines)],
            "-constant": [head, *(",".join([*line.split(",")[:2], *["0.5"] * 5]) for line in lines)],
            "-spoiled": [
                f"{head},flat,twin,hole",
                *(f"{line},0.5,{line.split(',')[2]},{'' if n % 3 else 0.1}" for n, line in enumerate(lines)),
            ],
        }
        for ending, text in texts.items():
            (tmp_path / f"{name}{ending}.csv").write_text("\n".join(text) + "\n", encoding="utf-8")
    graphs = {
        "unknown": [["v0", "honesty"]],
        "itself": [["v0", "v0"]],
        "cycle": [["v0", "v1"], ["v1", "v2"], ["v2", "v0"]],
    }
    for name, edges in graphs.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(edges), encoding="utf-8")


def score(train: str, test: str, *more: object) -> tuple[object, ...]:
    return ("score", "--train", f"{train}.csv", "--test", f"{test}.csv", *more)


def advise(train: str, test: str, *more: object) -> tuple[object, ...]:
    return ("advise", "--raise", "v0", "--train", f"{train}.csv", "--test", f"{test}.csv", *more)


def discover(table: str, *more: object) -> tuple[object, ...]:
    return ("discover", f"{table}.csv", "--bootstraps", 0, "--quiet", *more)


TOO_FEW = "train-few.csv: 5 complete rows for 5 values are too few; give at least 8"
NO_TWO = "no two values vary, so there is no graph to find (v0 is"
UNKNOWN = "Unknown value 'honesty'"
OTHERS = "measure different values (only in test-spoiled.csv: flat, hole, twin)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(discover("train-few"), TOO_FEW, id="discover: fewer rows than columns"),
        pytest.param(score("train-few", "test"), TOO_FEW, id="score: fewer rows than columns"),
        pytest.param(advise("train-few", "test"), TOO_FEW, id="advise: fewer rows than columns"),
        pytest.param(discover("train-empty"), f"{NO_TWO} missing in 120 of 120 rows", id="discover: NaN alone"),
        pytest.param(score("train-empty", "test-empty"), NO_TWO, id="score: NaN alone"),
        pytest.param(advise("train-empty", "test-empty"), NO_TWO, id="advise: NaN alone"),
        pytest.param(discover("train-constant"), f"{NO_TWO} constant", id="discover: constant"),
        pytest.param(score("train-constant", "test"), NO_TWO, id="score: constant"),
        pytest.param(score("train", "test-spoiled"), OTHERS, id="score: other values"),
        pytest.param(advise("train", "test-spoiled"), OTHERS, id="advise: other values"),
        pytest.param(discover("train", "--reference", "unknown.json"), UNKNOWN, id="discover: unknown node"),
        pytest.param(score("train", "test", "--graph", "unknown.json"), UNKNOWN, id="score: unknown node"),
        pytest.param(advise("train", "test", "--graph", "unknown.json"), UNKNOWN, id="advise: unknown node"),
        pytest.param(advise("train", "test", "--graph", "cycle.json"), "cycle (v0 --> v1 --> v2", id="advise: cycle"),
        *(
            pytest.param(command, "itself.json: not a graph ('v0' has an edge to itself)", id=f"{command[0]}: loop")
            for command in (
                discover("train", "--reference", "itself.json"),
                score("train", "test", "--graph", "itself.json"),
                score("train", "test", "--reference", "itself.json"),
            )
        ),
        pytest.param(score("train", "test", "--graph-features", "s1,s9"), "'s9'", id="score: unknown feature"),
        pytest.param(discover("train", "--settings", "s9"), "Unknown setting 's9'", id="discover: unknown feature"),
        pytest.param(score("train", "test", "--sae-role", "Ann"), "Unknown role 'Ann'", id="score: unknown role"),
    ],
)
def test_it_is_told_in_a_line_or_two(vharness: Command, arguments: tuple[object, ...], message: str) -> None:
    done = vharness("causal", *arguments)
    assert done.code == 2, done
    assert message in done.err
    assert len(done.lines) <= 2
    assert done.out == ""


@pytest.mark.parametrize("form", ["text", "md", "json"])
@pytest.mark.parametrize(
    "arguments",
    [
        discover("train-spoiled"),
        score("train-spoiled", "test-spoiled"),
        advise("train-spoiled", "test-spoiled"),
    ],
    ids=lambda arguments: str(arguments[0]),
)
def test_unusable_values_are_left_out_and_named(vharness: Command, arguments: tuple[object, ...], form: str) -> None:
    done = vharness("causal", *arguments, "--format", form)
    assert done.code == 0, done.err
    text = " ".join(html.unescape(done.out).split())
    reasons = {"flat": "constant", "twin": "a copy of v0", "hole": "missing in 80 of 120 rows"}
    if form == "json":
        told = json.loads(done.out)
        graph = told if arguments[0] == "discover" else told["graph"]
        assert graph["about"]["values_left_out"] == reasons
        assert not {edge[end] for edge in graph["edges"] for end in ("source", "target")} & set(reasons)
    else:
        assert "Values left out of the graph:" in text
        for value, reason in reasons.items():
            assert f"{value} ({reason})" in text


def test_the_page_names_them_too(vharness: Command, tmp_path: Path) -> None:
    assert vharness("causal", *score("train-spoiled", "test-spoiled", "--out", "score.json")).code == 0
    assert vharness("causal", "show", "score.json").code == 0
    page = (tmp_path / "score.html").read_text(encoding="utf-8")
    assert "flat was left out of the search: constant." in page


def test_a_cycle_is_no_error_where_only_reach_counts(vharness: Command) -> None:
    told = json.loads(vharness("causal", *score("train", "test", "--graph", "cycle.json", "--format", "json")).out)
    assert told["effects"]["sae"]["by_value"]["v1"]["expected"] is not None
    compared = vharness("causal", *discover("train", "--reference", "cycle.json"))
    assert compared.code == 0
    assert "No SID for cycle" in compared.out


def test_a_questionnaire_with_no_items_for_a_value(vharness: Command, checkpoint: Path, tmp_path: Path) -> None:
    """Left out and named; an error where it was asked for, or where no value has any."""
    values = "".join(f"  {name}:\n    definition: what it is\n" for name in ("honesty", "thrift"))
    (tmp_path / "own.yaml").write_text(f"name: own\ndata: ./data\nvalues:\n{values}", encoding="utf-8")
    items = tmp_path / "data" / "questionnaire" / "honesty.csv"
    items.parent.mkdir(parents=True)
    rows = "".join(f"I do {k}.,Should I do {k}?,1\n" for k in range(10))
    items.write_text(f"item,question,agreement\n{rows}", encoding="utf-8")
    collect = ("causal", "collect", "--model", checkpoint, "--questions", "own.yaml", "--roles", 5, "--dry-run")
    planned = vharness(*collect)
    assert planned.code == 0, planned.err
    assert "Without questionnaire items, so not measured: thrift." in planned.out + planned.err
    for more, message in ((["--values", "thrift"], "'thrift' has no questionnaire items"), ([], "holds no items")):
        if not more:
            items.unlink()
        refused = vharness(*collect, *more)
        assert refused.code == 2
        assert message in refused.err
        assert len(refused.lines) <= 2
