"""Which conditions a run compares, and which documents each of them answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

from valuebench_harness.harness.config import RunConfig
from valuebench_harness.harness.family import MINI
from valuebench_harness.harness.records import BASE, Condition, Document
from valuebench_harness.steerers.base import Steerer
from valuebench_harness.steerers.registry import NO_GATE


def shipped_strength(model: str, steerer: Steerer[Any], value: str) -> float:
    """The strength a method runs at when none is named: chosen on ``mini``'s selection half, else the method's own."""
    default: float = steerer.default_strength
    return _mini_strengths().get(steerer.name, {}).get(value, default) if model == MINI else default


@lru_cache(maxsize=1)
def _mini_strengths() -> dict[str, dict[str, float]]:
    """Method to value to the strength that ``python -m valuebench_harness.mini.measure`` chose, from its card."""
    path = files("valuebench_harness.mini") / "card.json"
    figures = json.loads(path.read_text(encoding="utf-8"))["figures"]
    return {m: {v: row["strength"] for v, row in figures[m]["data"].items()} for m in ("caa", "conva")}


def make_conditions(
    config: RunConfig, steerer: Steerer[Any], direction: str, values: Sequence[str], gate: str, *, has_exam: bool
) -> list[Condition]:
    """The base and, for each value and strength, the steered condition.

    Where a gate is used and there is an exam, an ungated twin shows what the gate saves (ConVA, Table 5).

    Raises:
        UsageError: for a strength that the method cannot take.
    """
    conditions = [BASE]
    if steerer.name == BASE.steerer:
        return conditions
    for value in values:
        strengths = config.strength or (shipped_strength(config.model, steerer, value),)
        for level, strength in enumerate(strengths):
            steerer.check_strength(strength)
            mark = "+" if direction == "positive" else "-"
            name = f"{steerer.name}:{value}:{mark}{strength:.10g}"
            common = {
                "steerer": steerer.name,
                "value": value,
                "direction": direction,
                "strength": strength,
                "level": level,
            }
            condition = Condition.model_validate({"id": name, "gate": gate, **common})
            conditions.append(condition)
            if gate != NO_GATE and has_exam:
                conditions.append(condition.model_copy(update={"id": condition.twin_id, "gate": NO_GATE}))
    return conditions


def answers(condition: Condition, document: Document, *, gate: str, system: str) -> bool:
    """Whether a condition answers a document.

    The base answers all. A steered condition answers the dilemmas of every value (its side
    effects), the exam, its own value's questionnaire, and questionnaires about values of another
    system. An ungated twin answers the exam only.
    """
    if condition.id == BASE.id:
        return True
    if condition.gate != gate:
        return document.kind == "exam"
    if document.kind == "questionnaire" and document.system == system:
        return document.value == condition.value
    return True


def cells(
    conditions: Sequence[Condition], documents: Sequence[Document], *, gate: str, system: str
) -> list[tuple[Condition, Document]]:
    """All (condition, document) pairs of a run, the base first.

    Args:
        conditions: of the run.
        documents: of the run.
        gate: name of the gate of the steered conditions.
        system: name of the value system that is steered.
    """
    return [(c, d) for c in conditions for d in documents if answers(c, d, gate=gate, system=system)]
