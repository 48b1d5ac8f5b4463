"""Which conditions a run compares, and which documents each of them answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TypeAlias

from valuebench_harness.harness.config import RunConfig
from valuebench_harness.harness.family import MINI
from valuebench_harness.harness.records import BASE, Condition, Document
from valuebench_harness.steerers.composite import Composite
from valuebench_harness.steerers.registry import NO_GATE

if TYPE_CHECKING:
    from valuebench_harness.data.values import ValueSpec
    from valuebench_harness.steerers.base import Direction, Steerer

Setting: TypeAlias = "tuple[float, tuple[int, ...] | None]"
"""Strength, and layers where they are not those of the configuration."""


def shipped_strength(model: str, steerer: Steerer[Any], value: str) -> float:
    """The strength a method runs at when none is named: chosen on ``mini``'s selection half, else the method's own.

    A method made of others runs at the strength of the one whose scale it takes.
    """
    scaled = steerer.scaled if isinstance(steerer, Composite) else next(iter(steerer.parts), None)
    if scaled is not None:
        return shipped_strength(model, scaled, value)
    preset = steerer.preset_strength(value)
    if preset is not None:
        return preset
    default = steerer.default_strength
    return _mini_strengths().get(steerer.name, {}).get(value, default) if model == MINI else default


@lru_cache(maxsize=1)
def _mini_strengths() -> dict[str, dict[str, float]]:
    """Method to value to the strength that ``python -m valuebench_harness.mini.measure`` chose, from its card."""
    path = files("valuebench_harness.mini") / "card.json"
    figures = json.loads(path.read_text(encoding="utf-8"))["figures"]
    measured = {"caa": figures["caa"]["data"], "conva": figures["conva"]["data"], **figures["others"]["data"]}
    return {method: {v: row["strength"] for v, row in rows.items()} for method, rows in measured.items()}


def default_strength(config: RunConfig, steerer: Steerer[Any], spec: ValueSpec) -> float:
    """The shipped strength of a value; for several values the mean of theirs, which the weights then scale."""
    shipped = [shipped_strength(config.model, steerer, value) for value, _ in spec.terms]
    return sum(shipped) / len(shipped)


def make_condition(
    config: RunConfig,
    steerer: Steerer[Any],
    direction: Direction,
    spec: ValueSpec,
    *,
    strength: float,
    gate: str,
    layers: tuple[int, ...] | None = None,
    level: int = 0,
) -> Condition:
    """One steered condition.

    Args:
        config: of the run.
        steerer: the method.
        direction: of steering.
        spec: the value, or several with weights.
        strength: of the method.
        gate: name of the gate.
        layers: where they differ from those of the configuration.
        level: place of the strength among those of the run.

    Raises:
        UsageError: for a strength that the method cannot take, for each value's weight.
    """
    steerer.check_strength(strength)
    for _, weight in spec.terms:
        steerer.check_strength(abs(weight) * strength)
    mark = "+" if direction == "positive" else "-"
    place = f"@{','.join(map(str, layers))}" if layers is not None else ""
    return Condition(
        id=f"{steerer.name}:{spec}:{mark}{strength:.10g}{place}",
        steerer=steerer.name,
        value=str(spec),
        weights={} if spec.is_single else dict(spec.terms),
        direction=direction,
        strength=strength,
        layers=layers if layers is not None else config.layers,
        level=level,
        gate=gate,
    )


def with_twin(condition: Condition, *, has_exam: bool) -> list[Condition]:
    """A condition and, where a gate is used and there is an exam, its ungated twin.

    The twin shows what the gate saves (ConVA, Table 5).
    """
    if condition.gate == NO_GATE or not has_exam:
        return [condition]
    return [condition, condition.model_copy(update={"id": condition.twin_id, "gate": NO_GATE})]


def make_conditions(
    config: RunConfig,
    steerer: Steerer[Any],
    direction: Direction,
    specs: Sequence[ValueSpec],
    gate: str,
    *,
    has_exam: bool,
    settled: Mapping[str, Setting] | None = None,
) -> list[Condition]:
    """The base and, for each value (or combination of values) and strength, the steered condition with its twin.

    Args:
        config: of the run.
        steerer: the method.
        direction: of steering.
        specs: values, or combinations of them.
        gate: name of the gate.
        has_exam: whether there is one.
        settled: strength and layers by value, where they were chosen on the model itself.

    Raises:
        UsageError: for a strength that the method cannot take.
    """
    conditions = [BASE]
    if steerer.name == BASE.steerer:
        return conditions
    for spec in specs:
        settings: list[Setting] = [(s, None) for s in config.strength or (default_strength(config, steerer, spec),)]
        if settled is not None:
            settings = [settled[str(spec)]]
        for level, (strength, layers) in enumerate(settings):
            made = make_condition(
                config, steerer, direction, spec, strength=strength, gate=gate, layers=layers, level=level
            )
            conditions += with_twin(made, has_exam=has_exam)
    return conditions


def answers(condition: Condition, document: Document, *, gate: str, system: str, own_only: bool = False) -> bool:
    """Whether a condition answers a document.

    The base answers all. A steered condition answers the dilemmas of every value (its side
    effects), the exam, its own values' questionnaires, and questionnaires about values of another
    system. An ungated twin answers the exam only. With ``own_only`` a steered condition answers what
    concerns its own values and nothing else.
    """
    if condition.id == BASE.id:
        return True
    if own_only:
        return document.value in condition.targets and document.system == system
    if condition.gate != gate:
        return document.kind == "exam"
    if document.kind == "questionnaire" and document.system == system:
        return document.value in condition.targets
    return True


def cells(
    conditions: Sequence[Condition],
    documents: Sequence[Document],
    *,
    gate: str,
    system: str,
    own_only: bool = False,
) -> list[tuple[Condition, Document]]:
    """All (condition, document) pairs of a run, the base first.

    Args:
        conditions: of the run.
        documents: of the run.
        gate: name of the gate of the steered conditions.
        system: name of the value system that is steered.
        own_only: steered conditions answer what concerns their own values only.
    """
    return [(c, d) for c in conditions for d in documents if answers(c, d, gate=gate, system=system, own_only=own_only)]
