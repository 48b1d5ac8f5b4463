"""Is the difference of two methods on the same items real?

McNemar's exact test, a permutation test and the bootstrap see the same paired differences; the last two
keep the answers of a cluster together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from valuebench_harness.metrics.clusters import cluster_sums
from valuebench_harness.metrics.paired import Change, Outcomes, paired_change
from valuebench_harness.metrics.rates import LEVEL
from valuebench_harness.metrics.sign_flips import mcnemar, permutation_test

Floats = NDArray[np.float64]

RESAMPLES = 2_000


class Comparison(BaseModel):
    """Second method against first, on the items that both answered.

    Attributes:
        change: second minus first, with Agresti and Min's interval.
        mcnemar: p of McNemar's exact test; ``None`` with several answers an item, or with nothing scored.
        permutation: p of the paired permutation test, clusters flipped together.
        bootstrap: BCa interval of the difference, clusters resampled together; ``None`` where nothing differs
            within the sample, since resampling it says nothing then.
        clusters: how many were flipped and resampled.
    """

    model_config = ConfigDict(frozen=True)

    change: Change
    mcnemar: float | None
    permutation: float | None
    bootstrap: tuple[float, float] | None
    clusters: int

    @property
    def detectable(self) -> float | None:
        """The least true difference that 80% of such samples would show."""
        return self.change.detectable


def compare(
    first: Outcomes, second: Outcomes, clusters: Mapping[str, str] | None = None, *, seed: int = 0
) -> Comparison:
    """Compares two methods item by item.

    Args:
        first: item to the outcomes of its answers.
        second: the same items, answered under the other method.
        clusters: item to its cluster, such as the role or the question behind it; each item its own by default.
        seed: of resampling.
    """
    differences, names = item_differences(first, second)
    groups = [clusters[name] for name in names] if clusters else names
    change = paired_change(first, second)
    single = all(len(side[name]) == 1 for side in (first, second) for name in names)
    return Comparison(
        change=change,
        mcnemar=mcnemar(change.up, change.down) if single and names else None,
        permutation=permutation_test(differences, groups, seed=seed),
        bootstrap=bootstrap_interval(differences, groups, seed=seed),
        clusters=len(set(groups)),
    )


def item_differences(first: Outcomes, second: Outcomes) -> tuple[Floats, list[str]]:
    """Difference of the mean outcomes of each item that is scored on both sides, and the items' names."""
    found = {}
    for name in first:
        if name not in second:
            continue
        before = [o for o in first[name] if o is not None]
        after = [o for o in second[name] if o is not None]
        if before and after:
            found[name] = float(np.mean(after) - np.mean(before))
    return np.array(list(found.values()), dtype=np.float64), list(found)


def bootstrap_interval(
    differences: Floats, clusters: Sequence[str], *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float] | None:
    """95% BCa interval of the mean difference (Efron 1987), clusters resampled.

    Args:
        differences: ``[n_items]``.
        clusters: of each item.
        resamples: bootstrap samples.
        seed: of them.

    Returns:
        The ends; ``None`` with fewer than two clusters, or where all clusters say the same.
    """
    from scipy.stats import bootstrap

    sums, sizes = cluster_sums(differences, clusters), cluster_sums(np.ones_like(differences), clusters)
    if len(sums) < 2 or np.ptp(sums / sizes) == 0:
        return None

    def mean(total: Floats, size: Floats, axis: int = -1) -> Floats:
        return np.asarray(total.sum(axis=axis) / size.sum(axis=axis))

    found = bootstrap(
        (sums, sizes),
        mean,
        paired=True,
        vectorized=True,
        n_resamples=resamples,
        confidence_level=LEVEL,
        method="BCa",
        batch=200,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(found.low), float(found.high)
