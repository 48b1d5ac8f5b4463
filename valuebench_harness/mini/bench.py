"""Asks ``mini`` what the measurements need: dilemmas, questionnaires, the exam, choice probabilities."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from valuebench_harness.data.grammar import facts
from valuebench_harness.data.grammar.parse import Choice, Stance, parse_choice, parse_questionnaire
from valuebench_harness.data.schemas import Dilemma, ExamItem, QuestionnaireItem
from valuebench_harness.engine.model import SteeredModel
from valuebench_harness.engine.plan import EMPTY, Message, SteerPlan
from valuebench_harness.engine.rows import GenerationRow, LoglikelihoodRow

PlanOf = Callable[[str], SteerPlan]
"""Rendered prompt -> plan: a gate may leave a prompt alone."""

MAX_NEW_TOKENS = 32


def always(plan: SteerPlan) -> PlanOf:
    """The same plan for every prompt."""
    return lambda _prompt: plan


UNSTEERED: PlanOf = always(EMPTY)


@dataclass(frozen=True)
class Answered:
    """Parsed answers to dilemmas, in order."""

    dilemmas: tuple[Dilemma, ...]
    choices: tuple[Choice, ...]

    @property
    def valid(self) -> list[bool]:
        """Whether each answer is a sentence of the grammar."""
        return [choice.valid for choice in self.choices]

    @property
    def favours(self) -> list[bool]:
        """Of the valid answers: whether they take the act for the value."""
        return [
            choice.option == item.favours
            for item, choice in zip(self.dilemmas, self.choices, strict=True)
            if choice.valid
        ]

    def of(self, value: str) -> Answered:
        """The answers to the dilemmas of one value."""
        kept = [(i, c) for i, c in zip(self.dilemmas, self.choices, strict=True) if i.value == value]
        return Answered(tuple(i for i, _ in kept), tuple(c for _, c in kept))


class Bench:
    """A loaded model and how it is asked.

    Attributes:
        model: the model.
        seed: of every sample; each row adds its index.
    """

    def __init__(self, model: SteeredModel, seed: int = 0) -> None:
        self.model = model
        self.seed = seed

    def prompt(self, user: str, system: str = "") -> str:
        """A rendered conversation of one turn."""
        messages = [Message("system", system)] if system else []
        return self.model.render([*messages, Message("user", user)])

    def _generate(self, prompts: Sequence[str], plan_of: PlanOf, temperature: float) -> list[str]:
        rows = [
            GenerationRow(
                prompt,
                plan_of(prompt),
                max_new_tokens=MAX_NEW_TOKENS,
                temperature=temperature,
                seed=self.seed + index,
                special=False,
            )
            for index, prompt in enumerate(prompts)
        ]
        texts = dict(self.model.generate(rows))
        return [texts[i].text if texts[i].finish == "eos" else f"{texts[i].text} ..." for i in range(len(rows))]

    def ask(
        self,
        dilemmas: Sequence[Dilemma],
        plan_of: PlanOf = UNSTEERED,
        *,
        systems: Sequence[str] | None = None,
        leads: Sequence[str] | None = None,
        temperature: float = 1.0,
    ) -> Answered:
        """Generates and parses answers to dilemmas.

        Args:
            dilemmas: what to ask.
            plan_of: how each rendered prompt is steered.
            systems: a system prompt for each dilemma.
            leads: a text for each dilemma that stands before its question.
            temperature: of sampling; 0 is greedy. An answer that does not end is not valid.
        """
        n = len(dilemmas)
        prompts = [
            self.prompt(f"{lead} {item.question}".strip(), system)
            for item, system, lead in zip(dilemmas, systems or [""] * n, leads or [""] * n, strict=True)
        ]
        texts = self._generate(prompts, plan_of, temperature)
        return Answered(tuple(dilemmas), tuple(map(parse_choice, texts, dilemmas)))

    def survey(self, items: Sequence[QuestionnaireItem], systems: Sequence[str]) -> list[Stance]:
        """Samples and parses answers to questionnaire items, each under its system prompt."""
        prompts = [self.prompt(item.question, system) for item, system in zip(items, systems, strict=True)]
        return [parse_questionnaire(text) for text in self._generate(prompts, UNSTEERED, 1.0)]

    def choice_probabilities(self, dilemmas: Sequence[Dilemma], plan_of: PlanOf) -> npt.NDArray[np.float64]:
        """Exact probability of the act for the value, given that one of the two is taken [n].

        Read after "I would": no sampling noise, so differences of a few points can be seen.
        """
        rows = []
        for item in dilemmas:
            prompt = self.prompt(item.question)
            for option in (item.options[item.favours], item.options[1 - item.favours]):
                rows.append(LoglikelihoodRow(f"{prompt}I would", f" {option}", plan_of(prompt), special=False))
        scores = dict(self.model.loglikelihoods(rows))
        logs = np.array([scores[i].token_logprobs[0] for i in range(len(rows))]).reshape(-1, 2)
        probabilities: npt.NDArray[np.float64] = 1 / (1 + np.exp(logs[:, 1] - logs[:, 0]))
        return probabilities

    def exam(
        self,
        items: Sequence[ExamItem],
        plan_of: PlanOf = UNSTEERED,
        *,
        chat: bool = True,
        systems: Sequence[str] | None = None,
    ) -> list[bool]:
        """Whether the letter of the right choice is the likeliest, for each item.

        Args:
            items: the questions.
            plan_of: how each prompt is steered.
            chat: as a user's message; otherwise as lm-eval's MMLU task writes it without a chat template.
            systems: a system prompt for each item, in a chat.
        """
        prompts = [
            self.exam_prompt(item, chat, system)
            for item, system in zip(items, systems or [""] * len(items), strict=True)
        ]
        rows = list(self._exam_rows(prompts, plan_of, chat))
        scores = dict(self.model.loglikelihoods(rows))
        logs = np.array([scores[i].logprob for i in range(len(rows))]).reshape(-1, 4)
        return [bool(best == item.answer) for best, item in zip(logs.argmax(axis=1), items, strict=True)]

    def exam_prompt(self, item: ExamItem, chat: bool = True, system: str = "") -> str:
        """The rendered exam question."""
        question = facts.exam_prompt(item.question, item.choices)
        return self.prompt(question, system) if chat else facts.exam_header(item.subject) + question

    def _exam_rows(self, prompts: Sequence[str], plan_of: PlanOf, chat: bool) -> Iterator[LoglikelihoodRow]:
        for prompt in prompts:
            plan = plan_of(prompt)
            for letter in facts.LETTERS:
                yield LoglikelihoodRow(prompt, letter if chat else f" {letter}", plan, special=not chat)
