"""How many items does a comparison need?"""

from __future__ import annotations

import math
from statistics import NormalDist

from valuebench_harness.metrics.paired import POWER
from valuebench_harness.metrics.rates import Z


def items_needed(difference: float, changed: float, *, power: float = POWER) -> int:
    """Items that show a paired difference of two rates with this power (Connor 1987, Biometrics 43).

    Args:
        difference: the true difference, not 0.
        changed: share of items whose outcome changes at all, up or down; at least ``abs(difference)``.
        power: chance that the difference is shown.

    Raises:
        ValueError: for numbers that no data could have.
    """
    size = abs(difference)
    if not 0 < size <= changed <= 1:
        raise ValueError(f"a difference of {difference} needs between {size} and 1 of the items to change")
    beta = NormalDist().inv_cdf(power)
    return math.ceil(((Z * math.sqrt(changed) + beta * math.sqrt(changed - size**2)) / size) ** 2)
