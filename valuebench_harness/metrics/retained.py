"""How much of an effect stays under another circumstance: a ratio of two paired differences, with its interval."""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict

from valuebench_harness.metrics.comparison import Floats
from valuebench_harness.metrics.rates import Z


class Retained(BaseModel):
    """One effect as a share of another.

    Attributes:
        estimate: 1 where all of it stays, 0 where none does, below 0 where it turns round; ``None`` where there is no
            effect to keep.
        low: lower end of the 95% interval.
        high: upper end; both ``None`` where the effect to keep is not told from 0, so that no share is excluded.
        n: items.
    """

    model_config = ConfigDict(frozen=True)

    estimate: float | None
    low: float | None
    high: float | None
    n: int


def retained(kept: Floats, whole: Floats) -> Retained:
    """The mean of ``kept`` as a share of the mean of ``whole``.

    The interval is Fieller's (1954): all shares r for which the mean of ``kept - r * whole`` is not told from 0. It
    takes the pairing of the two into account and, unlike the delta method, holds where the whole is small. As in
    :func:`~valuebench_harness.metrics.paired.paired_change` half an item is added to each of the four cells of
    Agresti and Min's table, so that it keeps a width where all items agree.

    Args:
        kept: difference of each item under the other circumstance, ``[n_items]``.
        whole: difference of the same items under the usual one, ``[n_items]``.
    """
    n = len(whole)
    a, b = float(kept.sum()), float(whole.sum())
    # Means of several answers do not cancel to the last bit.
    if n == 0 or abs(b) < 1e-9 * n:
        return Retained(estimate=None, low=None, high=None, n=n)
    size = n + 2
    # Of the sums, not the means: the common factor cancels in the ratio.
    var_a = float((kept**2).sum()) + 1 - a * a / size
    var_b = float((whole**2).sum()) + 1 - b * b / size
    cov = float((kept * whole).sum()) - a * b / size
    # (a - r b)^2 <= Z^2 (var_a - 2 r cov + r^2 var_b), a quadratic in r
    leading = b * b - Z * Z * var_b
    if leading <= 0:
        return Retained(estimate=a / b, low=None, high=None, n=n)
    middle = a * b - Z * Z * cov
    root = math.sqrt(max(0.0, middle * middle - leading * (a * a - Z * Z * var_a)))
    return Retained(estimate=a / b, low=(middle - root) / leading, high=(middle + root) / leading, n=n)
