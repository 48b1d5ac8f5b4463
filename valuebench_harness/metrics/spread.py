"""Several answers an item, or several seeds: how much of a rate is the luck of the draw?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from valuebench_harness.metrics.rates import student

Floats = NDArray[np.float64]


class Spread(BaseModel):
    """A rate over seeds that answered the same items.

    Attributes:
        mean: of the seeds' rates.
        low: lower end of the 95% interval of the mean over items *and* seeds.
        high: upper end.
        between_seeds: standard deviation of the seeds' rates.
        by_chance: what it would be if seeds differed in nothing but the draw of each answer.
        next_low: lower end of the 95% interval of one more seed's rate on the same items.
        next_high: upper end.
        seeds: how many.
        items: answered under all of them.
    """

    model_config = ConfigDict(frozen=True)

    mean: float
    low: float
    high: float
    between_seeds: float
    by_chance: float
    next_low: float
    next_high: float
    seeds: int
    items: int


def spread(outcomes: Sequence[Sequence[bool | None]]) -> Spread | None:
    """Variance between seeds, shown and used.

    The interval of the mean takes the items and the seeds as crossed samples: its variance is that of
    the item means over the number of items plus that of the seed means over the number of seeds, less
    the variance of single answers that both of them hold (Cornfield and Tukey 1956, the two-way
    random-effects layout). Without that last term it would count the answers' noise twice.

    Args:
        outcomes: ``[item][seed]``; items with an unscored answer are left out.

    Returns:
        ``None`` with fewer than two seeds or two items.
    """
    rows = [[bool(o) for o in row] for row in outcomes if row and None not in row]
    if len(rows) < 2 or min(map(len, rows)) < 2:
        return None
    table = np.array(rows, dtype=np.float64)  # [items, seeds]
    n, k = table.shape
    by_item, by_seed, mean = table.mean(axis=1), table.mean(axis=0), float(table.mean())
    rest = table - by_item[:, None] - by_seed[None, :] + mean
    noise = float((rest**2).sum() / ((n - 1) * (k - 1)))
    items, seeds = float(by_item.var(ddof=1)) / n, float(by_seed.var(ddof=1)) / k
    error = math.sqrt(max(items, seeds, items + seeds - noise / (n * k)))
    half = student(min(n, k) - 1 if seeds >= items else n - 1) * error
    between = float(by_seed.std(ddof=1))
    further = student(k - 1) * between * math.sqrt(1 + 1 / k)
    return Spread(
        mean=mean,
        low=max(0.0, mean - half),
        high=min(1.0, mean + half),
        between_seeds=between,
        by_chance=math.sqrt(noise / n),
        next_low=max(0.0, mean - further),
        next_high=min(1.0, mean + further),
        seeds=k,
        items=n,
    )
