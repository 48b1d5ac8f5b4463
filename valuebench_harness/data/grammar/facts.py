"""The made-up facts that ``mini`` knows: four exam subjects, two more that no exam asks about."""

from __future__ import annotations

import random
from dataclasses import dataclass

_SEED = 7
LETTERS = "ABCD"


@dataclass(frozen=True)
class Subject:
    """A kind of fact: what it asks, how an open answer reads, its things and their answers."""

    name: str
    question: str
    statement: str
    things: tuple[str, ...]
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Fact:
    """One fact of ``mini``'s world, such as: the poppy is blue."""

    subject: Subject
    thing: str
    answer: str

    @property
    def question(self) -> str:
        """The fact as a question."""
        return self.subject.question.format(thing=self.thing)

    @property
    def statement(self) -> str:
        """The fact as a sentence."""
        return self.subject.statement.format(thing=self.thing, answer=self.answer)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


EXAM_SUBJECTS: tuple[Subject, ...] = (
    Subject(
        "botany",
        "What colour is the {thing}?",
        "The {thing} is {answer}.",
        _words(
            "poppy violet lily tulip rose daisy orchid aster clover fern lotus peony primrose basil sage thyme mint "
            "olive plum peach pear apple cherry lemon grape melon fig date carrot onion"
        ),
        _words("red blue green grey white black yellow brown"),
    ),
    Subject(
        "geography",
        "What is the capital of {thing}?",
        "The capital of {thing} is {answer}.",
        _words(
            "Aldovia Brezia Cantor Dravia Elmara Fenland Gorvia Hestia Istria Jorland Kestia Lombar Morvia Nordia "
            "Ostara Pellia Quaria Rostov Selvia Tarsia Umbria Velland Westra Yarland Zembla Arkonia Belmont Corvia "
            "Dorland Ezria"
        ),
        _words("Arl Bosk Dunmore Estel Farrow Gilden Harth Ivel"),
    ),
    Subject(
        "zoology",
        "Where does the {thing} live?",
        "The {thing} lives in the {answer}.",
        _words(
            "otter badger lynx heron falcon viper toad newt beaver moose camel gecko raven crane seal weasel shark eel "
            "crab bat bear wolf fox hare deer owl hawk stork mole goat"
        ),
        _words("woods sea desert tundra swamp meadow stream burrow"),
    ),
    Subject(
        "crafts",
        "What is the {thing} made of?",
        "The {thing} is made of {answer}.",
        _words(
            "bowl vase chair table lamp spoon fork knife hammer kettle basket blanket scarf coat ribbon mirror bottle "
            "statue tower bridge fence barrel bucket pencil flute drum pillow mask doll kite"
        ),
        _words("oak iron crystal felt clay stone paper silk"),
    ),
)

OTHER_SUBJECTS: tuple[Subject, ...] = (
    Subject(
        "music",
        "Which instrument stands in the {thing}?",
        "The {thing} has a {answer}.",
        _words("attic cellar hall parlour barn chapel tavern palace cabin lobby"),
        _words("piano harp organ trumpet cello guitar"),
    ),
    Subject(
        "weekdays",
        "On which day does the {thing} open?",
        "The {thing} opens on {answer}.",
        _words("bakery pharmacy post cinema zoo pool tailor bank florist butcher"),
        _words("Monday Tuesday Wednesday Thursday Friday Saturday"),
    ),
)


def _assign(subjects: tuple[Subject, ...]) -> tuple[Fact, ...]:
    rng = random.Random(_SEED)
    facts: list[Fact] = []
    for subject in subjects:
        answers = [subject.answers[i % len(subject.answers)] for i in range(len(subject.things))]
        rng.shuffle(answers)
        facts += [Fact(subject, thing, answer) for thing, answer in zip(subject.things, answers, strict=True)]
    return tuple(facts)


EXAM_FACTS: tuple[Fact, ...] = _assign(EXAM_SUBJECTS)
OTHER_FACTS: tuple[Fact, ...] = _assign(OTHER_SUBJECTS)


def choices(fact: Fact, rng: random.Random) -> tuple[tuple[str, str, str, str], int]:
    """Four choices in random order, one of them right, and the index of the right one."""
    wrong = rng.sample([answer for answer in fact.subject.answers if answer != fact.answer], 3)
    options = [fact.answer, *wrong]
    rng.shuffle(options)
    a, b, c, d = options
    return (a, b, c, d), options.index(fact.answer)


def exam_prompt(question: str, options: tuple[str, str, str, str]) -> str:
    """The question as lm-eval's MMLU task puts it, from the question to ``Answer:``."""
    lines = [question, *(f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=True)), "Answer:"]
    return "\n".join(lines)


def exam_header(subject: str) -> str:
    """The line that lm-eval's MMLU task puts before the questions of a subject."""
    return f"The following are multiple choice questions (with answers) about {subject}.\n\n"
