"""Training documents: pieces of text that carry what the model should hold while it reads them.

A document is a conversation (or a raw text) cut into segments. Each segment carries the exogenous
shift that the text so far gives away (an instruction, value statements, a role), which the loss
asks the planted coordinates of the hidden states to show.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from valuebench_harness.data.grammar.acts import VALUES
from valuebench_harness.data.grammar.scm import FloatArray

Category = Literal["text", "choice", "choice_injected", "letter", "statement", "stance", "reason", "fact"]
Speaker = Literal["prompt", "assistant"]
Scope = Literal["all", "prompt", "assistant"]

BOS, SYSTEM, USER, ASSISTANT, END = "<|bos|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"
NOTHING: FloatArray = np.zeros(len(VALUES))


@dataclass(frozen=True)
class Segment:
    """A piece of text.

    Attributes:
        text: begins where a token begins.
        weight: of its tokens in the loss.
        category: for the training log.
        speaker: whose turn it belongs to.
        shift: exogenous shift [10] that the text up to here gives away.
        reveals: the segment itself gives the shift away, so that only its last token must show it.
        first_weight: of its first token, where that one decides.
        instead: what could as well stand here, where a choice between two acts begins.
        chance: that ``text`` is taken and not ``instead``.
    """

    text: str
    weight: float
    category: Category
    speaker: Speaker
    shift: FloatArray
    reveals: bool = False
    first_weight: float | None = None
    instead: str | None = None
    chance: float = 1.0


@dataclass(frozen=True)
class Injection:
    """A shift that is added to hidden states along the planted directions.

    Attributes:
        shift: exogenous shift [10].
        scope: which tokens get it.
        shares: part of it that is added after each block; sums to one.
    """

    shift: FloatArray
    scope: Scope
    shares: tuple[float, ...]


@dataclass
class Document:
    """Segments in order, and what is injected while they are read."""

    segments: list[Segment] = field(default_factory=list)
    injection: Injection | None = None
    perturbable: bool = True
    shift: FloatArray = field(default_factory=lambda: NOTHING)

    def __post_init__(self) -> None:
        self.add(BOS, 0.0)

    def add(
        self,
        text: str,
        weight: float,
        *,
        category: Category = "text",
        speaker: Speaker = "prompt",
        reveals: bool = False,
        first_weight: float | None = None,
    ) -> None:
        """Appends a segment that carries the document's present shift."""
        self.segments.append(Segment(text, weight, category, speaker, self.shift, reveals, first_weight))

    def reveal(self, text: str, weight: float, shift: FloatArray) -> None:
        """Appends a text that gives a shift away; from here on the document carries it."""
        new = not np.array_equal(shift, self.shift)
        self.shift = shift
        self.add(text, weight, category="statement", reveals=new)

    def user(self, text: str, weight: float = 0.2) -> None:
        """Appends a user's turn."""
        self.add(USER, 0.2)
        self.add(text, weight)
        self.add(END, 0.2)

    def open_answer(self) -> None:
        """Starts the assistant's turn."""
        self.add(ASSISTANT, 0.2, speaker="assistant")

    def answer(self, text: str, weight: float, category: Category = "text", first_weight: float | None = None) -> None:
        """Appends to the assistant's turn."""
        self.add(text, weight, category=category, speaker="assistant", first_weight=first_weight)

    def choose(self, text: str, instead: str, chance: float) -> None:
        """Appends the act that is taken to the assistant's turn; its first token decides."""
        category: Category = "choice" if self.injection is None else "choice_injected"
        self.segments.append(Segment(text, 1.0, category, "assistant", self.shift, False, 4.0, instead, chance))

    def close_answer(self, weight: float = 1.0) -> None:
        """Ends the assistant's turn."""
        self.add(END, weight, speaker="assistant")
