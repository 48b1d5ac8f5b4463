"""How many independent answers are several answers an item worth, where few of them tell?"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from valuebench_harness.metrics.clusters import labels, mean_variance

Floats = NDArray[np.float64]


def equal_items(items: Sequence[Hashable]) -> float:
    """How many items of equal size tell as much as these: (sum n)^2 / sum n^2, Kish's effective number (1965).

    Args:
        items: behind the answers.
    """
    places, _ = labels(items)
    sizes = np.bincount(places).astype(np.float64)
    return float(sizes.sum() ** 2 / (sizes @ sizes))


def effective_size(values: Floats, items: Sequence[Hashable], cells: Floats) -> float:
    """Answers over the design effect of their mean, one item of alike answers having been added to them.

    Where a judge errs on a handful of answers, or nearly all answers are right, too few items bear the other outcome
    to show whether answers to one item share it, and the design effect found is often 1 by luck: of 48 items with 10
    answers each, half of the items alike, a kappa of .95 was held by 76% of intervals. So the ratio of the two
    variances is taken with one item of average size added, its answers alike and its outcome spread over all cells,
    as Perks' prior spreads one answer (1947). Where nothing varies, each item counts once.

    Args:
        values: of the answers, ``[n]``.
        items: behind them.
        cells: all values that an answer can have, equally likely in the item added.
    """
    count = equal_items(items)
    variance = mean_variance(values, items) if count > 1 else float("nan")
    mean = float(values.mean())
    return size_of_variance(len(values), count, variance, float(values.var()), float(((cells - mean) ** 2).mean()))


def size_of_variance(n: int, items: float, variance: float, spread: float, prior: float) -> float:
    """The same where the variance of the mean is known another way.

    Args:
        n: answers.
        items: behind them, by :func:`equal_items`.
        variance: of the mean, robust to clusters; ignored where all answers have one item, or each one of its own.
        spread: variance of one answer.
        prior: mean square, over the cells, of an answer's deviation from the mean.
    """
    if items in {1, n}:
        return float(items)
    size = n / items
    clustered, alone = variance * n**2 + prior * size**2, spread * n + prior * size
    return n / max(1.0, clustered / alone)
