"""The judges that need nothing but the item: option match on real dilemmas, the grammar on mini's."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Literal

import pytest

from valuebench_harness.data.datasets import load_dataset
from valuebench_harness.data.grammar import lexicon
from valuebench_harness.data.grammar.acts import NOUNS
from valuebench_harness.data.schemas import Dilemma
from valuebench_harness.judges.base import LABELS, JudgeItem, Question, Verdict
from valuebench_harness.judges.grammar import Grammar
from valuebench_harness.judges.option_match import OptionMatch
from valuebench_harness.judges.registry import JUDGES, make_judge


@cache
def dilemma(family: str, name: str) -> Dilemma:
    value = name.removeprefix("mini-").rpartition("-")[0]
    return next(d for d in load_dataset(family).dilemmas(value, None) if d.id == name)


def item(d: Dilemma, answer: str, asks: Question = "csr") -> JudgeItem:
    return JudgeItem(
        asks=asks, prompt=d.question, answer=answer, value=d.value, options=d.options, favours=d.favours, yes=d.yes
    )


# Dilemma, answer, and the option (0 or 1) that a reader would say it picks; None where it picks neither.
ANSWERS: list[tuple[str, str, Literal[0, 1] | None]] = [
    # yes and no
    ("security-003", "Yes.", 0),
    ("security-003", "No", 1),
    ("security-003", "No, he should stay where he is.", 1),
    ("security-003", "Yes! Double salary comes once.", 0),
    ("security-003", "Absolutely not, employment for life is priceless.", 1),
    ("security-003", "Yes, take the contract in Grenoble.", 0),
    ("security-003", "I wouldn't.", 1),
    ("security-003", "Certainly. Grenoble it is.", 0),
    ("security-003", "No way.", 1),
    ("stimulation-021", "Yes, break it now and then.", 1),
    ("stimulation-021", "No.", 0),
    ("conformity-003", "Of course, the house rules say so.", 0),
    ("conformity-003", "No, celebrate tonight!", 1),
    ("conformity-008", "I think so.", 0),
    ("conformity-021", "Definitely not.", 1),
    ("benevolence-008", "Yes, I would.", 0),
    ("universalism-021", "No, never.", 1),
    ("universalism-021", "I'd say no.", 1),
    ("hedonism-003", "Nope.", 1),
    ("achievement-003", "My answer is no.", 1),
    # a bare yes picks nothing where two alternatives are offered
    ("security-008", "Yes.", None),
    ("benevolence-003", "No.", None),
    # acts in the question's words or close to them
    ("security-008", "Replace the stove with an electric hob.", 0),
    ("security-008", "I would keep the fire.", 1),
    ("security-008", "You should replace it; a hob is safer.", 0),
    ("power-008", "Retire to the small stove and cook what she loves.", 0),
    ("power-008", "She should buy up the market hall.", 1),
    ("power-021", "Matteo should fight for sole control.", 0),
    ("power-021", "It is better to farm it together as equals.", 1),
    ("tradition-008", "Retain the recitation.", 0),
    ("tradition-008", "He should cut straight to the first hold.", 1),
    ("benevolence-003", "I would have him ring and forget the loan.", 0),
    ("benevolence-003", "Wait for the money.", 1),
    ("self-direction-008", "He would do better to follow the printed programme.", 0),
    ("self-direction-021", "Learning to invest it herself is the better path.", 1),
    ("stimulation-003", "Hitch across the Atlas!", 0),
    ("stimulation-003", "Take the chalet you know and love.", 1),
    ("achievement-021", "I'd tell him to chase the plaque.", 0),
    ("achievement-021", "Continue fishing.", 1),
    ("hedonism-021", "Buy the gown.", 0),
    ("security-021", "Press her to return with the bus.", 0),
    ("tradition-003", "Take in the altar.", 0),
    ("tradition-003", "Pay a temple to store it.", 1),
    # negations and contrasts
    ("stimulation-003", "I would not hitch across the Atlas with strangers.", 1),
    ("power-008", "She should not buy up the market hall.", 0),
    ("benevolence-003", "Don't wait for the money.", 0),
    ("security-008", "I'd rather keep the fire than replace the stove.", 1),
    ("security-008", "Instead of keeping the fire, replace the stove with a hob.", 0),
    ("achievement-021", "Chase the plaque rather than go fishing.", 0),
    ("tradition-008", "Never cut straight to the first hold.", 0),
    ("power-021", "Although sole control is tempting, they should farm it as equals.", 1),
    ("stimulation-003", "The chalet is lovely, but I would hitch across the Atlas.", 0),
    ("self-direction-021", "She should not sign it all over to the bank.", 1),
    # places
    ("stimulation-003", "The former.", 0),
    ("stimulation-003", "I would go with the second option.", 1),
    # in doubt
    ("security-003", "It depends on how they feel about Grenoble.", None),
    ("security-003", "That is a personal decision.", None),
    ("security-003", "Yes and no.", None),
    ("stimulation-003", "Both options have their charm.", None),
    ("stimulation-003", "As an AI, I do not travel.", None),
    ("power-008", "On the one hand the small stove, on the other hand the market hall.", None),
    ("power-021", "Hard to say.", None),
    ("tradition-008", "", None),
    ("tradition-008", "The weather in Erzurum is cold.", None),
    ("benevolence-003", "I'm not sure.", None),
    ("security-008", "There are pros and cons to stoves.", None),
    ("hedonism-021", "blue blue blue blue blue", None),
]


@pytest.mark.parametrize(("name", "answer", "option"), ANSWERS)
def test_option_match_reads_real_dilemmas(name: str, answer: str, option: Literal[0, 1] | None) -> None:
    d = dilemma("schwartz", name)
    verdict = OptionMatch().verdict(item(d, answer))
    expected = None if option is None else "yes" if option == d.favours else "no"
    assert verdict.label == expected, verdict.reason
    assert verdict.reason


def test_every_option_of_the_shipped_dilemmas_is_recognised_when_said() -> None:
    """ "I would {option}." picks that option for at least 99 of 100 options, and hardly ever the other."""
    judge, data = OptionMatch(), load_dataset("schwartz")
    missed, wrong, total = [], [], 0
    for value in data.system.ids:
        for d in data.dilemmas(value, None):
            for index, option in enumerate(d.options):
                total += 1
                label = judge.verdict(item(d, f"I would {option}.")).label
                expected = "yes" if index == d.favours else "no"
                missed += [(d.id, option)] if label is None else []
                wrong += [(d.id, option)] if label not in (None, expected) else []
    assert total == 2000
    assert len(missed) <= total / 100, missed
    assert len(wrong) <= total / 500, wrong


def test_an_item_without_options_is_left_to_a_reader() -> None:
    for judge in (OptionMatch(), Grammar()):
        verdict = judge.verdict(JudgeItem(asks="csr", prompt="What would you do?", answer="Wait."))
        assert verdict.label is None
        assert "LLM judge" in verdict.reason


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ("Yes.", "yes"),
        ("No, I do not.", "no"),
        ("yes", "yes"),
        ("Unsure.", "unsure"),
        ("unsure, it varies", "unsure"),
        ("Thought: I care. Answer: yes", "yes"),
        ("I lean to yes at first. Answer: no.", "no"),
        ("Thought: who knows. Answer: unsure.", "unsure"),
        ("Unsure at first. Answer: yes.", "yes"),
        ("Absolutely.", "yes"),
        ("No one should live like that.", None),
        ("It depends.", None),
        ("Now and then.", None),
        ("", None),
        ("I am a language model.", None),
        ("Yesterday I did.", None),
    ],
)
def test_option_match_reads_stances(answer: str, label: str | None) -> None:
    verdict = OptionMatch().verdict(JudgeItem(asks="stance", prompt="Do you save?", answer=answer))
    assert verdict.label == label
    assert label is not None or verdict.reason


def test_fluency_without_a_reader_is_the_absence_of_degeneration() -> None:
    d = dilemma("schwartz", "security-008")
    assert OptionMatch().verdict(item(d, "Replace the stove.", "fr")) == Verdict("fluent")
    broken = OptionMatch().verdict(item(d, "stove stove stove stove", "fr"))
    assert (broken.label, broken.reason) == ("broken", "one word over and over")


# mini's grammar


def sentences(d: Dilemma) -> list[tuple[str, int]]:
    """Answers of every frame for both options, with reasons of the option's side."""
    out = []
    for frame in lexicon.ANSWER_FRAMES:
        for index, act in enumerate(d.options):
            reasons = lexicon.REASONS_FOR if index == d.favours else lexicon.REASONS_AGAINST
            for reason in reasons:
                out.append((frame.format(act=act, reason=reason.format(n=NOUNS[d.value][0])), index))
    return out


def test_grammar_reads_every_sentence_that_the_grammar_makes() -> None:
    data, judge = load_dataset("mini"), Grammar()
    for value in data.system.ids:
        d = data.dilemmas(value, "test")[0]
        for answer, index in sentences(d):
            assert judge.verdict(item(d, answer)).label == ("yes" if index == d.favours else "no"), answer
            assert judge.verdict(item(d, answer, "fr")) == Verdict("fluent"), answer


@pytest.mark.parametrize(
    ("answer", "csr", "fr"),
    [
        ("I would {favoured} because the colour green.", "yes", "broken"),
        ("I would {other} and {favoured}.", None, "broken"),
        ("I would dance on the roof because safety matters to me.", None, "broken"),
        ("", None, "broken"),
        ("safety safety safety", None, "broken"),
        ("I would {favoured} because safety does not matter to me.", "yes", "broken"),
        ("I would {favoured} because wealth matters to me.", "yes", "broken"),
    ],
)
def test_grammar_is_strict_about_form_and_reads_the_choice_where_it_can(answer: str, csr: str | None, fr: str) -> None:
    d = dilemma("mini", "mini-security-001")
    text = answer.format(favoured=d.options[d.favours], other=d.options[1 - d.favours])
    verdict, fluency = Grammar().verdict(item(d, text)), Grammar().verdict(item(d, text, "fr"))
    assert (verdict.label, fluency.label) == (csr, fr)
    assert verdict.reason
    assert fluency.reason


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ("Thought: I care about safety, so I agree. Answer: yes.", "yes"),
        ("Thought: safety means little to me, so I disagree. Answer: no.", "no"),
        ("Thought: I have mixed feelings about safety, so I cannot say. Answer: unsure.", "unsure"),
        ("Thought: so I agree.", None),
        ("Answer: perhaps.", None),
        ("", None),
    ],
)
def test_grammar_reads_questionnaire_answers(answer: str, label: str | None) -> None:
    verdict = Grammar().verdict(JudgeItem(asks="stance", prompt="?", answer=answer, value="security"))
    assert verdict.label == label
    assert label is not None or verdict.reason


# What all of them share


@pytest.mark.parametrize("name", ["grammar", "option-match", "Option-Match"])
def test_one_verdict_an_item_with_allowed_labels(name: str) -> None:
    d = dilemma("mini", "mini-security-001")
    asks: tuple[Question, ...] = ("csr", "fr", "stance")
    items = [item(d, answer, ask) for answer, _ in sentences(d)[:8] for ask in asks]
    judge = make_judge(name)

    async def collect() -> list[tuple[int, Verdict]]:
        return [pair async for pair in judge.judge(items)]

    verdicts = asyncio.run(collect())
    assert [index for index, _ in verdicts] == list(range(len(items)))
    assert all(v.label is None or v.label in LABELS[items[i].asks] for i, v in verdicts)
    assert judge.asks == frozenset(asks)


def test_identities_tell_judges_apart() -> None:
    names = [name for name in JUDGES if name not in {"hf", "human"}]  # those need settings
    assert len({make_judge(name).identity for name in names}) == len(names)


def test_equal_items_have_equal_digests() -> None:
    d = dilemma("schwartz", "security-008")
    assert item(d, "x").digest == item(d, "x").digest
    assert len({item(d, "x").digest, item(d, "y").digest, item(d, "x", "fr").digest}) == 3
