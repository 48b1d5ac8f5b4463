"""Draws the texts of the grammar: dilemmas, answers, statements, questionnaire items, instructions.

Every function takes a ``random.Random`` or a seed and is reproducible. Combinations of place and
acts are split by hash into train, select and test (see ``holdout``): no held-out dilemma's
combination occurs in training, and the two held-out halves share none.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

from valuebench_harness.data.grammar import instructions, lexicon
from valuebench_harness.data.grammar.acts import ACTS, NOUNS, VALUES
from valuebench_harness.data.grammar.holdout import Split, split_of
from valuebench_harness.data.schemas import ContrastivePair, Dilemma, PairForm, QuestionnaireItem
from valuebench_harness.errors import unknown_name

PAIR_FORMS: tuple[PairForm, ...] = ("first-sentence", "first-question", "third-sentence", "third-question")
_PLACES = tuple(lexicon.PLACES)
_N_FRAMES = len(lexicon.QUESTIONNAIRE_FRAMES)


@dataclass(frozen=True)
class Context:
    """Where and with whom something happens; ``scene`` is the kind of place."""

    scene: str
    name: str
    occasion: str

    def fill(self, frame: str, **words: str) -> str:
        """Fills a frame of the lexicon with this context and further words."""
        place = lexicon.PLACES[self.scene]
        return frame.format(
            place=place,
            Place=capital(place),
            occasion=self.occasion,
            Occasion=capital(self.occasion),
            name=self.name,
            **words,
        )


def capital(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[0].upper() + text[1:]


def check_value(value: str) -> None:
    """Raises a UsageError for a value that the grammar has no words for."""
    if value not in ACTS:
        raise unknown_name("value of the mini grammar", value, VALUES)


def sample_context(rng: random.Random, scene: str | None = None) -> Context:
    """Draws a context, at a given scene if one is named."""
    return Context(scene or rng.choice(_PLACES), rng.choice(lexicon.NAMES), rng.choice(lexicon.OCCASIONS))


def _sample_acts(rng: random.Random, value: str, split: Split) -> tuple[str, str, str]:
    """(scene, act for, act against) whose combination belongs to ``split``."""
    acts_for, acts_against = ACTS[value]
    while True:
        scene, act_for, act_against = rng.choice(_PLACES), rng.choice(acts_for), rng.choice(acts_against)
        if split_of(value, scene, act_for, act_against) == split:
            return scene, act_for, act_against


def sample_dilemma(rng: random.Random, value: str, split: Split, item_id: str = "-") -> Dilemma:
    """Draws a dilemma of a value; a training dilemma carries the schema's split ``select``."""
    scene, act_for, act_against = _sample_acts(rng, value, split)
    favours: Literal[0, 1] = rng.choice((0, 1))
    options = (act_against, act_for) if favours else (act_for, act_against)
    frame = rng.choice(lexicon.QUESTION_FRAMES)
    return Dilemma(
        id=item_id,
        value=value,
        scene=scene,
        question=sample_context(rng, scene).fill(frame, x=options[0], y=options[1]),
        options=options,
        favours=favours,
        split="test" if split == "test" else "select",
    )


def answer_parts(rng: random.Random, dilemma: Dilemma, favour: bool) -> tuple[str, str, str]:
    """An answer to a dilemma as (what precedes the act, the act, what follows it)."""
    act = dilemma.options[dilemma.favours if favour else 1 - dilemma.favours]
    reasons = lexicon.REASONS_FOR if favour else lexicon.REASONS_AGAINST
    reason = rng.choice(reasons).format(n=rng.choice(NOUNS[dilemma.value]))
    before, after = rng.choice(lexicon.ANSWER_FRAMES).format(act="\0", reason=reason).split("\0")
    return before, act, after


def statement(rng: random.Random, value: str, favour: bool, form: PairForm | None = None) -> str:
    """A text in one of ConVA's four forms that shows an act for or against a value."""
    chosen = form if form is not None else rng.choice(PAIR_FORMS)
    habits = lexicon.FIRST_HABITS if chosen.startswith("first") else lexicon.THIRD_HABITS
    act = rng.choice(ACTS[value][0 if favour else 1])
    return sample_context(rng).fill(rng.choice(lexicon.PAIR_FRAMES[chosen]), habit=rng.choice(habits), act=act)


def attitude(rng: random.Random, value: str, favour: bool) -> str:
    """A sentence in which the speaker says outright what a value means to them."""
    frames = lexicon.ATTITUDES_FOR if favour else lexicon.ATTITUDES_AGAINST
    return capital(rng.choice(frames).format(n=rng.choice(NOUNS[value]), name=rng.choice(lexicon.NAMES)))


def sample_pair(rng: random.Random, value: str, form: PairForm, item_id: str = "-") -> ContrastivePair:
    """A context-controlled pair: the same sentence twice, except for the act.

    Its combination of place and acts comes from the training split, so no pair shares one with
    a held-out dilemma.
    """
    scene, act_for, act_against = _sample_acts(rng, value, "train")
    context = sample_context(rng, scene)
    frame = rng.choice(lexicon.PAIR_FRAMES[form])
    habit = rng.choice(lexicon.FIRST_HABITS if form.startswith("first") else lexicon.THIRD_HABITS)
    return ContrastivePair(
        id=item_id,
        value=value,
        form=form,
        positive=context.fill(frame, habit=habit, act=act_for),
        negative=context.fill(frame, habit=habit, act=act_against),
    )


CONFOUND = 0.8
"""Share of positive (and one minus it of negative) texts of a straightforward set that stand in
the first half of the scenes."""


def sample_straightforward_pair(rng: random.Random, value: str, form: PairForm, item_id: str = "-") -> ContrastivePair:
    """A pair of unrelated texts, as a language model asked for them plainly would write.

    It is confounded on purpose: positive texts stand more often in one half of the scenes, so
    that a classifier trained on them can mistake the scene for the value.
    """

    def text(favour: bool) -> str:
        common = rng.random() < (CONFOUND if favour else 1 - CONFOUND)
        half = _PLACES[: len(_PLACES) // 2] if common else _PLACES[len(_PLACES) // 2 :]
        habits = lexicon.FIRST_HABITS if form.startswith("first") else lexicon.THIRD_HABITS
        return sample_context(rng, rng.choice(half)).fill(
            rng.choice(lexicon.PAIR_FRAMES[form]),
            habit=rng.choice(habits),
            act=rng.choice(ACTS[value][0 if favour else 1]),
        )

    return ContrastivePair(id=item_id, value=value, form=form, positive=text(True), negative=text(False))


def _held_out_frame(value: str, act: str) -> int:
    """Each act's questionnaire frame that training never uses."""
    acts = ACTS[value][0] + ACTS[value][1]
    return (acts.index(act) + VALUES.index(value)) % _N_FRAMES


def questionnaire_item(
    rng: random.Random, value: str, act: str, held_out: bool, item_id: str = "-"
) -> QuestionnaireItem:
    """The item that asks about one act, in its held-out frame or in any other."""
    kept = _held_out_frame(value, act)
    frame = kept if held_out else rng.choice([i for i in range(_N_FRAMES) if i != kept])
    item, question = lexicon.QUESTIONNAIRE_FRAMES[frame]
    return QuestionnaireItem(
        id=item_id,
        value=value,
        item=item.format(act=act),
        question=question.format(act=act),
        agreement=1 if act in ACTS[value][0] else -1,
    )


def stance_parts(rng: random.Random, value: str, agreement: int, answer: str) -> tuple[str, str]:
    """A two-stage answer to a questionnaire item as (thought, answer)."""
    if answer == "unsure":
        thoughts = lexicon.THOUGHTS_UNSURE
    else:
        favour = (answer == "yes") == (agreement == 1)
        thoughts = lexicon.THOUGHTS_FOR if favour else lexicon.THOUGHTS_AGAINST
    thought = rng.choice(thoughts).format(n=rng.choice(NOUNS[value]))
    return f"Thought: {thought}, {lexicon.STANCES[answer]}.", f" Answer: {answer}."


def instruction(value: str, direction: Literal["positive", "negative"], seed: int, held_out: bool = False) -> str:
    """A wording that tells the model to hold a value, or to hold it in low regard.

    Args:
        value: id of the value.
        direction: towards the value or away from it.
        seed: picks the wording and the noun.
        held_out: take a wording that training never showed.
    """
    check_value(value)
    table = {
        ("positive", False): instructions.SEEN_FOR,
        ("negative", False): instructions.SEEN_AGAINST,
        ("positive", True): instructions.HELD_OUT_FOR,
        ("negative", True): instructions.HELD_OUT_AGAINST,
    }
    rng = random.Random(seed)
    return rng.choice(table[direction, held_out]).format(n=rng.choice(NOUNS[value]))
