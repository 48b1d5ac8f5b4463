"""Pairs and dilemmas from a scripted author on loopback: each step, what is rejected, and what a kill costs."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.harness.generate.author import FALSE, TRUE, Author
from tests.support.chat_server import ChatServer, Reply
from valuebench_harness.data.checks import check_dilemmas, check_pairs
from valuebench_harness.data.datasets import load_dataset
from valuebench_harness.data.schemas import ContrastivePair
from valuebench_harness.data.values import load_value_system
from valuebench_harness.errors import IncompleteError, UsageError
from valuebench_harness.harness.generate.ask import WriterSettings
from valuebench_harness.harness.generate.records import Exchange, Kind, Rejection
from valuebench_harness.harness.generate.run import Generation, Outcome, generate, planned_requests
from valuebench_harness.harness.generate.screen import FORMS, Seen, form_fault
from valuebench_harness.harness.progress import Reporter
from valuebench_harness.harness.store import read_records

KEY = "sk-test-do-not-write-me"
REFUSAL = Reply("I'm sorry, but I can't help with that.")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


def make(
    out: Path, author: Author, kind: Kind = "pairs", wanted: int = 12, rounds: int = 3, **settings: object
) -> tuple[Outcome, ChatServer]:
    system = load_value_system("schwartz")
    with ChatServer(author).running() as server:
        chosen = WriterSettings.model_validate({"model": "some", "base_url": server.url, "concurrency": 4, **settings})
        generation = Generation(kind, system, system.get("power"), out, wanted, rounds, settings=chosen)
        return generate(generation, Reporter(quiet=True)), server


def exchanges(outcome: Outcome) -> list[Exchange]:
    return [e for path in sorted((outcome.details / "steps").glob("*.jsonl")) for e in read_records(path, Exchange)]


def rejections(folder: Path) -> list[Rejection]:
    return list(read_records(folder / "rejected.jsonl", Rejection))


def test_pairs_go_through_four_steps_and_pass_the_checks(tmp_path: Path) -> None:
    author = Author()
    outcome, server = make(tmp_path, author, wanted=26)
    assert outcome.system is not None
    pairs = load_dataset(outcome.system).pairs("power")
    assert Counter(p.form for p in pairs) == dict(zip(FORMS, (7, 7, 6, 6), strict=True))
    assert all(TRUE in p.positive and p.negative == p.positive.replace(TRUE, FALSE) for p in pairs)
    levels = {f.check: f.level for f in check_pairs(pairs, controlled=True)}
    assert [levels[check] for check in ("forms", "duplicates", "control")] == ["ok"] * 3
    assert author.steps == {"situations": 2, "positive": 8, "negative": 8, "check": 26}
    assert planned_requests("pairs", 26) == len(server.requests) == len(exchanges(outcome)) == outcome.info.requests
    definition = load_value_system("schwartz").get("power").definition
    assert all(definition in request.content for request in server.requests)
    assert outcome.info.tokens == 94 * len(server.requests)
    assert not rejections(outcome.details)


def test_the_straightforward_twin_asks_for_both_sides_apart(tmp_path: Path) -> None:
    author = Author()
    outcome, _ = make(tmp_path, author, "pairs_straightforward", wanted=104)
    assert outcome.system is not None
    pairs = load_dataset(outcome.system).pairs("power", controlled=False)
    assert Counter(p.form for p in pairs) == dict.fromkeys(FORMS, 26)
    assert all(TRUE in p.positive and FALSE in p.negative for p in pairs)
    # 26 texts of a form take two requests; the second names the first's texts.
    assert author.steps == {"texts": 16}


def test_dilemmas_have_options_that_favour_the_value_as_often_first_as_second(tmp_path: Path) -> None:
    outcome, _ = make(tmp_path, Author(), "dilemmas", wanted=20)
    assert outcome.system is not None
    dilemmas = load_dataset(outcome.system).dilemmas("power")
    assert [d.favours for d in dilemmas].count(1) == 10
    assert [d.favours for d in dilemmas[:6]].count(1) == 3
    for d in dilemmas:
        assert TRUE in d.options[d.favours]
        assert d.question.index(d.options[0]) < d.question.index(d.options[1])
    assert {f.check: f.level for f in check_dilemmas(dilemmas)}["options"] == "ok"


def test_malformed_replies_are_rejected_with_reasons_and_made_up_for(tmp_path: Path) -> None:
    """The first request of each step goes wrong; the next round asks for what is missing."""
    wrong = {
        "situations": Reply('[{"scene": "work"}, {"scene": "work", "situation": "Somebody sees thing900 break."}, 7]'),
        "positive": REFUSAL,
        "negative": Reply('[{"number": 1, "text": "At place0 I'),
        "check": Reply("Both are fine."),
    }
    outcome, _ = make(tmp_path, Author(lambda step, n: wrong.get(step) if n == 1 and step != "situations" else None))
    assert outcome.info.accepted == 12
    fell = Counter((r.step, r.reason.split(":")[0]) for r in rejections(outcome.details))
    assert fell == {
        ("positive", "the reply is no JSON"): 3,
        ("negative", "the reply is no JSON"): 3,
        ("check", "the reply of the check is none of A, B, neither"): 1,
    }
    first = Author(lambda step, n: wrong[step] if step == "situations" and n == 0 else None)
    other, _ = make(tmp_path / "other", first)
    assert other.info.accepted == 12
    reasons = [r.reason for r in rejections(other.details)]
    assert reasons[0] == "an entry of the reply is malformed: field 'situation' is missing"
    assert len(reasons) == 2


@pytest.mark.parametrize(
    ("negative", "reason"),
    [
        ("Nothing at all of this remains, my friends.", "the context is not controlled: "),
        ("At place0 keeper0 told a pretty tale when thing0 fell beside tool0.", "it is not in the first person"),
        ("At place0 I told the whole truth when thing0 fell beside tool0.", "it is the positive text"),
        ("", "an entry of the reply is malformed: field 'text'"),
    ],
)
def test_a_counterpart_that_is_none_is_rejected(tmp_path: Path, negative: str, reason: str) -> None:
    reply = Reply(json.dumps([{"number": 1, "text": negative}]))
    with pytest.raises(IncompleteError, match="Nothing of what some wrote was accepted"):
        make(tmp_path, Author(lambda step, _: reply if step == "negative" else None), wanted=1, rounds=1)
    (fell,) = rejections(tmp_path / "generation" / "pairs" / "power")
    assert fell.reason.startswith(reason)
    assert not (tmp_path / "pairs").exists()


def test_pairs_whose_sides_the_model_mixes_up_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(IncompleteError):
        make(tmp_path, Author(lambda step, _: Reply("neither") if step == "check" else None), wanted=4, rounds=1)
    fell = rejections(tmp_path / "generation" / "pairs" / "power")
    assert [(r.step, r.reason) for r in fell] == [("check", "the check sees no difference in the value")] * 4
    assert all(len(r.texts) == 2 for r in fell)


def test_repeated_texts_are_left_out(tmp_path: Path) -> None:
    texts = Reply(json.dumps([{"text": f"I {TRUE} by the old mill at noon."}] * 3))
    outcome, _ = make(tmp_path, Author(lambda _step, n: texts if n == 0 else None), "pairs_straightforward", rounds=2)
    assert outcome.info.accepted == 12
    assert sum("it repeats" in r.reason for r in rejections(outcome.details)) >= 2


def test_dilemmas_share_nothing_with_the_training_pairs_beside_them(tmp_path: Path) -> None:
    question = "Somebody at desk0 broke thing0 of owner0. Should they tell?"
    pair = ContrastivePair(id="p", value="power", form="third-question", positive=question, negative="Not this?")
    (tmp_path / "pairs").mkdir()
    (tmp_path / "pairs" / "power.jsonl").write_text(pair.model_dump_json() + "\n")
    outcome, _ = make(tmp_path, Author(), "dilemmas", wanted=4)
    assert outcome.info.accepted == 4
    (fell,) = rejections(outcome.details)
    assert fell.reason == "it overlaps with a training text"


@pytest.mark.parametrize("step", ["situations", "positive", "negative", "check"])
def test_a_broken_session_goes_on_where_it_stopped(tmp_path: Path, step: str) -> None:
    """Each request is paid for once, whatever step the server fails at."""
    broken = Author(lambda asked, n: Reply(status=500) if asked == step and n >= (step != "situations") else None)
    with pytest.raises(IncompleteError, match="All replies are kept"):
        make(tmp_path, broken, max_retries=0)
    kept = sum(broken.steps.values()) - (broken.steps[step] - (step != "situations"))
    # A kill cuts the last line short.
    shards = sorted((tmp_path / "generation" / "pairs" / "power" / "steps").glob("*.jsonl"))
    if shards:
        shards[-1].write_bytes(shards[-1].read_bytes()[:-20])
        kept -= 1
    outcome, server = make(tmp_path, broken_to_whole(broken))
    assert outcome.info.accepted == 12
    assert len(server.requests) == outcome.info.requests - kept
    again, server = make(tmp_path, Author())
    assert not server.requests
    assert again.info == outcome.info


def broken_to_whole(author: Author) -> Author:
    """An author who goes on with the numbers that the other one left."""
    whole = Author()
    whole._made = author._made
    return whole


def test_a_spent_budget_keeps_what_was_paid_for(tmp_path: Path) -> None:
    author = Author()
    with pytest.raises(IncompleteError, match="the budget of 5 calls is spent"):
        make(tmp_path, author, max_calls=5)
    assert sum(author.steps.values()) == 5
    outcome, server = make(tmp_path, author)
    assert len(server.requests) == outcome.info.requests - 5


def test_too_few_rounds_are_said(tmp_path: Path) -> None:
    outcome, _ = make(tmp_path, Author(lambda step, n: REFUSAL if step == "positive" and n == 0 else None), rounds=1)
    assert (outcome.info.accepted, outcome.info.wanted) == (9, 12)
    assert outcome.reasons == [("positive: the reply is no JSON", 3)]


def test_a_wrong_key_stops_at_once(tmp_path: Path) -> None:
    author = Author(lambda _step, _n: Reply(status=401))
    with pytest.raises(UsageError, match="refused the key"):
        make(tmp_path, author)
    assert sum(author.steps.values()) == 1


def test_no_file_holds_the_key_and_no_file_of_the_users_is_replaced(tmp_path: Path) -> None:
    make(tmp_path, Author())
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and KEY in path.read_text()]
    (tmp_path / "dilemmas").mkdir()
    (tmp_path / "dilemmas" / "power.csv").write_text("mine")
    author = Author()
    with pytest.raises(UsageError, match="was not generated here"):
        make(tmp_path, author, "dilemmas")
    assert not author.steps


def test_templates_of_the_users_own(tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "situations.txt").write_text("Think of {{ n }} situations for {{ value.noun }}, my own way.")
    _, server = make(tmp_path / "out", Author(), wanted=4, templates=folder)
    assert server.requests[0].content == "Think of 4 situations for power, my own way."
    (folder / "situations.txt").write_text("Think of {{ m }} situations.")
    with pytest.raises(UsageError, match=r"situations\.txt .* 'm' is undefined"):
        make(tmp_path / "other", Author(), wanted=4, templates=folder)


def test_the_form_screen_lets_the_shipped_pairs_pass_and_tells_their_forms_apart() -> None:
    """They were not made by this procedure; "Why not be the one who ...?" has no narrator, so it falls.

    A text about "our neighbour" passes in the first person as well as in the third.
    """
    data = load_dataset("schwartz")
    texts = [(p.form, text) for v in data.system.ids for p in data.pairs(v) for text in (p.positive, p.negative)]
    fell = [text for form, text in texts if form_fault(text, form)]
    assert len(fell) <= 0.005 * len(texts), fell
    for form in FORMS:
        passed = [of for of, text in texts if not form_fault(text, form)]
        assert Counter(passed)[form] >= 0.9 * len(passed)


def test_seen_finds_what_the_set_check_calls_a_duplicate() -> None:
    seen = Seen(["The old man gave the red ball to a child."])
    assert seen.repeated("The old man gave the red ball to the child.")
    assert not seen.repeated("A child threw the ball over the fence.")
