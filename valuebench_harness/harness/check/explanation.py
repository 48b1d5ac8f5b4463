"""What steering does to one prompt, as numbers. No torch."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Token(BaseModel):
    """A token of the prompt or of the steered answer.

    Attributes:
        text: as the tokenizer decodes it alone.
        part: of the conversation.
        shift: norm of what the interventions changed, one number a place.
        share: the same as a share of the state's norm before.
        drift: norm of the distance from the unsteered state, one number a block.
    """

    model_config = ConfigDict(frozen=True)

    text: str
    part: Literal["prompt", "answer"]
    shift: tuple[float, ...]
    share: tuple[float, ...]
    drift: tuple[float, ...]


class Explanation(BaseModel):
    """What steering does to one prompt.

    Attributes:
        steerer: as it was named.
        model: its name.
        value: that is steered.
        direction: of steering.
        strength: of steering.
        question: as the user wrote it.
        rewritten: the messages sent instead, where the method rewrites the prompt; empty otherwise.
        answer: of the steered model, as far as it is looked at.
        places: layer and site of every column of ``shift``.
        n_layers: of the model.
        tokens: in order.
    """

    model_config = ConfigDict(frozen=True)

    steerer: str
    model: str
    value: str
    direction: str
    strength: float
    question: str
    rewritten: tuple[str, ...]
    answer: str
    places: tuple[tuple[int, str], ...]
    n_layers: int
    tokens: tuple[Token, ...]
