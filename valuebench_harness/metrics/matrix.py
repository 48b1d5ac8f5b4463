"""Values steered by values measured: which changes stand up, given that so many were looked at?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from valuebench_harness.metrics.families import holm
from valuebench_harness.metrics.paired import Change

Pair = tuple[str, str]
"""(value steered, value measured)"""


class Measured(NamedTuple):
    """A change of the matrix.

    Attributes:
        change: of a value's answers.
        aim: +1 where they were to be raised, -1 where lowered; 0 where the value was not steered.
    """

    change: Change
    aim: int


class Cell(BaseModel):
    """One change of the matrix, tested.

    Attributes:
        steered: value that was steered, or several with their weights.
        measured: value whose answers were counted.
        change: with its interval.
        aim: as in :class:`Measured`.
        p: Holm-adjusted over the cells of its kind: those aimed at, and those not.
    """

    model_config = ConfigDict(frozen=True)

    steered: str
    measured: str
    change: Change
    aim: int
    p: float | None

    @property
    def on_target(self) -> bool:
        """Whether the value measured is one that was steered."""
        return self.aim != 0

    @property
    def shown(self) -> bool:
        """Whether the change stands after the adjustment."""
        return self.p is not None and self.p < 0.05


def effect_matrix(changes: Mapping[Pair, Measured]) -> tuple[Cell, ...]:
    """The matrix with p adjusted in two families: the values aimed at, and all the others.

    A family is what is looked at with one question in mind: "did steering work?" and "what else moved?".
    """
    adjusted: dict[Pair, float | None] = {}
    for on_target in (True, False):
        adjusted |= holm({pair: m.change.p for pair, m in changes.items() if (m.aim != 0) == on_target})
    return tuple(
        Cell(steered=steered, measured=measured, change=m.change, aim=m.aim, p=adjusted[steered, measured])
        for (steered, measured), m in changes.items()
    )


def moved(cells: Iterable[Cell]) -> list[Pair]:
    """What steering moved the way aimed at, after the adjustment (Kang counts such values, Section 3.2)."""
    return [(c.steered, c.measured) for c in cells if c.shown and (c.change.estimate or 0.0) * c.aim > 0]
