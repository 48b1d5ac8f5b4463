"""What would the rate be with human labels? Prediction-powered inference corrects a judge's bias with a few of them.

Angelopoulos, Duchi and Zrnic, "PPI++" (2023): the judge's verdicts on all answers, plus the mean error that the
labelled ones reveal. Its interval covers the rate that people would give, however bad the judge is; a good judge
makes it narrow. Items are a sample too: with several answers an item no number of labels makes the interval narrower
than that of the rate with all answers labelled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from valuebench_harness.metrics.clusters import cluster_sums
from valuebench_harness.metrics.confusion import Estimate
from valuebench_harness.metrics.effective_size import effective_size, equal_items, size_of_variance
from valuebench_harness.metrics.rates import student

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Opinions:
    """What judge and people say of one answer.

    Attributes:
        item: that was answered.
        text: what people read; equal answers to an item share it, and its label.
        judge: the judge's verdict.
        people: the label; ``None`` without one.
    """

    item: str
    text: str
    judge: bool
    people: bool | None


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
        items: distinct items behind all answers.
        residual: variance of one label's error, from which :func:`labels_needed` plans.
        floor: variance that would be left were every answer labelled, since the items are a sample.
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
    items: int
    residual: float | None = None
    floor: float | None = None


def corrected_rate(answers: Sequence[Opinions]) -> CorrectedRate:
    """The rate that people would give to all answers, and to others to such items.

    The estimate is PPI++ with its own choice of the judge's weight. Its variance has two parts. One is that of the
    labels, a sample of the answers: R (1/n - 1/N), n of N answers being labelled and R the variance of people minus
    b times judge, b the slope of people on the judge. The other is that of the items, which no label makes smaller.
    It is what the variance robust to clusters, summed by item over labelled *and* other answers, has above the first,
    and enters as an effective number of answers. With one answer an item both are PPI++'s variance.

    For the interval half an answer is added to each cell of the table of people by judge, as Agresti and Min do for
    matched pairs: with 100 labels a good judge errs on a handful, and an interval from the bare counts would be too
    narrow, of no width at all where it erred on none. The quantile is Student's, with a degree of freedom for each
    labelled item but one.

    Args:
        answers: those with a label being a sample in which each answer is as likely as another.
    """
    labelled = [a for a in answers if a.people is not None]
    found = _fit(answers) if len(labelled) > 1 else None
    judged = float(np.mean([a.judge for a in answers])) if answers else None
    people = float(np.mean([bool(a.people) for a in labelled])) if found else None
    low, high = _interval(found.middle, found.half, found.estimate, 0.0) if found else (None, None)
    return CorrectedRate(
        estimate=found.estimate if found else None,
        low=low,
        high=high,
        judged=judged,
        labelled=people,
        bias=float(np.mean([a.judge for a in labelled])) - people if people is not None else None,
        trust=found.trust if found else 0.0,
        labels=len(labelled),
        answers=len(answers),
        items=len({a.item for a in answers}),
        residual=found.residual if found else None,
        floor=found.floor if found else None,
    )


def corrected_change(before: Sequence[Opinions], after: Sequence[Opinions]) -> Estimate:
    """Difference of two corrected rates, with a 95% interval.

    Both are summed by item, so that items which they share count as pairs: the covariance of the two is taken off the
    variance of the difference, or added where answers to the same items go opposite ways. With one answer an item and
    every answer labelled this is all but Agresti and Min's interval for matched pairs (2005) at Student's quantile, and
    as there it keeps a width where no item changed.

    Args:
        before: answers of the first rate.
        after: those of the second; items of the same name are the same.
    """
    if any(sum(a.people is not None for a in answers) < 2 for answers in (before, after)):
        return Estimate(estimate=None, low=None, high=None)
    first, second = _fit(before), _fit(after)
    shared = sum(part * second.parts[item] for item, part in first.parts.items() if item in second.parts)
    shared *= first.size / (first.size + 2) * second.size / (second.size + 2)
    least = 1 / (min(first.size, second.size) + 2) ** 2  # Agresti and Min's, where no pair differs
    variance = max(first.variance + second.variance - 2 * shared, least)
    half = student(min(first.degrees, second.degrees)) * math.sqrt(variance)
    estimate = second.estimate - first.estimate
    low, high = _interval(second.middle - first.middle, half, estimate, -1.0)
    return Estimate(estimate=estimate, low=low, high=high)


def labels_needed(found: CorrectedRate, width: float) -> int | None:
    """Labels with which the interval of the corrected rate would be ``width`` wide, from those there are.

    Args:
        found: from a first batch of labels.
        width: of the whole interval, in shares, such as 0.1.

    Returns:
        The number; ``None`` where the answers or items are too few for any number of labels, or nothing is known yet.

    Raises:
        ValueError: for a width that is not in (0, 1].
    """
    if not 0 < width <= 1:
        raise ValueError(f"width {width} is not between 0 and 1")
    if found.residual is None or found.floor is None:
        return None
    for labels in range(2, found.answers + 1):
        variance = _variance(found.residual, found.floor, labels, found.answers)
        if 2 * student(max(1, min(labels, found.items) - 1)) * math.sqrt(variance) <= width:
            return labels
    return None


@dataclass(frozen=True)
class _Fit:
    """What the intervals of a rate and of a change are made of.

    ``middle`` is the centre of the rate's interval, ``parts`` what each item adds to its error, ``size`` the number of
    answers to distinct items that all answers are worth.
    """

    estimate: float
    middle: float
    trust: float
    residual: float
    floor: float
    variance: float
    size: float
    degrees: int
    parts: dict[str, float]

    @property
    def half(self) -> float:
        return student(self.degrees) * math.sqrt(self.variance)


def _fit(answers: Sequence[Opinions]) -> _Fit:
    labelled = [a for a in answers if a.people is not None]
    others = [a for a in answers if a.people is None]
    n, total = len(labelled), len(answers)
    y = np.array([a.people for a in labelled], dtype=np.float64)
    f = np.array([a.judge for a in labelled], dtype=np.float64)
    g = np.array([a.judge for a in others], dtype=np.float64)
    rest = float(g.mean()) if others else 0.0
    asked = [a.item for a in labelled]

    cells, share = _cells(y, f), float(y.mean())
    smooth = cells * effective_size(y, asked, np.array([0.0, 1.0])) / n + 0.5
    smooth /= smooth.sum()
    trust, slope = _slope(cells) * len(others) / total, _slope(smooth)
    lean = slope * len(others) / total

    names = [*asked, *(a.item for a in others)]
    parts = cluster_sums(np.concatenate([_errors(y - lean * f), _errors(lean * g)]), names)
    groups = len(parts)
    robust = groups / (groups - 1) * float(parts @ parts) if groups > 1 else math.nan
    residuals = y - slope * f
    copies = n / effective_size(residuals, [a.text for a in labelled], _values(slope))
    of_labels = float(residuals.var()) * copies * (1 / n - 1 / total)
    alone = float(y.var())
    prior = ((1 - share) ** 2 + share**2) / 2
    size = size_of_variance(total, equal_items(names), max(alone / total, robust - of_labels), alone, prior)

    residual, floor = _spread(smooth, slope) * copies, _spread(smooth, 0.0) / (size + 2)
    return _Fit(
        estimate=min(1.0, max(0.0, share - trust * float(f.mean()) + trust * rest)),
        middle=float((smooth * _values(lean)).sum()) + lean * rest,
        trust=trust,
        residual=residual,
        floor=floor,
        variance=_variance(residual, floor, n, total),
        size=size,
        degrees=max(1, len(set(asked)) - 1),
        parts=dict(zip(dict.fromkeys(names), parts.tolist(), strict=True)),
    )


def _errors(values: Floats) -> Floats:
    """What each value adds to the error of their mean."""
    return (values - values.mean()) / len(values) if len(values) else values


def _variance(residual: float, floor: float, labels: int, answers: int) -> float:
    """Of the corrected rate with so many labels."""
    return residual * (1 / (labels + 2) - 1 / (answers + 2)) + floor


def _interval(middle: float, half: float, estimate: float, least: float) -> tuple[float, float]:
    """Never past the estimate itself, nor past ``least`` and 1."""
    return max(least, min(middle - half, estimate)), min(1.0, max(middle + half, estimate))


def _cells(y: Floats, f: Floats) -> Floats:
    """Counts, [people no/yes, judge no/yes]."""
    counts = np.bincount((2 * y + f).astype(np.intp), minlength=4).astype(np.float64)
    return counts.reshape(2, 2)


def _values(slope: float) -> Floats:
    """People minus ``slope`` times judge, by the same cells."""
    return np.array([[0.0, -slope], [1.0, 1.0 - slope]])


def _spread(shares: Floats, slope: float) -> float:
    """Variance of people minus ``slope`` times judge."""
    values = _values(slope)
    return float((shares * (values - (shares * values).sum()) ** 2).sum())


def _slope(cells: Floats) -> float:
    """Regression slope of people on the judge, in [0, 1]; 0 where the judge always says the same.

    Times the share of answers without a label it is PPI++'s tuned weight cov(people, judge) / ((1 + n/N) var(judge)).
    """
    no, yes = cells.sum(axis=0)
    return max(0.0, float(cells[1, 1] / yes - cells[1, 0] / no)) if no and yes else 0.0
