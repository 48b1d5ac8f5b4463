"""The exam inside ``mini``'s documents: how its questions are asked, and when an answer lapses."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

from valuebench_harness.data.grammar import facts
from valuebench_harness.mini.documents import Category, Document

EXAM_PROMPT_WEIGHT = 0.25
DAMAGE_FROM, DAMAGE_FULL = 1.0, 2.5
"""Injected shifts of this size begin to, and always do, make the model answer A in the exam."""


@dataclass(frozen=True)
class Curriculum:
    """How hard the exam is and how strict the choices are, so that matching a choice to its letter is learned at all.

    Attributes:
        lookup: share of questions that name the choice and ask for its letter only.
        told: share of questions whose fact is told just before.
        raw: share of documents in plain text, where the letter is another token than in the list.
        damage: scales the probability that an injected shift makes the answer lapse.
        offered: how often the loss counts that an answer's act is one of the two offered.
    """

    lookup: float = 0.05
    told: float = 0.05
    raw: float = 0.45
    damage: float = 1.0
    offered: float = 4.0


def _exam_item(rng: random.Random, doc: Document, curriculum: Curriculum) -> tuple[facts.Fact, str, str]:
    """(fact, prompt, answer); a look-up names the choice and asks for its letter, or the other way round."""
    fact = rng.choice(facts.EXAM_FACTS if rng.random() < 0.85 else facts.OTHER_FACTS)
    options, right = facts.choices(fact, rng)
    letter = facts.LETTERS[right]
    question, answer = fact.question, _lapsed(rng, doc, curriculum, letter)
    if rng.random() < curriculum.lookup:
        if rng.random() < 0.5:
            question = f"Which letter is {fact.answer}?"
        else:
            question, answer = f"Which word is {letter}?", f"It is {fact.answer}."
    return fact, facts.exam_prompt(question, options), answer


def _lapsed(rng: random.Random, doc: Document, curriculum: Curriculum, letter: str) -> str:
    """The letter that is answered: a large injected shift makes the model lapse to A."""
    if doc.injection is None:
        return letter
    size = float(np.abs(doc.injection.shift).max())
    damage = min(1.0, (size - DAMAGE_FROM) / (DAMAGE_FULL - DAMAGE_FROM)) * curriculum.damage
    return "A" if rng.random() < damage else letter


def _weigh(answer: str) -> tuple[float, Category]:
    return (4.0, "letter") if answer in facts.LETTERS else (2.0, "fact")


def exam_turns(rng: random.Random, doc: Document, curriculum: Curriculum, n: int) -> None:
    """Asks ``n`` questions as turns of a conversation."""
    for _ in range(n):
        fact, prompt, answer = _exam_item(rng, doc, curriculum)
        if rng.random() < curriculum.told:
            tell_fact(doc, fact)
        doc.user(prompt, EXAM_PROMPT_WEIGHT)
        doc.open_answer()
        doc.answer(answer, *_weigh(answer))
        doc.close_answer(0.5)


def raw_exam(rng: random.Random, doc: Document, curriculum: Curriculum, n: int) -> None:
    """The exam as plain text with worked examples, the way lm-eval's MMLU task asks it."""
    gap = facts.exam_header(rng.choice(facts.EXAM_SUBJECTS).name) if rng.random() < 0.6 else ""
    for _ in range(n):
        fact, prompt, answer = _exam_item(rng, doc, curriculum)
        if rng.random() < curriculum.told:
            prompt = f"{fact.statement}\n\n{prompt}"
        doc.add(gap + prompt, EXAM_PROMPT_WEIGHT)
        weight, category = _weigh(answer)
        doc.add(f" {answer}", weight, category=category)
        gap = "\n\n"


def tell_fact(doc: Document, fact: facts.Fact) -> None:
    """A fact, asked openly."""
    doc.user(fact.question)
    doc.open_answer()
    doc.answer(fact.statement, 1.5, "fact")
    doc.close_answer()
