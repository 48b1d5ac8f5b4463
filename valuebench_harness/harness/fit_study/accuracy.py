"""How well states tell the sides of the pairs apart: by layer, and by number of training pairs.

The yardstick is one for all methods, ConVA's or not: a logistic regression on standardised states (as
:func:`valuebench_harness.steerers.probe.fit_probe` fits it), never judged on a pair it saw a text of.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from valuebench_harness.harness.fit_study.records import SizePoint
from valuebench_harness.metrics.rates import Rate, rate

FOLDS = 5
DRAWS = 5
TRAIN_SHARE = 0.7
SIZES = (0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
"""Shares of the training pairs that the size ablation takes."""

PENALTY = 0.01

Array = NDArray[np.floating]


def layer_accuracy(positive: Array, negative: Array, seed: int) -> Rate:
    """Cross-validated accuracy, folds made of whole pairs.

    Args:
        positive: states ``[n_pairs, width]``.
        negative: of the same pairs, in the same order.
        seed: of the folds.

    Returns:
        Right texts of all; both texts of a pair are one cluster of the interval.
    """
    order = np.random.default_rng(seed).permutation(len(positive))
    right: dict[int, list[bool]] = {}
    for held in np.array_split(order, min(FOLDS, len(order))):
        train = np.setdiff1d(order, held)
        judged = _judge(positive[train], negative[train], positive[held], negative[held])
        right.update({int(pair): [bool(a), bool(b)] for pair, a, b in zip(held, *judged, strict=True)})
    return _rate(right)


def size_ablation(positive: Array, negative: Array, seed: int) -> tuple[SizePoint, ...]:
    """Accuracy on held-out pairs after training on more and more of the others, several draws each.

    Args:
        positive: states ``[n_pairs, width]``.
        negative: of the same pairs.
        seed: of the split and the draws.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(positive))
    cut = min(max(2, round(TRAIN_SHARE * len(order))), len(order) - 1)
    pool, held = order[:cut], order[cut:]
    points = []
    for size in sorted({max(2, round(share * len(pool))) for share in SIZES}):
        right: dict[int, list[bool]] = {int(pair): [] for pair in held}
        for _ in range(DRAWS if size < len(pool) else 1):
            train = rng.permutation(pool)[:size]
            judged = _judge(positive[train], negative[train], positive[held], negative[held])
            for pair, a, b in zip(held, *judged, strict=True):
                right[int(pair)] += [bool(a), bool(b)]
        points.append(SizePoint(pairs=size, rate=_rate(right)))
    return tuple(points)


def _judge(
    train_positive: Array, train_negative: Array, positive: Array, negative: Array
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether each held-out text is put on its side."""
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=PENALTY, max_iter=2000))
    x = np.concatenate([train_positive, train_negative]).astype(np.float64)
    classifier.fit(x, np.repeat([1, 0], [len(train_positive), len(train_negative)]))
    return classifier.predict(positive.astype(np.float64)) == 1, classifier.predict(negative.astype(np.float64)) == 0


def _rate(right: dict[int, list[bool]]) -> Rate:
    outcomes = [one for answers in right.values() for one in answers]
    return rate(outcomes, [str(pair) for pair, answers in right.items() for _ in answers])
