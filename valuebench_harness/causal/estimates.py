"""Estimates with intervals from resampled clusters."""

from __future__ import annotations

import math

import numpy as np
from pydantic import BaseModel, ConfigDict

from valuebench_harness.causal.table import FloatArray, IntArray
from valuebench_harness.metrics.rates import LEVEL

DRAWS = 2000
"""Bootstrap samples behind an interval."""


class Estimate(BaseModel):
    """A number with its interval.

    Attributes:
        estimate: ``None`` where it is undefined.
        low: lower end of the 95% interval: percentile bootstrap over the clusters; ``None`` where there
            are fewer than two clusters, or half the samples left the number undefined.
        high: upper end.
        n: clusters that were resampled, the smaller number where there are two kinds.
    """

    model_config = ConfigDict(frozen=True)

    estimate: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0


def cluster_counts(clusters: int, draws: int, rng: np.random.Generator) -> FloatArray:
    """How often each cluster is drawn in each bootstrap sample, ``[draws, clusters]``."""
    return rng.multinomial(clusters, np.full(clusters, 1 / clusters), size=draws).astype(np.float64)


def crossed_counts(roles: IntArray, settings: IntArray, draws: int, rng: np.random.Generator) -> FloatArray:
    """Weights of rows when roles and settings are both resampled, ``[draws, rows]``.

    The pigeonhole bootstrap (Owen 2007, "The pigeonhole bootstrap", Annals of Applied Statistics 1):
    a row counts as often as its role was drawn times as often as its setting was. It errs on the side
    of wide intervals; with one role or one setting only the other is resampled.
    """
    weights = np.ones((draws, len(roles)))
    for clusters in (roles, settings):
        distinct = int(clusters.max(initial=0)) + 1
        if distinct > 1:
            weights *= cluster_counts(distinct, draws, rng)[:, clusters]
    return weights


def interval(estimate: float, samples: FloatArray, n: int) -> Estimate:
    """An estimate with the percentile interval of its bootstrap samples."""
    if math.isnan(estimate):
        return Estimate(estimate=None, n=n)
    known = samples[~np.isnan(samples)]
    if n < 2 or len(known) < len(samples) / 2:
        return Estimate(estimate=estimate, n=n)
    tail = (1 - LEVEL) / 2 * 100
    low, high = np.percentile(known, [tail, 100 - tail])
    # A percentile interval can miss a biased estimate by a hair; it must not exclude what it is of.
    return Estimate(estimate=estimate, low=min(float(low), estimate), high=max(float(high), estimate), n=n)
