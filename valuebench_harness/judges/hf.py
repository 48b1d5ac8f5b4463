"""A local causal language model as judge: by the likelihood of the labels, or by what it writes."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from valuebench_harness.judges.base import LABELS, JudgeItem, Verdict
from valuebench_harness.judges.language_model import LanguageModelJudge
from valuebench_harness.judges.local import LocalModel, LocalSettings
from valuebench_harness.judges.rubrics import parse_label

OPENING = "Label:"
"""What the model's reply is made to begin with, so that the labels are its likeliest continuations."""
MAX_NEW_TOKENS = 16
ITEMS_AT_ONCE = 256
"""So many are judged before their verdicts are handed on, to be kept on disk."""


class HFSettings(LocalSettings):
    """How a local model judges.

    Attributes:
        mode: ``likelihood`` compares the labels as continuations of "Label:", ``generate`` reads a reply strictly.
        certainty: share of the labels' likelihood that the best must have in mode ``likelihood``; what is less
            sure stays unscored.
        templates: folder of rubrics that replace the shipped ones.
        prefix_rule: take questionnaire answers that open with yes or no at their word (Kang, A.1).
    """

    mode: Literal["likelihood", "generate"] = "likelihood"
    certainty: float = Field(0.5, ge=0, le=1)
    templates: Path | None = None
    prefix_rule: bool = False


class HFJudge(LanguageModelJudge):
    """Asks a local model for a label."""

    name = "hf"

    def __init__(self, settings: HFSettings) -> None:
        super().__init__(settings.templates, prefix_rule=settings.prefix_rule)
        self.settings = settings
        self._model = LocalModel(settings)

    @property
    def identity(self) -> str:
        """Weights, mode and rubrics."""
        how = self.settings.mode + (f">{self.settings.certainty:g}" if self.settings.mode == "likelihood" else "")
        return f"{self.name}/2:{self.settings.model}@{self._model.fingerprint}:{how}:{self.manner}"

    async def ask(self, items: Sequence[JudgeItem]) -> AsyncGenerator[tuple[int, Verdict], None]:
        """Judges in order, a few hundred at a time; what is longer than the model reads stays unscored.

        Raises:
            UsageError: where the model cannot be loaded.
        """
        judge = self._by_likelihood if self.settings.mode == "likelihood" else self._by_reply
        for start in range(0, len(items), ITEMS_AT_ONCE):
            part = items[start : start + ITEMS_AT_ONCE]
            prompts = [self._rendered(item) for item in part]
            whole = [n for n, item in enumerate(part) if self._reads(prompts[n], item)]
            found = dict(zip(whole, judge([part[n] for n in whole], [prompts[n] for n in whole]), strict=True))
            for n in range(len(part)):
                yield start + n, found.get(n) or Verdict(None, self._model.too_long)

    def _rendered(self, item: JudgeItem) -> str:
        from valuebench_harness.engine.plan import Message

        opening = OPENING if self.settings.mode == "likelihood" else ""
        return self._model.loaded.render([Message("user", self.prompt(item))]) + opening

    def _reads(self, prompt: str, item: JudgeItem) -> bool:
        """Whether the model is shown the whole rubric and answer: a verdict on half of them is none."""
        if self.settings.mode == "generate":
            return self._model.reads(prompt, MAX_NEW_TOKENS)
        return all(self._model.scores(prompt, f" {label}") for label in LABELS[item.asks])

    def _by_likelihood(self, items: Sequence[JudgeItem], prompts: Sequence[str]) -> list[Verdict]:
        from valuebench_harness.engine.rows import LoglikelihoodRow

        places = [(n, label) for n, item in enumerate(items) for label in LABELS[item.asks]]
        rows = [LoglikelihoodRow(prompts[n], f" {label}", special=self._model.special) for n, label in places]
        found = dict(self._model.loaded.loglikelihoods(rows, batch_size=self.settings.batch_size))
        scores: list[dict[str, float]] = [{} for _ in items]
        for row, (n, label) in enumerate(places):
            scores[n][label] = found[row].logprob
        return [self._verdict(score) for score in scores]

    def _verdict(self, scores: dict[str, float]) -> Verdict:
        best = max(scores, key=lambda label: scores[label])
        share = 1 / sum(math.exp(score - scores[best]) for score in scores.values())
        if share <= self.settings.certainty:
            return Verdict(None, f"not sure: '{best}' has {share:.0%} of the labels' likelihood")
        return Verdict(best, f"{share:.0%} of the labels' likelihood")

    def _by_reply(self, items: Sequence[JudgeItem], prompts: Sequence[str]) -> list[Verdict]:
        from valuebench_harness.engine.rows import GenerationRow

        rows = [GenerationRow(prompt, max_new_tokens=MAX_NEW_TOKENS, special=self._model.special) for prompt in prompts]
        found = dict(self._model.loaded.generate(rows, batch_size=self.settings.batch_size))
        out = []
        for n, item in enumerate(items):
            label = parse_label(found[n].text, item.asks)
            tokens = found[n].n_prompt_tokens + len(found[n].token_ids)
            out.append(Verdict(label, "" if label else f"the reply is no label: {found[n].text[:80]!r}", tokens))
        return out
