"""Is the fall of a paired rate larger than a margin? Tango's score test."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist


def fall_exceeds(down: int, up: int, n: int, margin: float) -> float:
    """One-sided p of a fall of at most ``margin``, for single answers to the same items.

    The score test of Tango (Statistics in Medicine 1998): the fall less the margin, over its standard error
    at the most likely rates that fall by just the margin. It stays close to its level with few changed items,
    where Wald's intervals do not.

    Args:
        down: items that changed from a hit to a miss.
        up: items that changed from a miss to a hit.
        n: items, changed or not.
        margin: a fall that would not matter, in [0, 1).
    """
    linear = -down - up + (2 * n - down + up) * margin
    constant = -up * margin * (1 - margin)
    rises = (sqrt(linear**2 - 8 * n * constant) - linear) / (4 * n)
    variance = n * (2 * rises + margin * (1 - margin))
    if variance <= 0:  # nothing changed, and no margin
        return 0.5
    return 1 - NormalDist().cdf((down - up - n * margin) / sqrt(variance))
