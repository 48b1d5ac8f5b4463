"""Contexts of a fit on real, small models: what methods that need the model itself learn from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from valuebench_harness.data.schemas import ContrastivePair, Demonstration
from valuebench_harness.data.values import load_value_system
from valuebench_harness.engine.model import SteeredModel
from valuebench_harness.engine.plan import Message
from valuebench_harness.steerers.base import Direction, FitContext, ModelShape, SteerRequest
from valuebench_harness.steerers.states import States

SECURITY = load_value_system("schwartz").get("security")
QUESTIONS = ("Should I leave the village?", "Do I save every coin?", "May I cross the closed bridge?")


def demonstrations(n: int = 3) -> list[Demonstration]:
    """Questions with an answer for security and one against it."""
    sides: tuple[tuple[Direction, str], ...] = (("positive", "No, it is quiet here."), ("negative", "Yes, be bold."))
    return [
        Demonstration(id=f"{side}-{i}", value="security", prompt=QUESTIONS[i % 3], answer=answer, direction=side)
        for i in range(n)
        for side, answer in sides
    ]


def fit_context(model: SteeredModel, **changes: Any) -> FitContext:
    """What a method may learn from about security."""
    pair = ContrastivePair(
        id="p", value="security", form="first-sentence", positive="I save coins.", negative="I leave the village."
    )
    fields: dict[str, Any] = {
        "shape": shape(model),
        "states": States(model),
        "value": SECURITY,
        "pairs": [pair],
        "neutral": ["The doctor said yes.", "The lawyer said no.", "The neighbour said maybe."],
        "model": model,
        "demonstrations": demonstrations(),
    }
    return FitContext(**{**fields, **changes})


def shape(model: SteeredModel) -> ModelShape:
    return ModelShape(model.name, model.n_layers, model.width)


def steer_request(
    model: SteeredModel,
    strength: float = 1.0,
    direction: Direction = "positive",
    text: str = "Should I leave the village?",
    system: Sequence[Message] = (),
) -> SteerRequest:
    return SteerRequest((*system, Message("user", text)), SECURITY, direction, strength, shape(model))
