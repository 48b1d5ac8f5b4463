"""Rates of a verdict, with what is not known about them.

A rate carries its 95% interval, its n and the number of unscored answers; the answers that
were not scored bound it from both sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from pydantic import BaseModel, ConfigDict

from valuebench_harness.metrics.clusters import mean_variance
from valuebench_harness.metrics.effective_size import equal_items, size_of_variance

LEVEL = 0.95
Z = NormalDist().inv_cdf(0.5 + LEVEL / 2)
FEW_UP_TO = 50
"""Answers up to which two hits (or misses) are few; above, three are."""


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


def wilson(hits: float, n: float, z: float = Z) -> tuple[float, float]:
    """Wilson's score interval (Wilson 1927), 95% by default; ``n`` may be an effective sample size."""
    p = hits / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    # Rounding must not push an end past the rate itself, which no hits and no misses are equal to.
    return max(0.0, min(p, float(centre - half))), min(1.0, max(p, float(centre + half)))


def score_interval(hits: float, n: float, z: float = Z) -> tuple[float, float]:
    """Wilson's interval, widened where hits or misses are few (Brown, Cai & DasGupta 2001, Sect. 4.1.1).

    Wilson's ends fall short of rates very near 0 and 1: of 48 answers its interval holds a rate of .9965 in 85% of
    samples. Where a few hits were seen, they are taken as Poisson's instead, and the lower end is the least rate at
    which so many had a chance of 5%; likewise the upper end, for misses.

    Args:
        hits: answers that count.
        n: answers, or an effective number of them.
        z: quantile for Wilson's ends.
    """
    low, high = wilson(hits, n, z)
    few = 2 if n <= FEW_UP_TO else 3
    if 0 < hits <= few:
        low = min(low, _least_count(hits) / n)
    if 0 < n - hits <= few:
        high = max(high, 1 - _least_count(n - hits) / n)
    return low, high


def _least_count(count: float) -> float:
    """The least mean of a Poisson count at which ``count`` or more have a chance of 5%."""
    from scipy.special import gammaincinv

    return float(gammaincinv(count, 1 - LEVEL))


def rate(outcomes: Sequence[bool | None], clusters: Sequence[str], roles: Sequence[str] | None = None) -> Rate:
    """The rate of ``True`` among scored outcomes.

    Answers to one item are alike, so with several answers an item :func:`score_interval` is taken at
    the effective sample size ``n / deff``, :func:`design_effect` being the ratio of the cluster-robust
    variance of the mean to the binomial one (Miller 2024, "Adding error bars to evals"). That variance
    is itself estimated, from G clusters: the quantile is Student's with G - 1 degrees of freedom.

    Args:
        outcomes: ``None`` is unscored.
        clusters: the item behind each outcome, same length.
        roles: who answers, same length, where several roles answer the same items: both are
            clusters then.
    """
    kinds = [clusters] if roles is None else [clusters, roles]
    scored = [(bool(o), *names) for o, *names in zip(outcomes, *kinds, strict=True) if o is not None]
    n, total = len(scored), len(outcomes)
    hits = sum(row[0] for row in scored)
    unscored = total - n
    bounds = (hits / total, (hits + unscored) / total) if total else (None, None)
    names = [[str(row[k]) for row in scored] for k in range(1, len(kinds) + 1)]
    low = high = None
    if n:
        effective = n / design_effect([row[0] for row in scored], *names)
        groups = _groups(names)
        estimated = 1 < groups < n and 0 < hits < n
        low, high = score_interval(hits * effective / n, effective, student(groups - 1) if estimated else Z)
    return Rate(
        estimate=hits / n if n else None,
        low=low,
        high=high,
        n=n,
        hits=hits,
        unscored=unscored,
        clusters=len(set(names[0])),
        worst=bounds[0],
        best=bounds[1],
    )


def student(degrees: float, level: float = LEVEL) -> float:
    """Two-sided quantile of Student's distribution."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.5 + level / 2))


def design_effect(outcomes: Sequence[bool], clusters: Sequence[str], roles: Sequence[str] | None = None) -> float:
    """Cluster-robust over binomial variance of a mean, at least 1; ``roles`` is a second kind of cluster.

    One item of alike answers is added to both, as in
    :func:`~valuebench_harness.metrics.effective_size.effective_size`: of a handful of misses nobody can tell whether
    they come by item, and the effect found is then often 1 by luck.
    """
    n, p = len(outcomes), sum(outcomes) / len(outcomes)
    varied = [kind for kind in ([clusters] if roles is None else [clusters, roles]) if len(set(kind)) > 1]
    if not varied:
        return float(n)  # answers to one item may be copies of each other: they count once
    robust = 0.0 if p in (0.0, 1.0) else mean_variance(np.asarray(outcomes, dtype=np.float64), *varied)
    prior = (p**2 + (1 - p) ** 2) / 2
    return n / size_of_variance(n, min(map(equal_items, varied)), robust, p * (1 - p), prior)


def _groups(kinds: Sequence[Sequence[str]]) -> int:
    """Clusters of the kind that has fewest; a kind with one member cannot vary and does not count."""
    return min((g for g in (len(set(k)) for k in kinds) if g > 1), default=1)
