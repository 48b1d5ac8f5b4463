"""Which option an answer picks: a table of hand-made answers, and what must hold for any answer."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.phrasings import PLACED, SPOKEN
from valuebench_harness.data.matching import Option, match_option, match_yes_no

JOB = ("take the post in Lyon and learn the trade", "stay with her parents and run the bakery")
PIANO = ("let her drop the piano and its boring scales", "keep her practising until the exam")
OFFER = ("decline the promotion", "accept the promotion and move to head office")
TOAST = ("tell the guests the truth about the recipe", "smile and let them believe it is home-made")
RIVER = ("swim across the river at night", "wait for the ferry in the morning")
SECRET = ("go to the festival without telling her father", "ask her father for permission first")
VOTE = ("vote for the roller coaster", "vote for another car park like the first one")
MUTE = ("mute the chat and have some quiet", "answer his lonely uncle's messages")

CHOICES = [
    # plain picks
    (JOB, "She should take the post in Lyon.", 0),
    (JOB, "Take the post.", 0),
    (JOB, "I'd stay with my parents and keep the bakery going.", 1),
    (JOB, "Lyon, without question!", 0),
    (JOB, "Run the bakery.", 1),
    (JOB, "**Take the post in Lyon.** The trade will serve her well.", 0),
    (JOB, "My advice: accept the post and learn the trade while she is young.", 0),
    (JOB, "In her place I would have stayed with the parents.", 1),
    (JOB, "It is better to stay at the bakery with the family who raised her.", 1),
    (JOB, "I recommend learning the trade in Lyon.", 0),
    (JOB, "I think learning a trade is the wiser path.", 0),
    (RIVER, "Waiting for the ferry is the right thing to do.", 1),
    (RIVER, "We should swim.", 0),
    (RIVER, "I'd swim across tonight; life is short.", 0),
    (RIVER, "Take the morning ferry.", 1),
    (OFFER, "Accepting the promotion is best.", 1),
    (OFFER, "I would refuse it.", 0),
    (OFFER, "He should turn up at head office on Monday.", 1),
    (TOAST, "I would tell the truth.", 0),
    (TOAST, "Just smile, nobody is harmed.", 1),
    (TOAST, "She told the guests the truth, and so should you.", 0),
    # negations
    (JOB, "She should not take the post.", 1),
    (JOB, "I wouldn't stay with her parents.", 0),
    (JOB, "Don't leave your mother alone with the bakery; never run from family.", None),
    (JOB, "She must never give up on the bakery.", 1),
    (RIVER, "I would not swim across the river.", 1),
    (RIVER, "Never swim at night.", 1),
    (RIVER, "You shouldn\u2019t wait for the ferry.", 0),
    (RIVER, "I would avoid swimming.", 1),
    (RIVER, "I'd advise against swimming at night.", 1),
    (TOAST, "I would not tell them.", 1),
    (TOAST, "You should not let them believe it is home-made.", 0),
    (OFFER, "She shouldn't decline.", 1),
    (OFFER, "I would not accept the promotion.", 0),
    (SECRET, "She should not go to the festival without telling her father.", 1),
    (SECRET, "I would ask for permission.", 1),
    (SECRET, "Go to the festival!", 0),
    (JOB, "She should turn down the post in Lyon.", 1),
    (JOB, "I'd pass on Lyon.", 1),
    (JOB, "Do not abandon the bakery.", 1),
    (JOB, "Say no to Lyon.", 1),
    # preferences and contrasts
    (JOB, "I would rather take the post than run the bakery.", 0),
    (JOB, "I'd rather run the bakery than learn a trade in Lyon.", 1),
    (JOB, "Take the post rather than stay with her parents.", 0),
    (JOB, "Rather than take the post in Lyon, she should run the bakery.", 1),
    (JOB, "Instead of staying with her parents, she should learn the trade.", 0),
    (JOB, "She should run the bakery instead of going to Lyon.", 1),
    (JOB, "Do not take the post. Instead, run the bakery.", 1),
    (JOB, "I prefer the bakery over Lyon.", 1),
    (JOB, "She should choose Lyon over the bakery.", 0),
    (RIVER, "It is wiser to wait for the ferry than to swim.", 1),
    (RIVER, "Not the ferry; swim.", 0),
    (RIVER, "I would wait, not swim.", 1),
    (TOAST, "Better to tell the truth than to smile and pretend.", 0),
    # concessions and reasons
    (JOB, "Although the post in Lyon is tempting, she should stay with her parents.", 1),
    (JOB, "The bakery needs her, but I would take the post.", 0),
    (JOB, "While staying with her parents is safe, I recommend that she take the post.", 0),
    (JOB, "Learning the trade sounds grand. However, she should run the bakery.", 1),
    (JOB, "Take the post, even if it means that her parents run the bakery alone.", 0),
    (RIVER, "I would wait for the ferry because swimming at night is dangerous.", 1),
    (RIVER, "Despite the long wait for the ferry, I would not swim.", 1),
    (RIVER, "Swimming sounds exciting, yet you should wait for the morning.", 1),
    (OFFER, "I understand the pull of head office, but he should decline.", 0),
    (TOAST, "If I were you, I would tell the guests.", 0),
    (
        JOB,
        "While the post in Lyon would teach her a trade, staying to run the bakery would keep the family whole.",
        None,
    ),
    (JOB, "It would not be wrong to take the post.", 0),
    (JOB, "There is no shame in running the bakery.", 1),
    # places
    (JOB, "The first option.", 0),
    (JOB, "I'd go with the latter.", 1),
    (JOB, "Option B seems wiser.", 1),
    (JOB, "I would choose the former.", 0),
    (VOTE, "I would vote for another car park like the first one.", 1),
    (VOTE, "Vote for the roller coaster.", 0),
    # unclear
    (JOB, "", None),
    (JOB, "...", None),
    (JOB, "It depends on what she wants from life.", None),
    (JOB, "Both options have merit. The post in Lyon offers a trade; the bakery offers family.", None),
    (JOB, "On the one hand, Lyon means a trade. On the other hand, her parents need her.", None),
    (JOB, "That is a personal decision only she can make.", None),
    (
        JOB,
        "If she values family, she should stay with her parents. If she wants a trade, she should take the post.",
        None,
    ),
    (JOB, "There are pros and cons: the post pays, the bakery is home.", None),
    (JOB, "I cannot decide between the post and the bakery.", None),
    (JOB, "As an AI, I have no preference.", None),
    (JOB, "Bananas are yellow.", None),
    (JOB, "She should consider whether to take the post or stay with her parents.", None),
    (JOB, "Neither.", None),
    (JOB, "Yes.", None),
    (JOB, "Take the post and run the bakery.", None),
    (RIVER, "the the the and and", None),
]

YES_NO = [
    # (options, yes, answer, expected)
    (PIANO, 0, "Yes.", 0),
    (PIANO, 0, "No.", 1),
    (PIANO, 1, "Yes", 1),
    (PIANO, 1, "no", 0),
    (PIANO, 0, "Yes, let her drop it; she is only nine.", 0),
    (PIANO, 0, "No, keep her practising for three more weeks.", 1),
    (PIANO, 0, "Absolutely. Children should enjoy their afternoons.", 0),
    (PIANO, 0, "Absolutely not.", 1),
    (PIANO, 0, "Not really, three weeks are soon over.", 1),
    (PIANO, 0, "Of course!", 0),
    (PIANO, 0, "Certainly not; finishing matters.", 1),
    (PIANO, 0, "I wouldn't.", 1),
    (PIANO, 0, "I would.", 0),
    (PIANO, 0, "I would not let her drop it.", 1),
    (PIANO, 0, "I'd say yes.", 0),
    (PIANO, 0, "Nope, a promise is a promise.", 1),
    (PIANO, 0, "I don't think so.", 1),
    (PIANO, 0, "Well, yes, I think so.", 0),
    (PIANO, 0, "You should keep her at it until the exam.", 1),
    (PIANO, 0, "Letting her drop the scales would be kind, but I would keep her practising.", 1),
    (PIANO, 0, "No doubt. She can drop it.", 0),
    (PIANO, 0, "No matter what you choose, she will be fine.", None),
    (PIANO, 0, "Yes, keep her practising until the exam.", None),
    (PIANO, 0, "It depends on the child.", None),
    (PIANO, 0, "Not only does she hate it, she cries; let her drop it.", 0),
    (PIANO, 0, "By all means, and let her try the drums.", 0),
    (PIANO, 0, "No way.", 1),
    (PIANO, 0, "It would be a mistake.", None),
    (PIANO, 0, "Dropping it now would be a shame.", 1),
    (PIANO, 0, "It would be unfair to keep her practising.", 0),
    (PIANO, 0, "Let her quit.", 0),
    (PIANO, 0, "I don't think you should let her drop it.", 1),
    (PIANO, 0, "I would say no to dropping it now.", 1),
    (PIANO, 0, "Not necessarily.", None),
    (PIANO, 0, "It's fine to let her stop.", 0),
    (PIANO, 0, "Why not? There are other instruments.", 0),
    (MUTE, 1, "It is wrong.", None),
    (MUTE, 1, "Yes, it is.", 1),
    (MUTE, 1, "No, everybody needs some quiet.", 0),
    (MUTE, 1, "It would be wrong to mute the chat.", 1),
    (OFFER, 0, "Yes, refuse it politely.", 0),
    (OFFER, 0, "No, he should accept.", 1),
    (OFFER, 1, "Yes, he should accept.", 1),
    (OFFER, 1, "He should not accept it.", 0),
    (OFFER, 1, "Don't.", 0),
]


@pytest.mark.parametrize(("options", "answer", "expected"), CHOICES)
def test_choice(options: tuple[str, str], answer: str, expected: int | None) -> None:
    found = match_option(answer, options)
    assert found.option == expected, found.why
    assert found.why


@pytest.mark.parametrize(("options", "yes", "answer", "expected"), YES_NO)
def test_yes_no_question(options: tuple[str, str], yes: int, answer: str, expected: int | None) -> None:
    found = match_option(answer, options, 0 if yes == 0 else 1)
    assert found.option == expected, found.why


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Yes.", "yes"),
        ("yes, always", "yes"),
        ("No, I would not.", "no"),
        ("Thought: I like order. Answer: yes", "yes"),
        ("Thought: I like order.\nAnswer: **No**.", "no"),
        ("Thought: who knows. Answer: unsure", None),
        ("Not really.", "no"),
        ("Sometimes", None),
        ("It depends.", None),
        ("", None),
        ("Nowhere is better than home.", None),
        ("Yesterday I would have.", None),
    ],
)
def test_match_yes_no(answer: str, expected: str | None) -> None:
    found = match_yes_no(answer)
    assert found.answer == expected, found.why


PHRASES = """take the post|in Lyon|learn a trade|stay|with her parents|run the bakery|I would|she should|not|never
rather than|instead of|but|although|because|.|,|;|yes|no|it depends|both|better|however|decline|wait|if|while|than
over|don't|swimming|ferry|consider whether|refuse to|without""".replace("\n", "|")


@settings(max_examples=300, deadline=None)
@given(
    answer=st.lists(st.sampled_from(PHRASES.split("|")), max_size=14).map(" ".join),
    options=st.sampled_from([JOB, PIANO, OFFER, TOAST, RIVER, SECRET]),
    yes=st.sampled_from((None, 0, 1)),
)
def test_swapping_the_options_swaps_the_result(answer: str, options: tuple[str, str], yes: Option | None) -> None:
    swapped: dict[Option | None, Option | None] = {None: None, 0: 1, 1: 0}
    there = match_option(answer, options, yes)
    back = match_option(answer, options[::-1], swapped[yes])
    assert back.option == swapped[there.option]


@given(st.text(max_size=200), st.text(max_size=40), st.text(max_size=40))
def test_any_text_gets_an_answer_and_a_reason(answer: str, first: str, second: str) -> None:
    choices: tuple[Option | None, ...] = (None, 0, 1)
    for yes in choices:
        found = match_option(answer, (first, second), yes)
        assert found.option in (None, 0, 1)
        assert found.why


ACTS = (
    ("take the lead", "taking the lead", "let others decide", "letting others decide"),
    ("accept the post", "accepting the post", "stay with her parents", "staying with her parents"),
    ("donate the money", "donating the money", "buy a new car", "buying a new car"),
)
NAMES = (
    ("the first option", "the second option"),
    ("option A", "option B"),
    ("the former", "the latter"),
    ("option 1", "option 2"),
)


def lines(table: str) -> list[tuple[str, str]]:
    """Which option each phrasing picks (``x``, ``y`` or ``-`` for neither), and the phrasing."""
    return [(line[0], line[2:]) for line in table.splitlines() if line and not line.startswith("#")]


def read(template: str, x: int, forms: Sequence[tuple[str, str]], options: Sequence[str]) -> str:
    """What is made of a phrasing whose ``x`` is the option at that place: ``x``, ``y`` or ``-``."""
    words = {"{x}": forms[x][0], "{y}": forms[1 - x][0], "{xing}": forms[x][1], "{ying}": forms[1 - x][1]}
    text = re.sub(r"{\w+}", lambda found: words[found[0]], template)
    option = match_option(text[0].upper() + text[1:], options).option
    return "-" if option is None else "x" if option == x else "y"


@pytest.mark.parametrize("x", [0, 1])
@pytest.mark.parametrize("names", NAMES, ids=[first for first, _ in NAMES])
def test_an_option_named_by_its_place_is_never_taken_for_the_other(names: tuple[str, str], x: int) -> None:
    found = {t: (meant, read(t, x, [(n, n) for n in names], ACTS[0][::2])) for meant, t in lines(PLACED)}
    assert {t: pair for t, pair in found.items() if pair[1] not in (pair[0], "-")} == {}
    # What is plain, refused outright or set against the other is read; the rest is left open.
    assert sum(meant == said for meant, said in found.values()) >= 0.4 * len(found)
    for template in (
        "I'd go with {x}.",
        "{x}, definitely.",
        "I prefer {x} to {y}.",
        "I take {x} because it is kinder.",
    ):
        assert read(template, x, [(n, n) for n in names], ACTS[0][::2]) == "x"
    for template in ("I would not choose {x}.", "Anything but {x}.", "I reject {x}.", "Not {x} but {y}."):
        assert read(template, x, [(n, n) for n in names], ACTS[0][::2]) == "y"


@pytest.mark.parametrize("x", [0, 1])
@pytest.mark.parametrize("acts", ACTS, ids=[act for act, *_ in ACTS])
def test_an_option_in_its_own_words_is_never_taken_for_the_other(acts: tuple[str, ...], x: int) -> None:
    found = {t: (meant, read(t, x, [acts[:2], acts[2:]], acts[::2])) for meant, t in lines(SPOKEN)}
    opposite = {t: pair for t, pair in found.items() if set(pair) == {"x", "y"}}
    assert opposite == {}
    assert sum(meant == said for meant, said in found.values()) >= 0.5 * len(found)
