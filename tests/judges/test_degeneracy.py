"""Broken texts are found, natural ones are left alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from valuebench_harness.data.datasets import SHIPPED_DATASETS, load_dataset
from valuebench_harness.judges.degeneracy import degenerate

BROKEN = [
    ("", "empty"),
    ("  \n\t ", "empty"),
    ("...", "no words"),
    ("?!?!?!", "no words"),
    ("\ufffd\ufffd", "undecodable bytes"),
    ("I would \ufffd\ufffd take the post", "undecodable bytes"),
    ("Itâ€™s better to wait for the ferry.", "garbled encoding"),
    ("The cafÃ© is a nice place to wait.", "garbled encoding"),
    ("security security security security security", "one word over and over"),
    ("power power power", "one word over and over"),
    ("I would the the the the choose", "one word over and over"),
    ("safe, safe, safe, safe, safe and safe", "one word over and over"),
    ("I would wait aaaaaaaaaaaaaaa", "one character over and over"),
    ("!!!!!!!!!!!!!!!!!!!! yes", "one character over and over"),
    ("She must save the last coin she has. " * 3, "loops on"),
    ("{{}}[]<>||//\\\\ safety ##@@", "mostly symbols"),
    ("</s></s></s><unk>", "mostly symbols"),
    ("I choose power. I choose power. I choose power. I choose power.", "loops on"),
    ("the safety of the safety of the safety of the safety of the", "loops on"),
    ("to be safe and to be safe and to be safe and to be", "loops on"),
    ("a b a b b a a b a b b b a a b a a b", "few distinct words"),
    ("win and win or win and then win or and win then win and win or", "few distinct words"),
]


@pytest.mark.parametrize(("text", "mark"), BROKEN)
def test_broken_texts_are_found(text: str, mark: str) -> None:
    found = degenerate(text)
    assert found.startswith(mark), found


def test_a_loop_after_a_good_beginning_is_found() -> None:
    good = (
        "If I were in her place I would take the post in Lyon, because a trade learned early opens doors that stay "
        "closed to those who wait, and her parents can hire a helper for the bakery until she comes home at Easter. "
    )
    assert degenerate(good) == ""
    assert degenerate(good + "She must win the power " * 12).startswith("loops on")
    assert degenerate("She must win the power " * 12 + good).startswith("loops on")


NATURAL = [
    "Yes.",
    "No",
    "A",
    "Yes, definitely!",
    "No, no, no. Wait for the ferry.",
    "Never, never give up on the bakery.",
    "That is a very, very bad idea.",
    "It is really really hard, but take the post.",
    "Ha ha, I would smile and say nothing.",
    "Well, well, well: take the job and see.",
    "**Yes.**",
    "**Wait for the ferry.** It is safer.",
    "## My advice\n- Take the post.\n- Call home on Sundays.",
    "1. Save the money.\n2. Buy the van next year.\n3. Do not borrow.",
    "*Take it*: a chance like that comes once.",
    "`Option A` is the wiser choice.",
    "I would wait \u2014 the sea is rising \u2014 and go tomorrow.",
    "\u201cA promise is a promise,\u201d as my grandmother used to say.",
    "She shouldn\u2019t; it\u2019s dangerous\u2026",
    "Hmm... I'd stay.",
    "Sooo tempting, but no.",
    "Why not? Life is short!",
    "Put $500 (about 20% of it) aside & spend the rest.",
    "Ask your boss; if he says no, ask again; if he says no again, leave.",
    "Save half of it, and give the other half to your brother.",
    "I would take the job, because the job pays well and the job is in the city where I want to live.",
    "To wait is to be safe; to go is to be free. I would rather be free.",
    "The more you save, the more you have; the more you have, the more you worry.",
    "You can go or you can stay, but you can not go and stay.",
    "Email her at kim@example.org and ask.",
    "Go to https://example.org/ferries?day=tomorrow for the timetable.",
    "I'd go! \U0001f600",
    "Nimm den Posten in Lyon; über die Bäckerei kannst du später nachdenken.",
    "À sa place, j'irais à Lyon\u00a0: \u00ab\u00a0qui ne risque rien n'a rien\u00a0\u00bb.",
    "NÃO! Espere pela balsa, SÃO PAULO pode esperar.",
    "你应该等明天的渡船，晚上游泳太危险了。",
    "मुझे लगता है कि उसे नौकरी लेनी चाहिए और सीखना चाहिए।",
    "Я бы подождал парома утром.",
    "أنصحك بانتظار العبارة في الصباح.",
    "I would tell my sister first, then my mother, and only then the \ufffd",
    "Take the post. You can always come home, and the bakery will still be there, with the same oven, the same "
    "counter and the same three customers who ask for rye bread every morning at six. What will not be there "
    "again is the offer: the master in Lyon is old, and he takes one apprentice every other year. Learn from him.",
    "It depends on what she wants. If she wants a quiet life, she should stay; if she wants to see the world, she "
    "should go. I cannot tell her which of the two she wants, but I can tell her which of the two she will regret.",
    "I choose to guard the harbour because security matters to me.",
    "Thought: I care about safety, so I agree. Answer: yes.",
    "While I understand the appeal of",
]


@pytest.mark.parametrize("text", NATURAL)
def test_natural_answers_pass(text: str) -> None:
    assert degenerate(text) == ""


def shipped_texts() -> Iterator[str]:
    for name in SHIPPED_DATASETS:
        data = load_dataset(name)
        for value in data.system.ids:
            for dilemma in data.dilemmas(value, None):
                yield from (dilemma.question, *dilemma.options)
            for controlled in (True, False):
                for pair in data.pairs(value, controlled=controlled):
                    yield from (pair.positive, pair.negative)
            for item in data.questionnaire(value):
                yield from (item.item, item.question)
        yield from (text.text for text in data.neutral())


def test_no_text_of_the_shipped_data_is_called_broken() -> None:
    texts = list(dict.fromkeys(shipped_texts()))
    assert len(texts) > 5000
    assert {text: mark for text in texts if (mark := degenerate(text))} == {}


def test_long_natural_text_may_reuse_words() -> None:
    """A thousand words of prose have fewer distinct words than a short answer."""
    data = load_dataset("schwartz")
    prose = " ".join(pair.positive for value in data.system.ids for pair in data.pairs(value))
    assert len(prose.split()) > 10_000
    assert degenerate(prose) == ""


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_gets_a_verdict(text: str) -> None:
    assert isinstance(degenerate(text), str)
    assert degenerate(text) == degenerate(text + "  \n")


@settings(deadline=None)
@given(st.sampled_from(["power", "save money", "I choose power", "to win and to"]), st.integers(4, 40))
def test_any_phrase_over_and_over_is_broken(phrase: str, times: int) -> None:
    assert degenerate(" ".join([phrase] * times)) != ""
