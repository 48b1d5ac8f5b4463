"""Changes between two conditions on the same items."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist

import numpy as np
from pydantic import BaseModel, ConfigDict

from valuebench_harness.metrics.rates import LEVEL, Z
from valuebench_harness.metrics.sign_flips import permutation_test

POWER = 0.8
"""Chance of being shown that a difference must have to be called detectable."""


class Change(BaseModel):
    """A paired difference of two rates.

    Attributes:
        estimate: second minus first; ``None`` where no item was scored in both.
        low: lower end of the 95% interval.
        high: upper end.
        n: items scored in both conditions.
        up: items that changed from miss to hit (single answers only).
        down: items that changed from hit to miss (single answers only).
        unscored: items left out because one side has no verdict.
        p: two-sided p of no change where the two sides of each item may be exchanged, exact: McNemar's with single
            answers. It is made for families of tests, whose levels lie where the interval's tail is too light.
        variance: of the estimate, over items, unbiased; ``None`` with fewer than two of them.
    """

    model_config = ConfigDict(frozen=True)

    estimate: float | None
    low: float | None
    high: float | None
    n: int
    up: int
    down: int
    unscored: int
    p: float | None
    variance: float | None

    @property
    def shown(self) -> bool:
        """Whether the interval excludes no change."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    @property
    def error(self) -> float | None:
        """Standard error, of the interval."""
        return None if self.low is None or self.high is None else (self.high - self.low) / (2 * Z)

    @property
    def detectable(self) -> float | None:
        """The least true change that 80% of such samples would show, at this one's error.

        (z(.975) + z(.8)) standard errors (Bloom 1995, "Minimum detectable effects"). A change that is not
        shown says no more than that it is probably smaller than this.
        """
        return self.detectable_among(1)

    def detectable_among(self, tests: int) -> float | None:
        """The same where the change is one of so many tests at a joint level of 5%.

        At Bonferroni's level for each, which Holm's correction never falls below: what is detectable there
        is so under Holm's.
        """
        z = NormalDist().inv_cdf(1 - (1 - LEVEL) / (2 * tests))
        return None if self.error is None else (z + NormalDist().inv_cdf(POWER)) * self.error


Outcomes = Mapping[str, list[bool | None]]
"""Item id to the outcomes of its answers, in the order of the repeats."""


def paired_change(before: Outcomes, after: Outcomes) -> Change:
    """The change of a rate from ``before`` to ``after`` over the items of both.

    The interval is Agresti and Min's adjusted Wald interval for matched pairs (Statistics in
    Medicine 2005): half a pair is added to each of the four cells, that is two items whose
    differences sum to 0 and their squares to 1, so that it keeps a width where no item changed.
    With several answers an item the same formula takes the items' mean differences, the items
    being the clusters.
    """
    items = [i for i in before if i in after]
    pairs = [
        ([bool(o) for o in before[i] if o is not None], [bool(o) for o in after[i] if o is not None]) for i in items
    ]
    scored = [(b, a) for b, a in pairs if b and a]
    unscored = len(items) - len(scored)
    n = len(scored)
    if n == 0:
        return Change(estimate=None, low=None, high=None, n=0, up=0, down=0, unscored=unscored, p=None, variance=None)
    single = all(len(b) == len(a) == 1 for b, a in scored)
    differences = np.array([np.mean(a) - np.mean(b) for b, a in scored])
    total = float(differences.sum())
    centre = total / (n + 2)
    half = Z * np.sqrt((differences**2).sum() + 1 - total**2 / (n + 2)) / (n + 2)
    return Change(
        estimate=total / n,
        low=max(-1.0, min(total / n, float(centre - half))),
        high=min(1.0, max(total / n, float(centre + half))),
        n=n,
        up=int((differences > 0).sum()) if single else 0,
        down=int((differences < 0).sum()) if single else 0,
        unscored=unscored,
        p=permutation_test(differences, [str(k) for k in range(n)]),
        variance=float(differences.var(ddof=1)) / n if n > 1 else None,
    )
