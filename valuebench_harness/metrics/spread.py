"""Several answers an item, or several seeds: how much of a rate is the luck of the draw?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from valuebench_harness.metrics.rates import Z, rate, student

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
    the item means over the number of items plus that of the seed means over the number of seeds (the
    two-way random-effects layout, Cornfield and Tukey 1956). Both parts hold the noise of single
    answers. The layout takes it off once; that is left out here, since a few seeds often differ less
    than they should by chance, and with the noise taken off the interval would then cover too
    seldom. The degrees of freedom are Satterthwaite's (1946) of the two parts, n - 1 and k - 1. The
    interval is never narrower than that of the pooled answers with the items as clusters
    (:func:`~valuebench_harness.metrics.rates.rate`), which keeps a width where every answer hits.
    Few seeds tell little about how much seeds differ: with two that differ by far more than chance
    has it, the interval still covers less often than it says.

    One more seed's rate is predicted from how much the seeds differ, and never more narrowly than
    chance alone would have it if one answer differed from all others.

    Args:
        outcomes: ``[item][seed]``; items with an unscored answer are left out.

    Returns:
        ``None`` with fewer than two seeds or two items, or where items have unequal numbers of answers: then
        the answers in one place of the rows are not those of one seed.
    """
    if len({len(row) for row in outcomes}) > 1:
        return None
    rows = [[bool(o) for o in row] for row in outcomes if None not in row]
    if len(rows) < 2 or len(rows[0]) < 2:
        return None
    table = np.array(rows, dtype=np.float64)  # [items, seeds]
    n, k = table.shape
    by_item, by_seed, mean = table.mean(axis=1), table.mean(axis=0), float(table.mean())
    rest = table - by_item[:, None] - by_seed[None, :] + mean
    noise = float((rest**2).sum() / ((n - 1) * (k - 1)))
    half = _half_width(float(by_item.var(ddof=1)) / n, float(by_seed.var(ddof=1)) / k, n, k)
    pooled = rate([o for row in rows for o in row], [str(item) for item in range(n) for _ in range(k)])
    assert pooled.low is not None
    assert pooled.high is not None
    between = float(by_seed.std(ddof=1))
    least = 1 / (n * math.sqrt(k))  # by_chance of a table in which one answer differs from all others
    further = max(student(k - 1) * between, Z * least) * math.sqrt(1 + 1 / k)
    return Spread(
        mean=mean,
        low=max(0.0, min(mean - half, pooled.low)),
        high=min(1.0, max(mean + half, pooled.high)),
        between_seeds=between,
        by_chance=math.sqrt(noise / n),
        next_low=max(0.0, mean - further),
        next_high=min(1.0, mean + further),
        seeds=k,
        items=n,
    )


def _half_width(items: float, seeds: float, n: int, k: int) -> float:
    """Half the interval of the mean, from the two parts of its variance and Satterthwaite's degrees of freedom."""
    variance = items + seeds
    if variance == 0:
        return 0.0
    degrees = variance**2 / (items**2 / (n - 1) + seeds**2 / (k - 1))
    return student(degrees) * math.sqrt(variance)
