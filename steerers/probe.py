"""A linear classifier on hidden states."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from valuebench_harness.errors import UsageError


@dataclass(frozen=True, eq=False)
class LinearProbe:
    """``P(e) = sigmoid(w . e + b)`` on raw states.

    Attributes:
        w: ``[width]``, float32.
        b: the intercept.
        accuracy: on held-out texts, the mean of both classes.
    """

    w: np.ndarray
    b: float
    accuracy: float

    def logits(self, states: np.ndarray) -> np.ndarray:
        """``w . e + b`` for states ``[..., width]``."""
        return np.asarray(states @ self.w + self.b)


def fit_probe(
    positive: np.ndarray,
    negative: np.ndarray,
    *,
    c: float,
    standardize: bool,
    train_share: float,
    seed: int,
    paired: bool = True,
) -> LinearProbe:
    """Fits a logistic regression on a share of the texts and measures it on the rest.

    Args:
        positive: states ``[n_positive, width]``.
        negative: states ``[n_negative, width]``.
        c: inverse L2 penalty.
        standardize: scale each dimension by the training texts' mean and deviation first;
            the returned weights act on raw states all the same.
        train_share: share that trains.
        seed: of the split.
        paired: row i of both arrays is one pair, whose texts stay on one side of the split.

    Raises:
        UsageError: where a class has too few texts to train on some and measure on others.
    """
    from sklearn.linear_model import LogisticRegression

    if min(len(positive), len(negative)) < 2:
        raise UsageError(
            f"A classifier needs at least 2 texts of each class, there are {len(positive)} and {len(negative)}. "
            "Give more pairs."
        )
    rng = np.random.default_rng(seed)
    order_positive = rng.permutation(len(positive))
    order_negative = order_positive if paired else rng.permutation(len(negative))

    def part(states: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        cut = min(max(1, round(train_share * len(order))), len(order) - 1)
        return states[order[:cut]].astype(np.float64), states[order[cut:]].astype(np.float64)

    train_p, held_p = part(positive, order_positive)
    train_n, held_n = part(negative, order_negative)
    x = np.concatenate([train_p, train_n])
    y = np.repeat([1, 0], [len(train_p), len(train_n)])
    mean = x.mean(axis=0) if standardize else np.zeros(x.shape[1])
    # A dimension that hardly varies would turn rounding noise into weight.
    scale = x.std(axis=0) + 1e-3 * x.std() + 1e-12 if standardize else np.ones(x.shape[1])
    model = LogisticRegression(C=c, max_iter=2000, class_weight=None if paired else "balanced")
    model.fit((x - mean) / scale, y)
    w = (model.coef_[0] / scale).astype(np.float32)
    b = float(model.intercept_[0] - w.astype(np.float64) @ mean)
    accuracy = (np.mean(held_p @ w + b > 0) + np.mean(held_n @ w + b <= 0)) / 2
    return LinearProbe(w, b, float(accuracy))
