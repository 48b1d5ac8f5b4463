"""The judging stage: what is asked, what is written, what is cached, what survives a fault."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.chat_server import ChatServer, Reply, Request
from valuebench_harness.data.values import load_value_system
from valuebench_harness.errors import IncompleteError, UsageError
from valuebench_harness.harness.cache import Cache
from valuebench_harness.harness.judging import check_judge, judge_all, judge_items
from valuebench_harness.harness.records import Document, Sample
from valuebench_harness.harness.store import RunStore
from valuebench_harness.judges.base import Judge, JudgeItem
from valuebench_harness.judges.openai import OpenAIJudge, OpenAISettings
from valuebench_harness.judges.option_match import OptionMatch

DOCUMENTS = {
    d.id: d
    for d in (
        Document(
            id="d1",
            task="t",
            kind="dilemma",
            system="schwartz",
            value="security",
            text="Wait or swim?",
            options=("wait for the ferry", "swim across"),
            favours=0,
        ),
        Document(id="open", task="t", kind="dilemma", system="schwartz", value="security", text="What now?"),
        Document(id="q1", task="t", kind="questionnaire", system="valuebench", value="social_cynicism", text="Trust?"),
        Document(id="e1", task="t", kind="exam", text="2+2?", options=("1", "2", "3", "4"), answer=3),
    )
}


def sample(document: str, answer: str, repeat: int = 0, condition: str = "base") -> Sample:
    return Sample(condition=condition, document=document, repeat=repeat, prompt="p", answer=answer)


def items(samples: Sequence[Sample]) -> list[tuple[str, JudgeItem]]:
    return judge_items(samples, DOCUMENTS, load_value_system("schwartz"))


class Counter:
    """Counts the steps that a stage reports."""

    def __init__(self) -> None:
        self.steps = 0

    def __call__(self, steps: int = 1) -> None:
        self.steps += steps


def run(store: RunStore, todo: Sequence[tuple[str, JudgeItem]], judge: Judge, cache: Cache) -> int:
    counter = Counter()
    with store.verdicts_writer() as writer:
        judge_all(todo, judge=judge, cache=cache, writer=writer, advance=counter)
    return counter.steps


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache.sqlite")


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "run")


def test_each_kind_of_document_raises_its_questions() -> None:
    found = items([sample("d1", "Wait."), sample("open", "Wait."), sample("q1", "Yes."), sample("e1", "")])
    assert [(key, i.asks) for key, i in found] == [
        ("base|d1|0", "csr"),
        ("base|d1|0", "fr"),
        ("base|open|0", "csr"),
        ("base|open|0", "fr"),
        ("base|q1|0", "stance"),
    ]
    first, question = found[0][1], found[4][1]
    assert (first.value_name, first.options, first.favours) == ("Security", ("wait for the ferry", "swim across"), 0)
    assert first.definition == load_value_system("schwartz").get("security").definition
    assert (question.value_name, question.options) == ("social cynicism", None), "a value of another system"


def test_every_sample_gets_its_verdicts(store: RunStore, cache: Cache) -> None:
    samples = [sample("d1", "I would wait.", r) for r in range(150)] + [sample("d1", "I would swim.", 150)]
    todo = items(samples)
    assert run(store, todo, OptionMatch(), cache) == len(todo) == 302
    verdicts = store.verdicts(OptionMatch().identity)
    assert len(verdicts) == 302
    assert {verdicts[f"base|d1|{r}", "csr"].label for r in range(150)} == {"yes"}
    assert verdicts["base|d1|150", "csr"].label == "no"
    assert cache.sizes() == {}, "rules are cheaper than a cache"


def scripted(request: Request, _: int) -> Reply:
    if "mumble" in request.content:
        return Reply("who knows")
    return Reply("Label: fluent" if "grammatical" in request.content else "Label: yes")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-do-not-write-me")


def test_a_paid_judge_is_asked_once_for_equal_answers_and_never_again(
    store: RunStore, cache: Cache, tmp_path: Path
) -> None:
    samples = [sample("d1", "I would wait.", r) for r in range(10)] + [sample("d1", "mumble", 10)]
    with ChatServer(scripted).running() as server:
        judge = OpenAIJudge(OpenAISettings(base_url=server.url))
        assert run(store, items(samples), judge, cache) == 22
        assert len(server.requests) == 4
        verdicts = store.verdicts(judge.identity)
        assert sum(v.tokens for v in verdicts.values()) == 4 * 94
        assert verdicts["base|d1|10", "csr"].label is None
        second = RunStore(tmp_path / "second")
        run(second, items(samples), judge, cache)
        assert len(server.requests) == 6, "only what stayed unscored is asked again"
    again = second.verdicts(judge.identity)
    assert {k: v.label for k, v in again.items()} == {k: v.label for k, v in verdicts.items()}
    assert sum(v.tokens for v in again.values()) == 2 * 94, "a cached verdict costs nothing"


def test_verdicts_before_a_fault_are_kept(store: RunStore, cache: Cache) -> None:
    """The server refuses the 71st request: what was judged before is on disk and in the cache."""

    back = False

    def script(_: Request, number: int) -> Reply:
        return Reply() if number < 70 or back else Reply(status=401)

    todo = [x for x in items([sample("d1", f"Answer {i}.") for i in range(100)]) if x[1].asks == "csr"]
    todo = [(f"base|d1|{n}", item) for n, (_, item) in enumerate(todo)]
    with ChatServer(script).running() as server:
        judge = OpenAIJudge(OpenAISettings(base_url=server.url, concurrency=1))
        with pytest.raises(UsageError, match="OPENAI_API_KEY"):
            run(store, todo, judge, cache)
        assert len(store.verdicts(judge.identity)) == 70
        back = True
        asked = len(server.requests)
        run(store, todo, judge, cache)
        assert len(server.requests) == asked + 30
    assert len(store.verdicts(judge.identity)) == 100


def test_a_server_that_goes_away_leaves_the_run_incomplete(store: RunStore, cache: Cache) -> None:
    with ChatServer(lambda *_: Reply()).running() as server:
        judge = OpenAIJudge(OpenAISettings(base_url=server.url, max_retries=0))
    with pytest.raises(IncompleteError, match="--resume"):
        run(store, items([sample("d1", "Wait.")]), judge, cache)


def test_the_key_is_written_nowhere(store: RunStore, cache: Cache, tmp_path: Path) -> None:
    with ChatServer(lambda *_: Reply("nonsense")).running() as server:
        run(store, items([sample("d1", "Wait.")]), OpenAIJudge(OpenAISettings(base_url=server.url)), cache)
    written = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert written
    assert not any(b"sk-test" in p.read_bytes() for p in written)


def test_judging_works_inside_a_running_loop(store: RunStore, cache: Cache) -> None:
    """A notebook's cells run inside one."""

    async def cell() -> int:
        check_judge(OptionMatch())
        return run(store, items([sample("d1", "I would wait.")]), OptionMatch(), cache)

    assert asyncio.run(cell()) == 2
    assert store.verdicts(OptionMatch().identity)["base|d1|0", "csr"].label == "yes"


def test_nothing_to_judge_is_no_error(store: RunStore, cache: Cache) -> None:
    assert run(store, [], OptionMatch(), cache) == 0
