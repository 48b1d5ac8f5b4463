"""Do raters agree with each other? Fleiss' kappa and Krippendorff's alpha for labels without an order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from valuebench_harness.metrics.confusion import Estimate
from valuebench_harness.metrics.rates import LEVEL

Floats = NDArray[np.float64]
RESAMPLES = 2_000


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


def reliability(ratings: Sequence[Mapping[str, str]], labels: Sequence[str], *, seed: int = 0) -> Reliability:
    """Both measures with 95% intervals by resampling items.

    They are undefined where all labels are the same one: agreement by chance is perfect then. Where raters agree on
    every item, resampling says nothing, and there is no interval.

    Args:
        ratings: by item, rater to label; raters may be missing.
        labels: all there are.
        seed: of resampling.
    """
    raters = {name for found in ratings for name in found}
    place = {label: n for n, label in enumerate(labels)}
    counts = np.zeros((len(ratings), len(labels)))
    for row, found in zip(counts, ratings, strict=True):
        for label in found.values():
            row[place[label]] += 1
    shared = counts[counts.sum(axis=1) >= 2]
    whole = counts[counts.sum(axis=1) == len(raters)] if len(raters) > 1 else counts[:0]
    return Reliability(
        fleiss=_resampled(fleiss_kappa, whole, seed),
        fleiss_items=len(whole),
        alpha=_resampled(krippendorff_alpha, shared, seed),
        alpha_items=len(shared),
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
    return np.asarray(np.where(room > 1e-12, (observed - expected) / np.where(room > 1e-12, room, 1.0), np.nan))


def _resampled(function: Callable[[Floats], Floats], counts: Floats, seed: int) -> Estimate:
    if not len(counts) or np.isnan(estimate := float(function(counts))):
        return Estimate(estimate=None, low=None, high=None)
    draws = np.random.default_rng(seed).integers(0, len(counts), size=(RESAMPLES, len(counts)))
    found = function(counts[draws])
    found = found[~np.isnan(found)]
    if len(counts) < 2 or estimate == 1 or not len(found):
        return Estimate(estimate=estimate, low=None, high=None)
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(estimate=estimate, low=min(float(low), estimate), high=max(float(high), estimate))
