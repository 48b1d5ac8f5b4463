"""How far a setting will move each value, as a graph has it.

A linear model is fitted along the graph's directed edges. What a setting does to a value beyond what its
causes pass on is the setting's own push; pushes that training cannot tell from nothing are dropped, and
what is left is sent through the model. The graph so says which of the training changes will
come again: those that are pushed, and those that follow from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import false_discovery_control, norm

from valuebench_harness.causal.distances import directed
from valuebench_harness.causal.graph import BoolArray, ValueGraph
from valuebench_harness.causal.steering import need_unsteered
from valuebench_harness.causal.table import UNSTEERED, FloatArray, OrientationTable

ALPHA = 0.05
"""False discovery rate of the pushes that are kept."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """What is expected of settings.

    Attributes:
        values: in the order of the columns.
        settings: in the order of the rows.
        pushed: ``[settings, values]``: what the setting itself moves.
        change: ``[settings, values]``: predicted change of the mean orientation.
        total_effects: ``[v, w]``: change of w for a unit of change of v.
    """

    values: tuple[str, ...]
    settings: tuple[str, ...]
    pushed: BoolArray
    change: FloatArray
    total_effects: FloatArray


def predict(graph: ValueGraph, train: OrientationTable, settings: Sequence[str]) -> Prediction:
    """Predicts the changes of settings from their training changes and a graph.

    Args:
        graph: over the table's values; edges of open direction carry nothing.
        train: training orientations.
        settings: steered settings.

    Raises:
        UsageError: no unsteered rows, or an unknown setting.
    """
    weights = fit_weights(graph, train)
    n = len(train.values)
    through = np.linalg.pinv(np.eye(n) - weights)  # a cycle may make it singular
    changes = paired_changes(train, settings)
    pushes = changes @ (np.eye(n) - weights).T
    known = (~np.isnan(pushes)).sum(axis=1)
    centre = np.nansum(pushes, axis=1) / np.maximum(known, 1)
    spread = np.sqrt(np.nansum((pushes - centre[:, None]) ** 2, axis=1) / np.maximum(known - 1, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.nan_to_num(np.abs(centre) / (spread / np.sqrt(known)), nan=0.0)
    z[known < 2] = 0.0
    pushed = false_discovery_control(2 * norm.sf(z).ravel()).reshape(z.shape) <= ALPHA
    change = np.where(pushed, centre, 0.0) @ through.T
    return Prediction(train.values, tuple(settings), np.asarray(pushed), np.asarray(change), np.asarray(through.T))


def paired_changes(table: OrientationTable, settings: Sequence[str]) -> FloatArray:
    """Changes against the same role unsteered, ``[settings, roles, values]``; NaN where either is missing.

    Raises:
        UsageError: no unsteered rows, or an unknown setting.
    """
    need_unsteered(table)
    table.only(settings=settings)
    base = table.by_role(UNSTEERED, table.role_names)
    return np.array([table.by_role(setting, table.role_names) - base for setting in settings])


def fit_weights(graph: ValueGraph, table: OrientationTable) -> FloatArray:
    """Least-squares coefficients along directed edges: ``[w, v]`` is what a unit of v adds to w."""
    arrows = directed(graph)
    x = table.scores[~np.isnan(table.scores).any(axis=1)]
    x = x - x.mean(axis=0) if len(x) else x
    weights = np.zeros((len(table.values), len(table.values)))
    for w in range(len(table.values)):
        causes = np.flatnonzero(arrows[:, w])
        if len(causes) and len(x):
            weights[w, causes] = np.linalg.lstsq(x[:, causes], x[:, w], rcond=None)[0]
    return weights
