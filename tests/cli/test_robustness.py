from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.support.chat_server import ChatServer, Reply, Request
from tests.support.checkpoints import build_checkpoint

FEW = ("--values", "security", "--limit", "3", "--quiet")


def test_what_stays_is_told_and_stored(vharness: Command) -> None:
    done = vharness("robustness", "--steerer", "caa", *FEW, "--changes", "lower", "--out", "here")
    assert done.code == 0, done.err
    assert "in lower case" in done.out
    found = json.loads(Path("here/robustness.json").read_text(encoding="utf-8"))
    assert [kept["change"] for kept in found["kept"]] == ["plain", "lower"]
    assert all((Path("here") / folder / "run.json").is_file() for folder in found["runs"].values())


def test_fewer_pairs_and_a_rewording_model(vharness: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")

    def script(request: Request, _number: int) -> Reply:
        return Reply(re.sub('"question": "', '"text": "Well. ', request.content.split("\n\n")[2].partition("\n")[2]))

    with ChatServer(script).running() as server:
        done = vharness(
            *("robustness", "--steerer", "caa", *FEW, "--changes", "", "--pairs", "5", "--out", "here"),
            *("--reword-with", "openai:some", "--reword-url", server.url),
        )
    assert done.code == 0, done.err
    assert "5 training pairs" in done.out
    assert "in other words" in done.out
    found = json.loads(Path("here/robustness.json").read_text(encoding="utf-8"))
    assert [kept["change"] for kept in found["kept"]] == ["plain", "pairs-5", "reworded"]
    assert json.loads(Path("here/pairs-5/caa/run.json").read_text(encoding="utf-8"))["config"]["pairs"] == 5
    assert "sk-test" not in "".join(p.read_text(encoding="utf-8") for p in Path("here").rglob("*.json*"))


def test_answers_without_a_verdict_end_with_3(vharness: Command, tmp_path: Path) -> None:
    """A random model's babble: nothing is known of what would stay."""
    checkpoint = build_checkpoint(tmp_path / "tiny", "llama")
    done = vharness(
        "robustness", "--model", checkpoint, "--steerer", "caa", *FEW, "--changes", "upper", "--out", "here"
    )
    assert done.code == 3
    assert "answers to the items as they are lack a verdict" in done.err
    assert Path("here/robustness.json").is_file()


def test_bad_input_is_told_in_a_line_or_two(vharness: Command) -> None:
    for arguments, word in (
        (("--steerer", "caa", "--changes", "lowr"), "lower"),
        (("--steerer", "caa", "--rewordings", "nothing.jsonl"), "nothing.jsonl"),
        ((), "Name a method"),
        (("--steerer", "ica", "--pairs", "10"), "'ica' does not learn from training pairs"),
        (("--steerer", "caa", "--pairs", "10,many"), "many"),
        (("--steerer", "caa", "--pairs", "1000"), "100 training pairs"),
        (("--steerer", "caa", "--reword-with", "gpt-4o"), "openai:NAME"),
        (("--steerer", "caa", "--reword-with", "openai:x", "--reword-set", "heat=1"), "heat"),
        (("--steerer", "caa", "--reword-url", "http://localhost/v1"), "--reword-with"),
    ):
        done = vharness("robustness", *arguments, *FEW)
        assert (done.code, len(done.lines) <= 2) == (2, True), done.err
        assert word in done.err
