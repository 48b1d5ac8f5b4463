"""Dilemmas in other words: which replies pass, and what is kept of those that do not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.chat_server import ChatServer, Reply
from valuebench_harness.errors import IncompleteError
from valuebench_harness.harness.generate.ask import WriterSettings
from valuebench_harness.harness.generate.records import Rejection
from valuebench_harness.harness.generate.reword import ROUNDS, reword, rewording_fault
from valuebench_harness.harness.progress import Reporter
from valuebench_harness.harness.records import Document
from valuebench_harness.harness.store import read_records

TWO = Document(
    id="two",
    task="t",
    kind="dilemma",
    text="My class meets at noon. Should I lead the class, or stay at the back?",
    options=("lead the class", "stay at the back"),
)
YES = Document(
    id="yes",
    task="t",
    kind="dilemma",
    text="The guesthouse asks for silence after nine. Should we keep our voices down until breakfast?",
    options=("keep our voices down until breakfast", "celebrate tonight"),
    yes=0,
)


@pytest.mark.parametrize(
    ("document", "text", "fault"),
    [
        (TWO, "At noon we have class. Would you say I lead the class, or stay at the back?", ""),
        (TWO, "At noon we have class. Is it better to LEAD the class or to stay at the back?", ""),
        (TWO, "my class meets at NOON - should I lead the class or stay at the back?", "as it was"),
        (TWO, "At noon we have class, and I could lead the class or stay at the back.", "question mark"),
        (TWO, "At noon we have class. Should I guide everybody, or stay at the back?", "first act is no longer"),
        (TWO, "At noon we have class. Should I lead the class?", "second act is no longer"),
        (TWO, "At noon we have class. Should I stay at the back or lead the class?", "change places"),
        (YES, "Nobody may speak up here after nine. Do we keep our voices down until breakfast?", ""),
        (YES, "Nobody may speak up here after nine. Do we stay quiet until breakfast?", "first act is no longer"),
    ],
)
def test_a_rewording_keeps_what_its_question_names(document: Document, text: str, fault: str) -> None:
    found = rewording_fault(document, text)
    assert fault in found
    assert bool(found) == bool(fault)


def test_nothing_usable_ends_the_step_and_is_kept_with_reasons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    bad = [{"number": 1, "text": TWO.text}, {"number": 2, "text": ""}]
    with ChatServer(lambda *_: Reply(json.dumps(bad))).running() as server:
        settings = WriterSettings(model="some", base_url=server.url)
        with pytest.raises(IncompleteError, match="Nothing of what some wrote was accepted"):
            reword([TWO, YES], tmp_path, settings, seed=0, report=Reporter(quiet=True))
        assert len(server.requests) == ROUNDS
        assert all("value" not in request.content.lower() for request in server.requests), "the model is not told it"
    assert not (tmp_path / "rewordings.jsonl").exists()
    rejected = list(read_records(tmp_path / "rewording" / "rejected.jsonl", Rejection))
    assert [r.texts[0] for r in rejected] == [TWO.text, YES.text] * ROUNDS
    assert {r.reason.split(":")[0] for r in rejected} == {
        "it is the question as it was",
        "an entry of the reply is malformed",
    }
