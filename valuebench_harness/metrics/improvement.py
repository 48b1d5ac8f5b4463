"""ConVA's summary over values: a t-test and the average relative improvement (Jin et al., ACL 2025, 4.2)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from pydantic import BaseModel, ConfigDict

from valuebench_harness.metrics.rates import student


class Improvement(BaseModel):
    """A method against the strongest of its baselines, value by value.

    Attributes:
        relative: mean over values of (method - best) / best; ``None`` where undefined everywhere.
        relative_low: lower end of its 95% interval over values (Student's); ``None`` with fewer than two.
        relative_high: upper end.
        p: two-sided p of the paired t-test over values; ``None`` with fewer than two values, or where
            all values differ by the same amount (zero variance).
        t: its statistic.
        values: values compared.
        undefined: values whose best baseline is 0, so that nothing can be relative to it.
        best: the strongest baseline of each value.
    """

    model_config = ConfigDict(frozen=True)

    relative: float | None
    relative_low: float | None
    relative_high: float | None
    p: float | None
    t: float | None
    values: int
    undefined: int
    best: dict[str, str]


def improvement(method: Mapping[str, float], baselines: Mapping[str, Mapping[str, float]]) -> Improvement:
    """Compares rates by value.

    The paper names the test and not its sample; here the values are the sample, and the pairs are the method's
    rate and that of the best baseline of the same value. Choosing the best after the fact works against
    the method.

    Args:
        method: rate by value.
        baselines: rates by value, by name of the baseline; a value that none of them has is left out.
    """
    best: dict[str, str] = {}
    for value in method:
        known = {name: rates[value] for name, rates in baselines.items() if value in rates}
        if known:
            best[value] = max(known, key=lambda name: known[name])
    ours = np.array([method[v] for v in best])
    theirs = np.array([baselines[name][v] for v, name in best.items()])
    relative = (ours - theirs)[theirs > 0] / theirs[theirs > 0]
    low, high = _interval(relative)
    t, p = paired_t(ours, theirs)
    return Improvement(
        relative=float(relative.mean()) if len(relative) else None,
        relative_low=low,
        relative_high=high,
        p=p,
        t=t,
        values=len(best),
        undefined=int((theirs <= 0).sum()),
        best=best,
    )


def paired_t(first: np.ndarray, second: np.ndarray) -> tuple[float | None, float | None]:
    """Statistic and two-sided p of the paired t-test; ``None`` for fewer than two pairs or zero variance."""
    from scipy.stats import ttest_rel

    if len(first) < 2 or np.ptp(first - second) < 1e-12:
        return None, None
    found = ttest_rel(first, second)
    return float(found.statistic), float(found.pvalue)


def _interval(values: np.ndarray) -> tuple[float | None, float | None]:
    n = len(values)
    if n < 2:
        return None, None
    half = student(n - 1) * values.std(ddof=1) / np.sqrt(n)
    return float(values.mean() - half), float(values.mean() + half)
