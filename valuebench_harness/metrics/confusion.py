"""How well does a judge agree with people? Confusion matrix and all that follows from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from valuebench_harness.metrics.rates import LEVEL, Rate, rate

Floats = NDArray[np.float64]
DRAWS = 4_000


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

    Accuracy, precision and recall are rates with Wilson's intervals. Kappa and F1 are functions of the whole matrix:
    their intervals are quantiles over matrices drawn from the Dirichlet posterior of the counts, with a prior of one
    answer spread over all cells (Perks 1947), which keeps a width where judge and people never differ.

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
    scored = matrix[:, :-1]
    posterior = _posterior(scored, seed)
    return Agreement(
        labels=tuple(labels),
        matrix=tuple(tuple(int(x) for x in row) for row in matrix),
        accuracy=rate([None if j is None else p == j for p, j in zip(people, judge, strict=True)], clusters),
        kappa=_estimate(cohen_kappa, scored, posterior),
        classes={
            label: _class(label, people, judge, clusters, _estimate(partial(f1, label=n), scored, posterior))
            for n, label in enumerate(labels)
        },
    )


def cohen_kappa(matrix: Floats) -> Floats:
    """Cohen's kappa (1960) of counts ``[..., n, n]``; ``nan`` where chance alone explains perfect agreement."""
    total = matrix.sum(axis=(-2, -1))
    observed = np.trace(matrix, axis1=-2, axis2=-1)
    expected = (matrix.sum(axis=-1) * matrix.sum(axis=-2)).sum(axis=-1)
    # With counts instead of shares: (observed n - expected) / (n n - expected)
    return _ratio(observed * total - expected, total**2 - expected)


def f1(matrix: Floats, label: int) -> Floats:
    """F1 of a label, of counts ``[..., n, n]``; ``nan`` where nobody gave it."""
    either = matrix[..., :, label].sum(axis=-1) + matrix[..., label, :].sum(axis=-1)
    return _ratio(2 * matrix[..., label, label], either)


def _ratio(above: Floats, below: Floats) -> Floats:
    defined = below > 1e-12
    return np.asarray(np.where(defined, above / np.where(defined, below, 1.0), np.nan))


def _class(
    label: str,
    people: Sequence[str],
    judge: Sequence[str | None],
    clusters: Sequence[str],
    score: Estimate,
) -> ClassScores:
    rows = list(zip(people, judge, clusters, strict=True))
    given = [(p == label, c) for p, j, c in rows if j == label]
    meant = [(None if j is None else j == label, c) for p, j, c in rows if p == label]
    return ClassScores(
        precision=rate([hit for hit, _ in given], [c for _, c in given]),
        recall=rate([hit for hit, _ in meant], [c for _, c in meant]),
        f1=score,
    )


def _posterior(matrix: Floats, seed: int) -> Floats:
    """``[DRAWS, n, n]`` from a Dirichlet distribution."""
    draws = np.random.default_rng(seed).dirichlet((matrix + 1 / matrix.size).ravel(), size=DRAWS)
    return draws.reshape(DRAWS, *matrix.shape)


def _estimate(function: Callable[[Floats], Floats], matrix: Floats, posterior: Floats) -> Estimate:
    estimate = float(function(matrix))
    if np.isnan(estimate):
        return Estimate(estimate=None, low=None, high=None)
    low, high = np.nanquantile(function(posterior), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(estimate=estimate, low=min(float(low), estimate), high=max(float(high), estimate))
