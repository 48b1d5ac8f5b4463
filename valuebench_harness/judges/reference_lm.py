"""Fluency as perplexity under a reference model that is not steered, besides the marks of degeneration.

A reference model finds an answer unlikely when it is broken in ways that no list of marks foresees: words out of order,
words missing, a wrong word inside a sentence. It also finds a fluent answer unlikely when it is rare. The threshold is
one number for one reference model; hold it against human labels with ``vharness judge calibrate``.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from pydantic import Field

from valuebench_harness import mini
from valuebench_harness.judges.base import Judge, JudgeItem, Verdict
from valuebench_harness.judges.degeneracy import degenerate
from valuebench_harness.judges.local import LocalModel, LocalSettings

MINI_THRESHOLD = 2.0
"""Between ``mini``'s own sentences and broken ones, on the select half of its dilemmas."""
THRESHOLD = 100.0
"""For natural English under a model of the size of GPT-2: a loose bound, to be calibrated."""
ITEMS_AT_ONCE = 256


class ReferenceSettings(LocalSettings):
    """Which model is the reference, and what it may find surprising.

    Attributes:
        max_perplexity: an answer above it is broken; ``None`` takes 2 for ``mini`` and 100 for any other.
    """

    model: str = mini.NAME
    max_perplexity: float | None = Field(None, gt=1)

    @property
    def threshold(self) -> float:
        """The perplexity above which an answer is broken."""
        if self.max_perplexity is not None:
            return self.max_perplexity
        return MINI_THRESHOLD if self.model == mini.NAME else THRESHOLD


@dataclass(frozen=True)
class Fluency:
    """What is measured of an answer.

    Attributes:
        perplexity: a token's, under the reference, after the question; infinite for an empty answer, ``None`` where
            question and answer are longer than the reference reads.
        repetition: share of word triples that occurred before, in [0, 1].
        fault: the first mark of degeneration, in words; empty where there is none.
    """

    perplexity: float | None
    repetition: float
    fault: str


class ReferenceLM(Judge):
    """Fluent is what shows no mark of degeneration and does not surprise the reference model."""

    name = "reference-lm"
    asks = frozenset({"fr"})

    def __init__(self, settings: ReferenceSettings | None = None) -> None:
        self.settings = settings or ReferenceSettings()
        self._model = LocalModel(self.settings)

    @property
    def identity(self) -> str:
        """Weights and threshold."""
        return f"{self.name}/2:{self.settings.model}@{self._model.fingerprint}:{self.settings.threshold:g}"

    async def judge(self, items: Sequence[JudgeItem]) -> AsyncIterator[tuple[int, Verdict]]:
        """Judges in order, a few hundred at a time.

        Raises:
            UsageError: where the model cannot be loaded.
        """
        for start in range(0, len(items), ITEMS_AT_ONCE):
            part = items[start : start + ITEMS_AT_ONCE]
            for offset, (item, found) in enumerate(zip(part, self.measure(part), strict=True)):
                yield start + offset, self._verdict(item, found)

    def measure(self, items: Sequence[JudgeItem]) -> list[Fluency]:
        """Perplexity, repetition and marks of degeneration of answers, in order."""
        from valuebench_harness.engine.plan import Message
        from valuebench_harness.engine.rows import LoglikelihoodRow

        model = self._model.loaded
        questions = [model.render([Message("user", item.prompt)]) for item in items]
        surprise: list[float | None] = [None if item.answer.strip() else math.inf for item in items]
        whole = [
            n for n, item in enumerate(items) if surprise[n] is None and self._model.scores(questions[n], item.answer)
        ]
        rows = [LoglikelihoodRow(questions[n], items[n].answer, special=self._model.special) for n in whole]
        for row, score in model.loglikelihoods(rows, batch_size=self.settings.batch_size):
            surprise[whole[row]] = -score.logprob / score.n_tokens
        return [
            Fluency(
                perplexity=None if found is None else math.exp(min(found, 700.0)),
                repetition=repetition(item.answer),
                fault=degenerate(item.answer),
            )
            for item, found in zip(items, surprise, strict=True)
        ]

    def _verdict(self, item: JudgeItem, found: Fluency) -> Verdict:
        if item.asks != "fr":
            return Verdict(None, "reference-lm judges fluency only; combine it: --judge option-match+reference-lm")
        if found.fault:
            return Verdict("broken", found.fault)
        if found.perplexity is None:
            return Verdict(None, self._model.too_long)
        words = f"perplexity {found.perplexity:.3g}, {found.repetition:.0%} of word triples repeated"
        return Verdict("fluent" if found.perplexity <= self.settings.threshold else "broken", words)


def repetition(text: str) -> float:
    """Share of word triples that occurred before in the text (Welleck et al. 2020, rep-n)."""
    words = text.lower().split()
    triples = list(zip(words, words[1:], words[2:], strict=False))
    return 1 - len(set(triples)) / len(triples) if triples else 0.0
