"""Values steered by values measured: which changes stand up, given that so many were looked at?"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from valuebench_harness.metrics.families import holm
from valuebench_harness.metrics.paired import Change

Pair = tuple[str, str]
"""(value steered, value measured)"""


class Cell(BaseModel):
    """One change of the matrix.

    Attributes:
        steered: value that was steered.
        measured: value whose answers were counted.
        change: with its interval.
        p: Holm-adjusted over the cells of its kind: those aimed at, and those not.
    """

    model_config = ConfigDict(frozen=True)

    steered: str
    measured: str
    change: Change
    p: float | None

    @property
    def on_target(self) -> bool:
        """Whether the value measured is the one steered."""
        return self.steered == self.measured

    @property
    def shown(self) -> bool:
        """Whether the change stands after the adjustment."""
        return self.p is not None and self.p < 0.05


def effect_matrix(changes: Mapping[Pair, Change]) -> tuple[Cell, ...]:
    """The matrix with p adjusted in two families: the values aimed at, and all the others.

    A family is what is looked at with one question in mind: "did steering work?" and "what else moved?".
    """
    adjusted: dict[Pair, float | None] = {}
    for on_target in (True, False):
        family = {pair: c.p_value for pair, c in changes.items() if (pair[0] == pair[1]) == on_target}
        adjusted |= holm(family)
    return tuple(Cell(steered=s, measured=m, change=change, p=adjusted[s, m]) for (s, m), change in changes.items())


def steered_values(cells: tuple[Cell, ...], sign: int) -> list[str]:
    """Values that steering moved the way aimed at, after the adjustment (Kang counts them, Section 3.2).

    Args:
        cells: of the matrix.
        sign: +1 where the values were to be raised, -1 where lowered.
    """
    return [c.steered for c in cells if c.on_target and c.shown and (c.change.estimate or 0.0) * sign > 0]
