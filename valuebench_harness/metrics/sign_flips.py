"""Exact tests of no difference between two sides of the same items: under it the sides may be exchanged."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from valuebench_harness.metrics.clusters import cluster_sums

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

EXACT_CLUSTERS = 14
"""Up to so many clusters all 2**n sign flips are tried."""
DRAWS = 9_999
FINEST = 60
"""Steps to 1 of the finest grid tried: up to six answers an item, some of them unscored, have one."""
TINY = 1e-9


def mcnemar(up: int, down: int) -> float:
    """Two-sided p of McNemar's exact test: are changes to a hit as frequent as changes to a miss?"""
    from scipy.special import bdtr

    return min(1.0, 2 * float(bdtr(min(up, down), up + down, 0.5)))


def permutation_test(
    differences: Floats, clusters: Sequence[str], *, draws: int = DRAWS, seed: int = 0
) -> float | None:
    """Two-sided p of no difference: under it the two methods may be exchanged, a cluster at a time.

    The statistic is the mean difference. Differences of shares lie on a grid, on which the distribution over all
    exchanges is exact and quick (Pagano and Tritchler 1983); with single answers it is McNemar's. Off any grid all
    exchanges are tried where clusters are few, else ``draws`` of them, the observed one counted among them so that p
    is never 0 (Phipson and Smyth 2010).

    Args:
        differences: ``[n_items]``.
        clusters: of each item.
        draws: random exchanges.
        seed: of them.
    """
    if not len(differences):
        return None
    sums = cluster_sums(differences, clusters)
    sums = sums[np.abs(sums) > TINY]
    steps = _on_grid(sums)
    if steps is not None:
        return _exact(steps)
    observed = abs(sums.sum()) - TINY
    if len(sums) <= EXACT_CLUSTERS:
        signs = np.array(list(product((-1.0, 1.0), repeat=len(sums)))).reshape(2 ** len(sums), len(sums))
        return float(np.mean(np.abs(signs @ sums) >= observed))
    rng = np.random.default_rng(seed)
    signs = rng.integers(0, 2, size=(draws, len(sums)), dtype=np.int8) * 2 - 1
    return float((1 + np.sum(np.abs(signs @ sums) >= observed)) / (draws + 1))


def _on_grid(sums: Floats) -> Integers | None:
    """The sums in whole steps of the coarsest grid that holds them all; ``None`` where none does."""
    for steps in range(1, FINEST + 1):
        scaled = sums * steps
        whole = np.rint(scaled)
        if np.abs(scaled - whole).max(initial=0.0) < TINY * steps:
            return np.asarray(whole, dtype=np.int64)
    return None


def _exact(steps: Integers) -> float:
    """Share of all exchanges whose sum is as far from 0 as the observed one, by adding one cluster after the other."""
    sizes = np.abs(steps)
    if (sizes == sizes[:1]).all():
        return mcnemar(int((steps > 0).sum()), int((steps < 0).sum()))
    total = int(sizes.sum())
    chances = np.zeros(2 * total + 1)  # of the sums -total to total
    chances[total] = 1.0
    for size in sizes:
        chances = (np.roll(chances, size) + np.roll(chances, -size)) / 2
    far = np.abs(np.arange(-total, total + 1)) >= abs(int(steps.sum()))
    return min(1.0, float(chances[far].sum()))
