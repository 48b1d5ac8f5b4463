"""Variance of a mean whose observations come in clusters: answers to one question, answers of one role."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def labels(names: Sequence[Hashable]) -> tuple[NDArray[np.intp], int]:
    """Cluster names as whole numbers from 0, and how many there are."""
    numbers: dict[Hashable, int] = {}
    out = np.fromiter((numbers.setdefault(name, len(numbers)) for name in names), dtype=np.intp, count=len(names))
    return out, len(numbers)


def cluster_sums(values: Floats, names: Sequence[Hashable]) -> Floats:
    """Sums of ``values`` by cluster, ``[n_clusters]``, clusters in order of first mention."""
    place, n = labels(names)
    return np.bincount(place, weights=values, minlength=n).astype(np.float64)


def mean_variance(values: Floats, first: Sequence[Hashable], second: Sequence[Hashable] | None = None) -> float:
    """Cluster-robust variance of the mean of ``values``.

    One way: the sandwich estimator with the factor G / (G - 1), as of a regression on a constant. Two
    ways (questions crossed with roles): Cameron, Gelbach and Miller (2011), V1 + V2 - V12. That
    difference can come out below either part, even negative; the largest of the three is taken,
    so that a second kind of cluster never makes a number look more certain.

    Args:
        values: ``[n]``.
        first: cluster of each value.
        second: its other cluster.

    Returns:
        The variance; ``nan`` with one cluster only.
    """
    residuals = values - values.mean()
    one = _one_way(residuals, first)
    if second is None:
        return one
    two = _one_way(residuals, second)
    both = _one_way(residuals, list(zip(first, second, strict=True)))
    return max(one, two, one + two - both)


def _one_way(residuals: Floats, names: Sequence[Hashable]) -> float:
    sums = cluster_sums(residuals, names)
    g, n = len(sums), len(residuals)
    return float(g / (g - 1) * (sums @ sums) / n**2) if g > 1 else float("nan")
