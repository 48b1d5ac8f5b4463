"""What the engine is asked and what it answers: one record a row. No torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from valuebench_harness.engine.plan import EMPTY, SteerPlan
from valuebench_harness.errors import UsageError


@dataclass(frozen=True)
class GenerationRow:
    """One text to continue.

    Attributes:
        prompt: the rendered prompt.
        plan: how to steer this row.
        max_new_tokens: at most so many tokens.
        temperature: 0 is greedy; otherwise logits are divided by it before sampling.
        top_p: nucleus; 1 keeps every token.
        top_k: keep the k likeliest tokens; 0 keeps every token.
        seed: of this row's own noise, so that its sample is the same in any batch.
        stop: the text ends before the first of these.
        special: whether the tokenizer's leading special tokens (BOS) are put in front.
            False for text from a chat template, which writes its own.
    """

    prompt: str
    plan: SteerPlan = EMPTY
    max_new_tokens: int = 32
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int = 0
    stop: tuple[str, ...] = ()
    special: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "stop", tuple(self.stop))
        if self.max_new_tokens < 1:
            raise UsageError(f"max_new_tokens is {self.max_new_tokens}; it must be at least 1.")
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise UsageError(f"temperature is {self.temperature}; it must be 0 (greedy) or larger.")
        if not 0 < self.top_p <= 1:
            raise UsageError(f"top_p is {self.top_p}; it must be in (0, 1].")
        if self.top_k < 0:
            raise UsageError(f"top_k is {self.top_k}; it must be 0 (all tokens) or larger.")
        if "" in self.stop:
            raise UsageError("A stop string is empty; every text would stop at once.")


@dataclass(frozen=True)
class Moved:
    """Tokens of one text whose states interventions changed.

    Attributes:
        tokens: how many.
        layers: each layer that changed any, and how many of them; ascending.
        spans: first and past-the-last character of each stretch of them, ascending; None where the
            tokenizer does not tell where its tokens stand.
    """

    tokens: int
    layers: tuple[tuple[int, int], ...]
    spans: tuple[tuple[int, int], ...] | None


@dataclass(frozen=True)
class Generation:
    """The answer to a `GenerationRow`.

    Attributes:
        text: without special tokens, cut before the stop string.
        token_ids: everything generated, the end-of-text token included.
        n_prompt_tokens: tokens of the prompt as the model saw it.
        finish: why it ended: end-of-text token, stop string, or length.
        moved_prompt: tokens of the prompt whose states interventions changed; None where the plan has none.
        moved_answer: the same of the answer, whose last token is not read any more and so never changed.
    """

    text: str
    token_ids: tuple[int, ...]
    n_prompt_tokens: int
    finish: Literal["eos", "stop", "length"]
    moved_prompt: Moved | None = None
    moved_answer: Moved | None = None


@dataclass(frozen=True)
class LoglikelihoodRow:
    """A continuation to score after a context.

    Attributes:
        context: may be empty; then the model's prefix token (BOS or EOS) stands for it.
        continuation: the text to score, at least one token.
        plan: how to steer this row; the context is the prompt, the continuation generated.
        special: as in `GenerationRow`.
    """

    context: str
    continuation: str
    plan: SteerPlan = EMPTY
    special: bool = True


@dataclass(frozen=True)
class Loglikelihood:
    """The answer to a `LoglikelihoodRow`.

    Attributes:
        logprob: natural logarithm of the probability of the continuation.
        is_greedy: whether greedy decoding would have produced it.
        n_tokens: tokens of the continuation.
        token_logprobs: one a token; they sum to `logprob`.
    """

    logprob: float
    is_greedy: bool
    n_tokens: int
    token_logprobs: tuple[float, ...]


@dataclass(frozen=True)
class TextRow:
    """A text to read: to capture hidden states from, or to score as a whole.

    Attributes:
        text: the text.
        plan: how to steer this row.
        special: as in `GenerationRow`.
    """

    text: str
    plan: SteerPlan = EMPTY
    special: bool = True
