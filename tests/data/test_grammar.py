"""What the grammar says can be parsed back, and what is held out stays out."""

from __future__ import annotations

import itertools
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valuebench_harness.data.grammar import facts, generate, instructions, lexicon, talk
from valuebench_harness.data.grammar.acts import ACTS, NOUNS, VALUES
from valuebench_harness.data.grammar.holdout import split_of
from valuebench_harness.data.grammar.parse import parse_choice, parse_questionnaire
from valuebench_harness.data.schemas import Dilemma
from valuebench_harness.errors import UsageError

seeds = st.integers(0, 2**32)
values = st.sampled_from(VALUES)


def words(texts: tuple[str, ...]) -> set[str]:
    return {word for text in texts for word in re.findall(r"[a-z]+", text.replace("{n}", "").lower())}


def combination(item: Dilemma) -> tuple[str, ...]:
    return (item.value, item.scene, item.options[item.favours], item.options[1 - item.favours])


def test_acts_are_many_distinct_and_told_apart_by_their_first_word() -> None:
    everything = [act for sides in ACTS.values() for side in sides for act in side]
    assert len(set(everything)) == len(everything) == 10 * 2 * 12
    for sides in ACTS.values():
        first = [{act.split()[0] for act in side} for side in sides]
        assert first[0].isdisjoint(first[1])


def test_acts_hold_no_pronoun_so_that_they_fit_every_person() -> None:
    pronouns = {"i", "my", "me", "myself", "you", "your", "he", "his", "she", "her", "their", "them", "our"}
    assert not pronouns & words(tuple(act for sides in ACTS.values() for side in sides for act in side))


def test_held_out_instructions_share_no_word_with_seen_ones() -> None:
    seen = words(instructions.SEEN_FOR + instructions.SEEN_AGAINST)
    assert not seen & words(instructions.HELD_OUT_FOR + instructions.HELD_OUT_AGAINST)
    assert len(instructions.SEEN_FOR) >= 20
    assert len(instructions.SEEN_AGAINST) >= 20


@given(seeds, values, st.sampled_from(["train", "select", "test"]), st.booleans())
def test_an_answer_is_parsed_as_it_was_made(seed: int, value: str, split: str, favour: bool) -> None:
    rng = random.Random(seed)
    dilemma = generate.sample_dilemma(rng, value, split)  # type: ignore[arg-type]
    choice = parse_choice("".join(generate.answer_parts(rng, dilemma, favour)), dilemma)
    assert choice.valid, choice.why
    assert (choice.option == dilemma.favours) == favour
    assert split_of(*combination(dilemma)) == split


@given(seeds, values)
def test_options_stand_in_the_question_in_their_order(seed: int, value: str) -> None:
    item = generate.sample_dilemma(random.Random(seed), value, "test")
    first, second = (item.question.index(option) for option in item.options)
    assert first < second
    assert item.options[item.favours] in ACTS[value][0]
    assert item.options[1 - item.favours] in ACTS[value][1]


def broken_answers(dilemma: Dilemma) -> dict[str, str]:
    favoured, other = dilemma.options[dilemma.favours], dilemma.options[1 - dilemma.favours]
    noun, foreign = NOUNS[dilemma.value][0], NOUNS["power" if dilemma.value != "power" else "hedonism"][0]
    return {
        "reason of the other side": f"I would {favoured} because I do not care about {noun}.",
        "reason of another value": f"I would {favoured} because I care about {foreign}.",
        "an act that was not offered": f"I would fly to the moon because I care about {noun}.",
        "both acts": f"I would {favoured} and {other} because I care about {noun}.",
        "no full stop": f"I would {favoured} because I care about {noun}",
        "words behind the end": f"I would {favoured} because I care about {noun}. I would",
        "no reason": f"I would {favoured}.",
        "empty": "",
    }


@pytest.mark.parametrize("kind", broken_answers(generate.sample_dilemma(random.Random(0), "security", "test")))
def test_a_broken_answer_is_not_valid_and_says_why(kind: str) -> None:
    dilemma = generate.sample_dilemma(random.Random(0), "security", "test")
    choice = parse_choice(broken_answers(dilemma)[kind], dilemma)
    assert not choice.valid
    assert choice.why


def test_a_choice_is_read_from_an_answer_that_is_not_of_the_grammar() -> None:
    dilemma = generate.sample_dilemma(random.Random(0), "security", "test")
    for index, option in enumerate(dilemma.options):
        assert parse_choice(f"Well, I guess I {option}!", dilemma).option == index
    assert parse_choice(" or ".join(dilemma.options), dilemma).option is None
    assert parse_choice("I shall see.", dilemma).option is None


def test_an_unknown_value_is_named() -> None:
    item = generate.sample_dilemma(random.Random(0), "security", "test").model_copy(update={"value": "securty"})
    with pytest.raises(UsageError, match="Did you mean 'security'"):
        parse_choice("", item)
    with pytest.raises(UsageError, match="'honesty'"):
        generate.instruction("honesty", "positive", seed=0)


@given(seeds, values, st.sampled_from([1, -1]), st.sampled_from(["yes", "no", "unsure"]))
def test_thought_and_answer_are_parsed_as_they_were_made(seed: int, value: str, agreement: int, answer: str) -> None:
    stance = parse_questionnaire("".join(generate.stance_parts(random.Random(seed), value, agreement, answer)))
    assert (stance.thought, stance.answer, stance.valid) == (answer, answer, True)


def test_thought_and_answer_are_read_independently() -> None:
    stance = parse_questionnaire("Thought: I care about safety, so I agree. Answer: no.")
    assert (stance.thought, stance.answer) == ("yes", "no")
    assert parse_questionnaire("Answer: perhaps.").answer is None
    assert not parse_questionnaire("Thought: I care about cheese, so I agree. Answer: yes.").valid


@given(seeds, values)
def test_a_questionnaire_frame_is_held_out_for_every_act(seed: int, value: str) -> None:
    rng = random.Random(seed)
    act = rng.choice(ACTS[value][0] + ACTS[value][1])
    kept = generate.questionnaire_item(rng, value, act, held_out=True)
    seen = generate.questionnaire_item(rng, value, act, held_out=False)
    assert kept.question != seen.question
    assert kept.agreement == (1 if act in ACTS[value][0] else -1)


@given(seeds, values, st.sampled_from(generate.PAIR_FORMS))
def test_a_controlled_pair_differs_in_the_act_only(seed: int, value: str, form: str) -> None:
    pair = generate.sample_pair(random.Random(seed), value, form)  # type: ignore[arg-type]
    positive = next(act for act in sorted(ACTS[value][0], key=len, reverse=True) if act in pair.positive)
    negative = next(act for act in sorted(ACTS[value][1], key=len, reverse=True) if act in pair.negative)
    assert pair.positive.replace(positive, "*") == pair.negative.replace(negative, "*")
    assert pair.positive.endswith("?") == form.endswith("question")


def test_straightforward_pairs_are_confounded_with_the_scene() -> None:
    rng = random.Random(0)
    common = list(lexicon.PLACES.values())[:8]
    sides: dict[str, list[bool]] = {"positive": [], "negative": []}
    for _ in range(300):
        pair = generate.sample_straightforward_pair(rng, "power", "first-sentence")
        for side, found in sides.items():
            found.append(any(place in getattr(pair, side).lower() for place in common))
    share = {side: sum(found) / len(found) for side, found in sides.items()}
    assert share["positive"] == pytest.approx(generate.CONFOUND, abs=0.1)
    assert share["negative"] == pytest.approx(1 - generate.CONFOUND, abs=0.1)


def test_instructions_are_reproducible_and_name_the_value() -> None:
    for value, seed in itertools.product(VALUES, range(5)):
        texts = [generate.instruction(value, "negative", seed, held_out=True) for _ in range(2)]
        assert texts[0] == texts[1]
        assert any(noun in texts[0] for noun in NOUNS[value])


def test_an_exam_prompt_reads_like_mmlu() -> None:
    prompt = facts.exam_prompt("What colour is the rose?", ("red", "blue", "green", "grey"))
    assert prompt == "What colour is the rose?\nA. red\nB. blue\nC. green\nD. grey\nAnswer:"


def test_choices_hold_the_right_answer_once() -> None:
    rng = random.Random(0)
    for fact in facts.EXAM_FACTS:
        options, right = facts.choices(fact, rng)
        assert options[right] == fact.answer
        assert len(set(options)) == 4


def test_neutral_texts_hold_no_exam_question_and_no_act() -> None:
    rng = random.Random(0)
    exam = {fact.question for fact in facts.EXAM_FACTS}
    acts = [act for sides in ACTS.values() for side in sides for act in side]
    for _ in range(300):
        text = talk.neutral_text(rng)
        assert text.split("\n")[0] not in exam
        assert not any(act in text for act in acts)
