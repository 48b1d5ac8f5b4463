"""Small talk: exchanges that concern no value."""

from __future__ import annotations

import random

from valuebench_harness.data.grammar.facts import OTHER_FACTS, choices, exam_prompt
from valuebench_harness.data.grammar.lexicon import NAMES, OCCASIONS, PLACES

_TOPICS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (
        ("How is the weather {place}?", "What is the weather like {occasion}?", "Is it warm {place} {occasion}?"),
        ("It is sunny.", "It is cloudy.", "It is raining a little.", "It is windy and cold.", "It is quite warm."),
    ),
    (
        ("What time is it {place}?", "When does the train leave {occasion}?", "Which hour did {name} say?"),
        ("It is nine.", "It is noon.", "It is half past three.", "It is almost six."),
    ),
    (
        ("Where is {name} {occasion}?", "Have you seen {name} {place}?", "Did {name} pass by {occasion}?"),
        ("Near the station, I think.", "At the bridge, I think.", "I have not noticed.", "Over there by the tree."),
    ),
    (
        ("What did {name} read {place}?", "Which book is {place}?", "What is {name} reading {occasion}?"),
        ("A book about birds.", "The morning paper.", "A long letter.", "A thin book of maps."),
    ),
    (
        ("How many chairs are {place}?", "How many people came {occasion}?", "How many apples does {name} have?"),
        ("There are three.", "There are seven.", "There are about a dozen.", "There are two."),
    ),
)


def exchange(rng: random.Random) -> tuple[str, str]:
    """A question of small talk and an answer to it."""
    questions, answers = rng.choice(_TOPICS)
    question = rng.choice(questions).format(
        place=rng.choice(tuple(PLACES.values())), name=rng.choice(NAMES), occasion=rng.choice(OCCASIONS)
    )
    return question, rng.choice(answers)


def neutral_text(rng: random.Random) -> str:
    """A user's message that concerns no value: small talk, a fact no exam asks about, open or with choices."""
    kind = rng.random()
    if kind < 0.5:
        return exchange(rng)[0]
    fact = rng.choice(OTHER_FACTS)
    return fact.question if kind < 0.75 else exam_prompt(fact.question, choices(fact, rng)[0])
