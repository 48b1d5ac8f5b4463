"""Rates of a verdict, with what is not known about them.

A rate carries its 95% interval, its n and the number of unscored answers; the answers that
were not scored bound it from both sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from pydantic import BaseModel, ConfigDict

LEVEL = 0.95
Z = NormalDist().inv_cdf(0.5 + LEVEL / 2)


class Rate(BaseModel):
    """A share of scored answers.

    Attributes:
        estimate: hits / scored; ``None`` where nothing was scored.
        low: lower end of the 95% interval.
        high: upper end.
        n: scored answers.
        hits: answers that count.
        unscored: answers without a verdict.
        clusters: distinct items behind the answers.
        worst: the rate if every unscored answer were a miss.
        best: the rate if every one were a hit.
    """

    model_config = ConfigDict(frozen=True)

    estimate: float | None
    low: float | None
    high: float | None
    n: int
    hits: int
    unscored: int
    clusters: int
    worst: float | None
    best: float | None


def wilson(hits: float, n: float) -> tuple[float, float]:
    """Wilson's score interval at 95% (Wilson 1927); ``n`` may be an effective sample size."""
    p = hits / n
    centre = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * np.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
    # Rounding must not push an end past the rate itself, which no hits and no misses are equal to.
    return max(0.0, min(p, float(centre - half))), min(1.0, max(p, float(centre + half)))


def rate(outcomes: Sequence[bool | None], clusters: Sequence[str]) -> Rate:
    """The rate of ``True`` among scored outcomes.

    Answers to one item are alike, so with several answers an item Wilson's interval is taken
    at the effective sample size ``n / deff``, the design effect being the ratio of the
    cluster-robust variance of the mean to the binomial one (Miller 2024, "Adding error bars to
    evals"; never taken below 1).

    Args:
        outcomes: ``None`` is unscored.
        clusters: the item behind each outcome, same length.
    """
    scored = [(bool(o), c) for o, c in zip(outcomes, clusters, strict=True) if o is not None]
    n, total = len(scored), len(outcomes)
    hits = sum(o for o, _ in scored)
    unscored = total - n
    bounds = (hits / total, (hits + unscored) / total) if total else (None, None)
    distinct = len({c for _, c in scored})
    if n == 0:
        return Rate(
            estimate=None,
            low=None,
            high=None,
            n=0,
            hits=0,
            unscored=unscored,
            clusters=0,
            worst=bounds[0],
            best=bounds[1],
        )
    effective = n / design_effect([o for o, _ in scored], [c for _, c in scored])
    low, high = wilson(hits * effective / n, effective)
    return Rate(
        estimate=hits / n,
        low=low,
        high=high,
        n=n,
        hits=hits,
        unscored=unscored,
        clusters=distinct,
        worst=bounds[0],
        best=bounds[1],
    )


def design_effect(outcomes: Sequence[bool], clusters: Sequence[str]) -> float:
    """Cluster-robust over binomial variance of a mean, at least 1."""
    n = len(outcomes)
    p = sum(outcomes) / n
    sums: dict[str, float] = {}
    for outcome, cluster in zip(outcomes, clusters, strict=True):
        sums[cluster] = sums.get(cluster, 0.0) + outcome - p
    g = len(sums)
    if g == n:
        return 1.0
    if g == 1 or p in (0.0, 1.0):
        return n / g  # answers to one item may be copies of each other: count the item once
    robust = g / (g - 1) * sum(s * s for s in sums.values()) / n**2
    return max(1.0, robust / (p * (1 - p) / n))
