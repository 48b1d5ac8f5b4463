"""Prompt methods on a model behind an OpenAI-compatible server; a scripted one answers on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.chat_server import ChatServer, Reply, Request
from valuebench_harness.engine.plan import Message
from valuebench_harness.errors import IncompleteError, UsageError
from valuebench_harness.harness.attempt import attempt
from valuebench_harness.harness.chat_model import ChatModel, ChatRow, parse_letter
from valuebench_harness.harness.config import make_config
from valuebench_harness.harness.evaluate import evaluate
from valuebench_harness.harness.plan import make_plan
from valuebench_harness.harness.run import Run
from valuebench_harness.harness.store import RunStore

KEY = "sk-test-do-not-write-me"


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VHARNESS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


@pytest.fixture
def mmlu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four items of one subject where the user's copies are looked for."""
    folder = tmp_path / "data" / "mmlu"
    for split in ("test", "dev"):
        (folder / split).mkdir(parents=True)
        rows = [f"What is {n} and {n}?,{2 * n},{2 * n + 1},9{n},8{n},{'AABA'[n]}" for n in range(4)]
        (folder / split / f"astronomy_{split}.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    monkeypatch.setenv("VHARNESS_DATA_DIR", str(tmp_path / "data"))


def messages(request: Request) -> list[dict[str, str]]:
    return list(request.body["messages"])


def steerable(request: Request, _: int) -> Reply:
    """Does what a dilemma's first option says where it was told to have a high level of the value, else the second."""
    text = messages(request)[-1]["content"]
    if "letter alone" in text:
        return Reply("(A)")
    return Reply("I certainly would." if "high level" in text else "I would not.")


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer(steerable).running() as running:
        yield running


def settings(server: ChatServer, **changes: Any) -> dict[str, Any]:
    fields = {
        "model": "openai:some-model",
        "model_url": server.url,
        "steerer": "ica",
        "values": ("power",),
        "tasks": ("schwartz_power", "schwartz_questionnaire"),
        "limit": 3,
        "max_unscored": 1.0,
    }
    return {**fields, **changes}


def run(server: ChatServer, folder: Path, **changes: Any) -> Run:
    return evaluate(out=folder, resume=True, **settings(server, **changes))


def test_base_and_prompt_method_answer_dilemmas_and_questionnaires(server: ChatServer, tmp_path: Path) -> None:
    done = run(server, tmp_path / "run", system_prompt="Be brief.")
    dilemmas = [a for a in done.answers() if a.document.kind == "dilemma"]
    assert {a.sample.answer for a in dilemmas if a.condition.id == "base"} == {"I would not."}
    assert {a.sample.answer for a in dilemmas if a.condition.id != "base"} == {"I certainly would."}
    for answer in done.answers():
        sent = json.loads(answer.sample.prompt)
        assert [m["role"] for m in sent] == ["system", "user"]
        assert sent[1]["content"].endswith(answer.document.text)
        assert answer.sample.steered == (answer.condition.id != "base")
        assert (answer.sample.finish, answer.sample.prompt_tokens, answer.sample.new_tokens) == ("eos", 90, 4)
    assert {json.dumps(messages(r), ensure_ascii=False) for r in server.requests} == {
        a.sample.prompt for a in done.answers()
    }
    for request in server.requests:
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert request.body["model"] == "some-model"
        assert (request.body["temperature"], request.body["max_tokens"]) == (0, 32)
        assert "seed" not in request.body
    assert done.info.model["name"] == "openai:some-model"
    assert not any(KEY.encode() in p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())


def test_an_exam_is_answered_by_its_letter_or_not_scored(mmlu: None, tmp_path: Path) -> None:
    replies = {0: "A", 1: "Answer: b.", 2: "I think it is A", 3: "(a)"}

    def script(request: Request, _: int) -> Reply:
        text = messages(request)[-1]["content"]
        assert text.endswith("Answer with the letter alone.")
        return Reply(next(reply for n, reply in replies.items() if f"What is {n} and" in text))

    with ChatServer(script).running() as server:
        done = run(server, tmp_path / "run", steerer="base", tasks=("mmlu_astronomy",), limit=None)
    exam = done.results.base_exam
    assert exam is not None
    assert (exam.hits, exam.n, exam.unscored) == (2, 3, 1), "A, then b for A, then no letter, then (a)"
    assert {s.choice for s in done.samples.values()} == {0, 1, None}
    assert all(r.body["temperature"] == 0 for r in server.requests)


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("A", 0),
        (" b. ", 1),
        ("(C)", 2),
        ("**D**", 3),
        ("Answer: C", 2),
        ('"a"', 0),
        ("E", None),
        ("A or B", None),
        ("The answer is A", None),
        ("", None),
        ("AB", None),
    ],
)
def test_letters_are_read_strictly(text: str, choice: int | None) -> None:
    assert parse_letter(text, "ABCD") == choice


def test_equal_questions_are_asked_once_and_answers_are_kept(server: ChatServer, tmp_path: Path) -> None:
    first = run(server, tmp_path / "one")
    asked = len(server.requests)
    again = run(server, tmp_path / "two")
    assert again.samples == first.samples
    assert len(server.requests) == asked, "answers come from the cache"
    other = ChatServer(steerable)
    with other.running():
        run(other, tmp_path / "three")
    assert len(other.requests) == asked, "another server may serve another model by the same name"


def test_sampled_answers_carry_a_seed(server: ChatServer, tmp_path: Path) -> None:
    done = run(server, tmp_path / "run", n_samples=2, tasks=("schwartz_power",), limit=2, steerer="base")
    assert len(done.samples) == 4
    assert {r.body["temperature"] for r in server.requests} == {1.0}
    assert len({r.body["seed"] for r in server.requests}) == 4


def test_a_server_that_fails_at_times_is_asked_again_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openai._base_client.BaseClient._calculate_retry_timeout", lambda *_: 0.01)
    broken = True

    def script(request: Request, number: int) -> Reply:
        if broken and "sk" in request.headers["authorization"] and number % 3 == 0:
            return Reply(status=500)
        return steerable(request, number)

    server = ChatServer(script)
    config = settings(server, tasks=("schwartz_power",), limit=4)
    with server.running():
        evaluate(out=tmp_path / "retried", **config)  # a retry of its own mends a passing fault
    always = ChatServer(lambda r, n: Reply(status=400) if "high level" in r.content else steerable(r, n))
    with always.running():
        with pytest.raises(IncompleteError, match=r"4 of 8 requests got no answer .*the server answered 400.*--resume"):
            evaluate(out=tmp_path / "run", **{**config, "model_url": always.url})
        kept = RunStore(tmp_path / "run").samples()
        assert {s.condition for s in kept.values()} == {"base"}
        asked = len(always.requests)
        always._script = steerable
        done = evaluate(out=tmp_path / "run", resume=True, **{**config, "model_url": always.url})
    assert done.info.status == "complete"
    assert len(always.requests) == asked + 4, "only what was missing is asked"


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (401, UsageError, r"The model's server refused the key \(401\)"),
        (404, UsageError, r"does not know 'some-model' \(404\)\. Name a model with --model openai:NAME"),
    ],
)
def test_a_server_that_refuses_ends_the_run_at_once(
    tmp_path: Path, status: int, error: type[Exception], words: str
) -> None:
    server = ChatServer(lambda *_: Reply(status=status))
    with server.running(), pytest.raises(error, match=words) as caught:
        run(server, tmp_path / "run", limit=50, tasks=("schwartz_power",))
    assert KEY not in str(caught.value)
    assert len(server.requests) < 50


def test_a_server_that_is_not_there_leaves_the_run_incomplete(tmp_path: Path, server: ChatServer) -> None:
    with ChatServer(steerable).running() as gone:
        url = gone.url
    model = ChatModel("openai:some-model", url)
    model._client.settings = model._client.settings.model_copy(update={"max_retries": 0})
    with pytest.raises(IncompleteError, match=r"127\.0\.0\.1 cannot be reached"):
        list(model.generate([ChatRow(model.render([Message("user", "?")]), 4)]))
    assert not server.requests


def test_leaving_early_stops_asking() -> None:
    server = ChatServer(lambda *_: Reply("yes", delay=0.02))
    with server.running():
        model = ChatModel("openai:some-model", server.url)
        rows = [ChatRow(model.render([Message("user", str(n))]), 4) for n in range(400)]
        for index, reply in model.generate(rows):
            assert reply.text == "yes"
            assert 0 <= index < 400
            break
    assert len(server.requests) < 400


def test_no_key_is_an_error_that_says_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(UsageError, match="The model's server needs a key: set OPENAI_API_KEY"):
        evaluate("openai:some-model", "base", tasks=("schwartz_power",), limit=1, out=tmp_path / "run")


def test_try_asks_the_server(server: ChatServer) -> None:
    config = make_config(**settings(server, tasks=None, limit=None))
    base, steered = attempt(config, "Should I lead?")
    assert (base.answer, steered.answer) == ("I would not.", "I certainly would.")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"steerer": "conva"}, "'conva' steers activations, and a model behind a server shows none"),
        ({"steerer": "caa"}, "'caa' steers activations"),
        ({"steerer": "random:caa"}, "'random:caa' steers activations"),
        ({"steerer": "ica+caa"}, r"'ica\+caa' steers activations"),
        ({"steerer": "ica", "gate": "probe"}, "Gate 'probe' reads hidden states"),
        ({"steerer": "caa", "match_kl": 1.0}, "steers activations"),
        ({"steerer": "ica", "tasks": "arc_easy"}, "needs likelihoods"),
        ({"steerer": "ica", "model": "folder", "model_url": "http://x/v1"}, "name it as --model openai:NAME"),
    ],
)
def test_what_a_server_cannot_do_is_said_before_anything_is_asked(config: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make_plan(make_config(**{"model": "openai:some-model", **config}))


def test_a_name_or_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="names no model"):
        ChatModel("openai:")
    with pytest.raises(UsageError, match="must hold no password"):
        make_config(model="openai:x", model_url="http://me:secret@host/v1")
