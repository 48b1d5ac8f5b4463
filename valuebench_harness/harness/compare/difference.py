"""What is known of the difference of a metric between two sides."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from valuebench_harness.metrics.paired import POWER
from valuebench_harness.metrics.rates import LEVEL

Floats = NDArray[np.float64]

# Means of several answers do not cancel to the last bit.
_NOTHING = 1e-9


@dataclass(frozen=True)
class Difference:
    """Second minus first.

    Attributes:
        before: the metric on the first side; ``None`` where undefined.
        after: on the second.
        estimate: of the difference.
        low: lower end of its 95% interval; ``None`` where the sample does not tell how far it is to be trusted.
        high: upper end.
        n: documents compared: what was asked, however many conditions it was answered under.
        unscored: documents under a condition that are left out, since one side has no verdict on them.
        up: documents whose outcome rose, over all conditions.
        down: documents whose outcome fell.
        p_worse: one-sided p of "not worse by more than the margin": small speaks for a regression.
        detectable: the least true difference that 80% of such samples would show.
    """

    before: float | None
    after: float | None
    estimate: float | None
    low: float | None
    high: float | None
    n: int
    unscored: int
    up: int = 0
    down: int = 0
    p_worse: float | None = None
    detectable: float | None = None


def directions(changes: Floats) -> tuple[int, int]:
    """How many changes are up and how many down.

    Args:
        changes: of the documents, ``[n_documents]``.
    """
    return int((changes > _NOTHING).sum()), int((changes < -_NOTHING).sum())


def detectable(error: float) -> float:
    """The least true difference that 80% of samples with this standard error would show (Bloom 1995)."""
    normal = NormalDist()
    return (normal.inv_cdf((1 + LEVEL) / 2) + normal.inv_cdf(POWER)) * error
