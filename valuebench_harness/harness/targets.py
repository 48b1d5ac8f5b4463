"""What a condition steers, value by value, ready for the method to plan with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from valuebench_harness.harness.own_code import told
from valuebench_harness.steerers.base import ModelShape, Steered, SteerRequest
from valuebench_harness.steerers.composite import chain

if TYPE_CHECKING:
    from valuebench_harness.data.values import Value
    from valuebench_harness.engine.plan import Message
    from valuebench_harness.harness.family import Family
    from valuebench_harness.harness.records import Condition
    from valuebench_harness.steerers.artifact import Artifact
    from valuebench_harness.steerers.base import Direction, Steerer

ArtifactKey: TypeAlias = "tuple[str, tuple[int, ...] | None]"
"""Value and the layers asked for."""


@dataclass(frozen=True)
class Target:
    """A value to steer, how far and which way.

    Attributes:
        value: to steer.
        direction: towards it or away from it.
        strength: 0 is the identity.
        artifact: of the method fitted for the value, where it has something to fit.
        wording: the data set's own instructions; see `SteerRequest`.
    """

    value: Value
    direction: Direction
    strength: float
    artifact: Artifact | None = None
    wording: Mapping[str, str] = field(default_factory=dict)


def targets_of(condition: Condition, family: Family, artifacts: Mapping[ArtifactKey, Artifact]) -> tuple[Target, ...]:
    """The values of a condition: each at its weight times the strength, a negative weight turned round."""
    out = []
    for name, weight in condition.targets.items():
        value = family.data.system.get(name)
        direction: Direction = "positive" if condition.aim(name) > 0 else "negative"
        artifact = artifacts.get((value.id, condition.layers))
        out.append(Target(value, direction, abs(weight) * condition.strength, artifact, family.wording(value)))
    return tuple(out)


def steer(
    steerer: Steerer[Any],
    targets: Sequence[Target],
    messages: tuple[Message, ...],
    shape: ModelShape,
    gate_open: Mapping[str, bool],
) -> Steered:
    """Plans one conversation for all targets, one after the other.

    Args:
        steerer: the method.
        targets: values to steer.
        messages: the conversation.
        shape: of the model.
        gate_open: the gate's decision by value; a value that is missing has no gate.

    Raises:
        IncompleteError: a user's own method raised.
    """
    with told(steerer, "planning"):
        return chain(messages, [_step(steerer, target, shape, gate_open) for target in targets])


def _step(
    steerer: Steerer[Any], target: Target, shape: ModelShape, gate_open: Mapping[str, bool]
) -> Callable[[tuple[Message, ...]], Steered]:
    def step(messages: tuple[Message, ...]) -> Steered:
        request = SteerRequest(
            messages=messages,
            value=target.value,
            direction=target.direction,
            strength=target.strength,
            shape=shape,
            gate_open=gate_open.get(target.value.id, True),
            wording=target.wording,
        )
        return steerer.plan(request, target.artifact)

    return step
