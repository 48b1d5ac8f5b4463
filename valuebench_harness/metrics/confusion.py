"""How well does a judge agree with people? Confusion matrix and all that follows from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from valuebench_harness.metrics.effective_size import effective_size, equal_items
from valuebench_harness.metrics.rates import LEVEL, Rate, Z, rate, score_interval, student

Floats = NDArray[np.float64]
DRAWS = 4_000
STEP = 1e-6
"""Share of the answers by which a cell is raised to see how kappa moves."""


class Estimate(BaseModel):
    """A number with its 95% interval; ``None`` where it is undefined."""

    model_config = ConfigDict(frozen=True)

    estimate: float | None
    low: float | None
    high: float | None


class ClassScores(BaseModel):
    """One label taken as the positive class.

    Attributes:
        precision: of the answers to which the judge gave the label, those to which people gave it.
        recall: of those to which people gave it and that the judge scored, those to which the judge did.
        f1: their harmonic mean, over what the judge scored.
    """

    model_config = ConfigDict(frozen=True)

    precision: Rate
    recall: Rate
    f1: Estimate


class Agreement(BaseModel):
    """A judge against people.

    Attributes:
        labels: of the question.
        matrix: counts, a row a label that people gave, a column one that the judge gave, the last column
            being what it left unscored.
        accuracy: share of equal labels among those that the judge scored; its unscored count beside it.
        kappa: Cohen's, over the same.
        classes: by label.
    """

    model_config = ConfigDict(frozen=True)

    labels: tuple[str, ...]
    matrix: tuple[tuple[int, ...], ...]
    accuracy: Rate
    kappa: Estimate
    classes: dict[str, ClassScores]


def agreement(
    people: Sequence[str], judge: Sequence[str | None], labels: Sequence[str], clusters: Sequence[str], *, seed: int = 0
) -> Agreement:
    """Compares labels of the same answers.

    Accuracy, precision and recall are rates with their intervals. F1 is 2 J / (1 + J), J being the share of both among
    the answers to which people or judge gave the label: its interval is that of this share. Kappa is a function of the
    whole matrix: its interval is quantiles over matrices drawn from the Dirichlet posterior of the counts, with a prior
    of one answer spread over all cells (Perks 1947), which keeps a width where judge and people never differ.

    With several answers an item both take an effective number of answers, for kappa that of its linear form: how much
    one more answer in its cell would move it. The variance between items is an estimate itself, so the quantile is
    Student's t with as many degrees of freedom as there are items less one, for F1 where items have several answers;
    the posterior has (z/t)^2 as many answers for it (Korn and Graubard 1998).

    Args:
        people: labels that people gave.
        judge: labels of the judge; ``None`` is unscored.
        labels: all there are.
        clusters: item behind each answer.
        seed: of the draws.
    """
    matrix = np.zeros((len(labels), len(labels) + 1))
    place = {label: n for n, label in enumerate(labels)}
    for p, j in zip(people, judge, strict=True):
        matrix[place[p], place[j] if j is not None else len(labels)] += 1
    asked = [c for j, c in zip(judge, clusters, strict=True) if j is not None]
    answers = [(place[p], place[j]) for p, j in zip(people, judge, strict=True) if j is not None]
    return Agreement(
        labels=tuple(labels),
        matrix=tuple(tuple(int(x) for x in row) for row in matrix),
        accuracy=rate([None if j is None else p == j for p, j in zip(people, judge, strict=True)], clusters),
        kappa=_kappa(matrix[:, :-1], answers, asked, seed),
        classes={label: _class(label, people, judge, clusters) for label in labels},
    )


def cohen_kappa(matrix: Floats) -> Floats:
    """Cohen's kappa (1960) of counts ``[..., n, n]``; ``nan`` where chance alone explains perfect agreement."""
    total = matrix.sum(axis=(-2, -1))
    observed = np.trace(matrix, axis1=-2, axis2=-1)
    expected = (matrix.sum(axis=-1) * matrix.sum(axis=-2)).sum(axis=-1)
    # With counts instead of shares: (observed n - expected) / (n n - expected)
    above, below = observed * total - expected, total**2 - expected
    defined = below > 1e-12
    return np.asarray(np.where(defined, above / np.where(defined, below, 1.0), np.nan))


def _class(label: str, people: Sequence[str], judge: Sequence[str | None], clusters: Sequence[str]) -> ClassScores:
    rows = list(zip(people, judge, clusters, strict=True))
    given = [(p == label, c) for p, j, c in rows if j == label]
    meant = [(None if j is None else j == label, c) for p, j, c in rows if p == label]
    either = [(p == j, c) for p, j, c in rows if j is not None and label in {p, j}]
    return ClassScores(
        precision=rate([hit for hit, _ in given], [c for _, c in given]),
        recall=rate([hit for hit, _ in meant], [c for _, c in meant]),
        f1=_f1([hit for hit, _ in either], [c for _, c in either]),
    )


def _f1(both: Sequence[bool], items: Sequence[str]) -> Estimate:
    """F1 of a label, over the answers to which people or judge gave it: did both?"""
    if not both:
        return Estimate(estimate=None, low=None, high=None)
    found = np.array(both, dtype=np.float64)
    share, count = float(found.mean()), equal_items(items)
    size = effective_size(found, items, np.array([0.0, 1.0]))
    low, high = score_interval(share * size, size, Z if count == len(both) else _student(count))
    return Estimate(estimate=_harmonic(share), low=_harmonic(low), high=_harmonic(high))


def _harmonic(share: float) -> float:
    """2 tp / (2 tp + fp + fn) from tp / (tp + fp + fn)."""
    return 2 * share / (1 + share)


def _kappa(matrix: Floats, answers: Sequence[tuple[int, int]], items: Sequence[str], seed: int) -> Estimate:
    """Cohen's kappa of counts ``[n, n]``, ``answers`` being the cell of each answer, and ``items`` behind them."""
    estimate = float(cohen_kappa(matrix))
    if np.isnan(estimate):
        return Estimate(estimate=None, low=None, high=None)
    counts = matrix * _effective(matrix, answers, items) / len(answers)
    draws = np.random.default_rng(seed).dirichlet((counts + 1 / matrix.size).ravel(), size=DRAWS)
    low, high = np.nanquantile(cohen_kappa(draws.reshape(DRAWS, *matrix.shape)), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(estimate=estimate, low=min(float(low), estimate), high=max(float(high), estimate))


def _effective(matrix: Floats, answers: Sequence[tuple[int, int]], items: Sequence[str]) -> float:
    """How many answers to distinct items would tell as much about kappa."""
    n, count = len(answers), equal_items(items)
    smooth = matrix + n / count / matrix.size  # with the item that effective_size adds: no cell is empty
    more = STEP * n * np.eye(matrix.size).reshape(matrix.size, *matrix.shape)
    moved = ((cohen_kappa(smooth + more) - cohen_kappa(smooth)) / STEP).reshape(matrix.shape)
    rows, columns = np.array(answers).T
    return effective_size(moved[rows, columns], items, moved) * (Z / _student(count)) ** 2


def _student(items: float) -> float:
    return student(max(1.0, items - 1))
