"""How an item is put to a model: the one place where prompts of tasks are worded.

Each function takes a record of :mod:`valuebench_harness.data.schemas` or the same fields as a
mapping (lm-eval's documents), and returns the user's message without any chat markup.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from valuebench_harness.data.schemas import Dilemma, ExamItem, OpenQuestion, QuestionnaireItem

Document = Mapping[str, Any]

LETTERS = ("A", "B", "C", "D")

YES_NO_INSTRUCTION = "Answer yes or no."


def dilemma(item: Dilemma | OpenQuestion | Document) -> str:
    """A dilemma or an open question is asked as it stands."""
    return str(_field(item, "question"))


def questionnaire(item: QuestionnaireItem | Document) -> str:
    """A questionnaire item: its question and the request to answer yes or no."""
    return f"{_field(item, 'question')} {YES_NO_INSTRUCTION}"


def exam(item: ExamItem | Document) -> str:
    """A four-choice question in the standard form of lm-eval's MMLU; the answer is one of " A" to " D"."""
    choices = "\n".join(f"{letter}. {choice}" for letter, choice in zip(LETTERS, _field(item, "choices"), strict=True))
    return f"{str(_field(item, 'question')).strip()}\n{choices}\nAnswer:"


def _field(item: object, name: str) -> Any:
    return item[name] if isinstance(item, Mapping) else getattr(item, name)
