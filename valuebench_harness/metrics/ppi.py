"""What would the rate be with human labels? Prediction-powered inference corrects a judge's bias with a few of them.

Angelopoulos, Duchi and Zrnic, "PPI++" (2023): the judge's verdicts on all answers, plus the mean error that the
labelled ones reveal. Its interval covers the rate that people would give, however bad the judge is; a good judge
makes it narrow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from valuebench_harness.metrics.clusters import mean_variance
from valuebench_harness.metrics.confusion import Estimate
from valuebench_harness.metrics.rates import Z, student

Floats = NDArray[np.float64]


class CorrectedRate(BaseModel):
    """A rate in the eyes of people, estimated from a judge and a few labels.

    Attributes:
        estimate: the corrected rate; ``None`` with fewer than two labels.
        low: lower end of its 95% interval.
        high: upper end.
        judged: what the judge alone says, over all answers.
        labelled: what people say, over the labelled answers alone.
        bias: mean of judge minus people over the labelled answers.
        trust: weight of the judge's verdicts in [0, 1], as the labels bear them out; 0 leaves the labels alone.
        labels: labelled answers.
        answers: all answers, labelled or not.
        residual: variance of one label's error, from which :func:`labels_needed` plans.
        spread: variance of the judge's part.
    """

    model_config = ConfigDict(frozen=True)

    estimate: float | None
    low: float | None
    high: float | None
    judged: float | None
    labelled: float | None
    bias: float | None
    trust: float
    labels: int
    answers: int
    residual: float | None = None
    spread: float | None = None


def corrected_rate(
    people: Sequence[bool], judge: Sequence[bool], rest: Sequence[bool], clusters: Sequence[str] | None = None
) -> CorrectedRate:
    """The rate that people would give to all answers.

    The estimate is PPI++ with its own choice of the judge's weight. For the interval half an answer is added to each
    cell of the table of people by judge, as Agresti and Min do for matched pairs: with 100 labels a good judge errs on
    a handful, and an interval from the bare counts would be too narrow, of no width at all where it erred on none.

    Args:
        people: labels of the labelled answers, a sample in which each answer is as likely as another.
        judge: the judge's verdicts on the same answers.
        rest: its verdicts on the answers without a label.
        clusters: item behind each labelled answer, where items have several.
    """
    y, f, g = (np.asarray(x, dtype=np.float64) for x in (people, judge, rest))
    n, others = len(y), len(g)
    judged = float(np.concatenate([f, g]).mean()) if n + others else None
    if n < 2:
        return CorrectedRate(
            estimate=None,
            low=None,
            high=None,
            judged=judged,
            labelled=None,
            bias=None,
            trust=0.0,
            labels=n,
            answers=n + others,
        )
    trust = _trust(_cells(y, f), n, others)
    estimate = _point(y.mean(), f.mean(), g, trust)
    smooth = _cells(y, f) + 0.5
    shares = smooth / smooth.sum()
    lean = _trust(smooth, n, others)
    values = np.array([[0.0, -lean], [1.0, 1.0 - lean]])  # people minus trusted judge, [people, judge]
    centre = float((shares * values).sum())
    residual = float((shares * (values - centre) ** 2).sum()) * _design(y - lean * f, clusters)
    spread = lean**2 * float(g.var()) if others else 0.0
    half = student(n - 1) * math.sqrt(residual / (n + 2) + (spread / others if others else 0.0))
    middle = centre + (lean * float(g.mean()) if others else 0.0)
    return CorrectedRate(
        estimate=min(1.0, max(0.0, estimate)),
        low=max(0.0, min(middle - half, estimate)),
        high=min(1.0, max(middle + half, estimate)),
        judged=judged,
        labelled=float(y.mean()),
        bias=float(f.mean() - y.mean()),
        trust=trust,
        labels=n,
        answers=n + others,
        residual=residual,
        spread=spread,
    )


def corrected_change(before: CorrectedRate, after: CorrectedRate) -> Estimate:
    """Difference of two corrected rates, with a 95% interval from theirs (MOVER, Zou and Donner 2008).

    The two are taken as independent. Answers to the same items are alike, which the interval does not use: it is too
    wide rather than too narrow.
    """
    ends = (before.estimate, before.low, before.high, after.estimate, after.low, after.high)
    if any(end is None for end in ends):
        return Estimate(estimate=None, low=None, high=None)
    p, p_low, p_high, q, q_low, q_high = (float(end or 0.0) for end in ends)
    return Estimate(
        estimate=q - p,
        low=q - p - math.hypot(q - q_low, p_high - p),
        high=q - p + math.hypot(q_high - q, p - p_low),
    )


def labels_needed(found: CorrectedRate, width: float) -> int | None:
    """Labels with which the interval of the corrected rate would be ``width`` wide, from those there are.

    Args:
        found: from a first batch of labels.
        width: of the whole interval, in shares, such as 0.1.

    Returns:
        The number; ``None`` where the answers are too few for any number of labels, or nothing is known yet.

    Raises:
        ValueError: for a width that is not in (0, 1].
    """
    if not 0 < width <= 1:
        raise ValueError(f"width {width} is not between 0 and 1")
    if found.residual is None or found.spread is None:
        return None
    for labels in range(2, found.answers + 1):
        others = found.answers - labels
        error = found.residual / (labels + 2) + (found.spread / others if others else 0.0)
        if 2 * Z * math.sqrt(error) <= width:
            return labels
    return None


def _cells(y: Floats, f: Floats) -> Floats:
    """Counts, [people no/yes, judge no/yes]."""
    counts = np.bincount((2 * y + f).astype(np.intp), minlength=4).astype(np.float64)
    return counts.reshape(2, 2)


def _trust(cells: Floats, labels: int, others: int) -> float:
    """PPI++'s tuned weight cov(people, judge) / ((1 + n/N) var(judge)) in [0, 1]; 0 where no others are left."""
    if not others:
        return 0.0
    shares = cells / cells.sum()
    people, judge = shares[1].sum(), shares[:, 1].sum()
    variance = judge * (1 - judge)
    if variance <= 0:
        return 0.0
    return float(np.clip((shares[1, 1] - people * judge) / ((1 + labels / others) * variance), 0.0, 1.0))


def _point(people: float, judge: float, rest: Floats, trust: float) -> float:
    return float(people - trust * judge + (trust * rest.mean() if len(rest) else 0.0))


def _design(errors: Floats, clusters: Sequence[str] | None) -> float:
    """Cluster-robust over plain variance of the mean error, at least 1."""
    if clusters is None or len(set(clusters)) in {1, len(errors)} or errors.var() == 0:
        return 1.0
    return max(1.0, mean_variance(errors, clusters) / (float(errors.var()) / len(errors)))
