"""What is measured about ``mini``: a figure with its goal, and the intervals figures carry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from valuebench_harness.metrics.rates import wilson

_RESAMPLES = 2_000


class Estimate(BaseModel):
    """A number with its 95% interval and the number of answers (or items) behind it."""

    model_config = ConfigDict(frozen=True)

    estimate: float
    low: float
    high: float
    n: int

    def text(self, digits: int = 3) -> str:
        """The estimate and its interval, such as ``0.982 [0.971, 0.989]``."""
        return f"{self.estimate:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"


class Figure(BaseModel):
    """One row of the model card.

    Attributes:
        id: key in ``card.json``.
        property: what is measured.
        goal: what it should be, in words.
        trial: what the trial model reached.
        result: the outcome in words, with interval and n.
        met: whether the point estimates reach the goal; ``None`` where there is none.
        data: the numbers behind the words.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    property: str
    goal: str
    trial: str
    result: str
    met: bool | None
    data: dict[str, Any]


def share(outcomes: Sequence[bool]) -> Estimate:
    """A share with Wilson's interval."""
    hits, n = sum(outcomes), len(outcomes)
    low, high = wilson(hits, n)
    return Estimate(estimate=hits / n, low=low, high=high, n=n)


def bootstrap(n: int, statistic: Callable[[np.ndarray], float], seed: int = 0) -> Estimate:
    """A statistic of ``n`` units with the percentile interval of resampled units.

    Args:
        n: number of units.
        statistic: maps indices of units (with repetition) to the statistic.
        seed: of the resampling.
    """
    rng = np.random.default_rng(seed)
    draws = [statistic(rng.integers(0, n, n)) for _ in range(_RESAMPLES)]
    low, high = np.nanpercentile(draws, [2.5, 97.5])
    return Estimate(estimate=statistic(np.arange(n)), low=float(low), high=float(high), n=n)


def markdown_table(figures: Sequence[Figure]) -> str:
    """The figures as a Markdown table."""
    lines = ["| property | goal | trial | `mini` [95% interval] | met |", "|---|---|---|---|---|"]
    words = {True: "yes", False: "**no**", None: "-"}
    lines += [f"| {f.property} | {f.goal} | {f.trial} | {f.result} | {words[f.met]} |" for f in figures]
    return "\n".join(lines)
