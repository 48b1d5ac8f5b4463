"""Not worse, or the same: a claim of no harm needs a margin and a test of its own.

"No change shown" is no evidence of no change: a small sample shows nothing. Here the null hypothesis is harm
of at least the margin, and it must be rejected.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist

from pydantic import BaseModel, ConfigDict

from valuebench_harness.metrics.families import holm
from valuebench_harness.metrics.paired import Change

ALPHA = 0.025
"""One-sided, so that the bound is an end of the 95% interval (ICH E9)."""


class Margin(BaseModel):
    """A test against a margin.

    Attributes:
        margin: the harm that would matter, in shares (0.05 is five points).
        p: of harm at least as large as the margin (non-inferiority), or of any change so large (equivalence).
        shown: harm of that size is ruled out at the one-sided level 0.025; ``None`` where nothing was compared.
    """

    model_config = ConfigDict(frozen=True)

    margin: float
    p: float | None
    shown: bool | None


def non_inferior(change: Change, margin: float) -> Margin:
    """Is the rate lower by less than ``margin``? Shown exactly where the 95% interval lies above ``-margin``.

    Args:
        change: of a rate where higher is better.
        margin: above 0, stated before the data is seen.

    Raises:
        ValueError: for a margin not in (0, 1).
    """
    return _margin(margin, _p_above(change, -_checked(margin)))


def equivalent(change: Change, margin: float) -> Margin:
    """Did the rate change by less than ``margin`` either way? Two one-sided tests (Schuirmann 1987).

    Args and errors are those of :func:`non_inferior`.
    """
    low, high = _p_above(change, -_checked(margin)), _p_below(change, margin)
    return _margin(margin, None if low is None or high is None else max(low, high))


def non_inferior_each(changes: Mapping[str, Change], margin: float) -> dict[str, Margin]:
    """Non-inferiority of each subject of an exam, the family's error held by Holm's adjustment."""
    adjusted = holm({name: non_inferior(change, margin).p for name, change in changes.items()})
    return {name: _margin(margin, p) for name, p in adjusted.items()}


def _margin(margin: float, p: float | None) -> Margin:
    return Margin(margin=margin, p=p, shown=None if p is None else p < ALPHA)


def _checked(margin: float) -> float:
    if not 0 < margin < 1:
        raise ValueError(f"margin {margin} is not between 0 and 1")
    return margin


def _p_above(change: Change, bound: float) -> float | None:
    """The p of a change of ``bound`` or less."""
    if change.low is None or change.high is None or not change.error:
        return None
    return NormalDist().cdf((bound - (change.low + change.high) / 2) / change.error)


def _p_below(change: Change, bound: float) -> float | None:
    above = _p_above(change, bound)
    return None if above is None else 1 - above
