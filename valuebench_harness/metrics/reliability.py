"""Do raters agree with each other? Fleiss' kappa and Krippendorff's alpha for labels without an order."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from valuebench_harness.metrics.clusters import labels as cluster_labels
from valuebench_harness.metrics.confusion import Estimate
from valuebench_harness.metrics.rates import LEVEL

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
RESAMPLES = 2_000
SAME = 1e-12
"""Width below which numbers differ by rounding alone."""


class Reliability(BaseModel):
    """Agreement between raters.

    Attributes:
        fleiss: Fleiss' kappa (1971), over the items that all raters labelled.
        fleiss_items: how many those are.
        alpha: Krippendorff's alpha (nominal), over the items that two raters or more labelled.
        alpha_items: how many those are.
        raters: how many.
    """

    model_config = ConfigDict(frozen=True)

    fleiss: Estimate
    fleiss_items: int
    alpha: Estimate
    alpha_items: int
    raters: int


def reliability(
    ratings: Sequence[Mapping[str, str]], labels: Sequence[str], clusters: Sequence[Hashable], *, seed: int = 0
) -> Reliability:
    """Both measures with 95% intervals by resampling clusters of items.

    They are undefined where all labels are the same one: agreement by chance is perfect then. Where every resample
    gives the same number (raters agree on every item, or differ alike on all of them), resampling says nothing of how
    sure it is, and there is no interval.

    Args:
        ratings: by item, rater to label; raters may be missing.
        labels: all there are.
        clusters: of each item, such as the question whose answers they are.
        seed: of resampling.
    """
    raters = {name for found in ratings for name in found}
    place = {label: n for n, label in enumerate(labels)}
    counts = np.zeros((len(ratings), len(labels)))
    for row, found in zip(counts, ratings, strict=True):
        for label in found.values():
            row[place[label]] += 1
    names, _ = cluster_labels(clusters)
    shared = counts.sum(axis=1) >= 2
    whole = (counts.sum(axis=1) == len(raters)) & shared
    return Reliability(
        fleiss=_resampled(fleiss_kappa, counts[whole], names[whole], seed),
        fleiss_items=int(whole.sum()),
        alpha=_resampled(krippendorff_alpha, counts[shared], names[shared], seed),
        alpha_items=int(shared.sum()),
        raters=len(raters),
    )


def fleiss_kappa(counts: Floats) -> Floats:
    """Fleiss' kappa of label counts ``[..., n_items, n_labels]`` with the same number of raters an item."""
    m = counts.sum(axis=-1)
    observed = (((counts**2).sum(axis=-1) - m) / (m * (m - 1))).mean(axis=-1)
    shares = counts.sum(axis=-2) / m.sum(axis=-1, keepdims=True)
    expected = (shares**2).sum(axis=-1)
    return _above_chance(observed, expected)


def krippendorff_alpha(counts: Floats) -> Floats:
    """Krippendorff's alpha for nominal data, of counts ``[..., n_items, n_labels]``, two raters an item or more."""
    m = counts.sum(axis=-1)
    differ = ((m**2 - (counts**2).sum(axis=-1)) / (m - 1)).sum(axis=-1)
    n, of_label = m.sum(axis=-1), counts.sum(axis=-2)
    expected = (n**2 - (of_label**2).sum(axis=-1)) / (n - 1)
    return _above_chance(-differ, -expected, perfect=0.0)


def _above_chance(observed: Floats, expected: Floats, perfect: float = 1.0) -> Floats:
    room = np.asarray(perfect - expected)
    return np.asarray(np.where(room > SAME, (observed - expected) / np.where(room > SAME, room, 1.0), np.nan))


def _resampled(function: Callable[[Floats], Floats], counts: Floats, names: Places, seed: int) -> Estimate:
    if not len(counts) or np.isnan(estimate := float(function(counts))):
        return Estimate(estimate=None, low=None, high=None)
    members = [np.flatnonzero(names == name) for name in np.unique(names)]
    draws = np.random.default_rng(seed).integers(0, len(members), size=(RESAMPLES, len(members)))
    if len(members) == len(counts):
        found = function(counts[draws])
    else:
        found = np.array([function(counts[np.concatenate([members[n] for n in draw])]) for draw in draws])
    found = found[~np.isnan(found)]
    if not len(found) or np.ptp(found) < SAME:
        return Estimate(estimate=estimate, low=None, high=None)
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(estimate=estimate, low=min(float(low), estimate), high=max(float(high), estimate))
