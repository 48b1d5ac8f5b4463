"""Tables of orientations whose graph is known, with rows as a collection makes them: roles crossed with settings."""

from __future__ import annotations

import numpy as np

from valuebench_harness.causal.graph import ValueGraph, from_pairs
from valuebench_harness.causal.table import UNSTEERED, FloatArray, OrientationTable


def random_weights(
    values: int, edges: int, rng: np.random.Generator, low: float = 0.3, high: float = 0.8
) -> FloatArray:
    """A random linear model: ``[i, j]`` is what one unit of value j adds to value i; acyclic.

    Args:
        values: how many.
        edges: between them.
        rng: source of randomness.
        low: smallest size of a coefficient; its sign is random.
        high: largest size.
    """
    order = rng.permutation(values)
    later, earlier = np.tril_indices(values, -1)
    chosen = rng.choice(len(later), size=edges, replace=False)
    weights = np.zeros((values, values))
    sizes = rng.uniform(low, high, size=edges) * rng.choice([-1.0, 1.0], size=edges)
    weights[order[later[chosen]], order[earlier[chosen]]] = sizes
    return weights


def simulate(
    weights: FloatArray,
    roles: int,
    settings: int,
    rng: np.random.Generator,
    role_share: float = 0.3,
    setting_share: float = 0.0,
    targets: dict[int, dict[int, float]] | None = None,
) -> OrientationTable:
    """Linear Gaussian orientations of roles crossed with settings.

    The disturbances of each value have a component that a role keeps in all settings, one that a setting
    gives to all roles, and one of the row; all three pass through the same linear model. Scores are not
    confined to [-1, 1].

    Args:
        weights: the model, as :func:`random_weights`; all 0: no value has an effect on another.
        roles: number of roles.
        settings: number of settings, the first one unsteered.
        rng: source of randomness.
        role_share: share of a disturbance's variance between roles.
        setting_share: between settings.
        targets: what a setting adds to values directly: by setting's number, then value's number.
    """
    n = len(weights)
    noise = (
        np.sqrt(role_share) * rng.normal(size=(roles, 1, n))
        + np.sqrt(setting_share) * rng.normal(size=(1, settings, n))
        + np.sqrt(1 - role_share - setting_share) * rng.normal(size=(roles, settings, n))
    )
    for setting, shifts in (targets or {}).items():
        for value, shift in shifts.items():
            noise[:, setting, value] += shift
    scores = noise @ np.linalg.inv(np.eye(n) - weights).T
    setting_names = [UNSTEERED, *(f"s{k}" for k in range(1, settings))]
    return OrientationTable(
        tuple(f"v{k}" for k in range(n)),
        tuple(name for _ in range(roles) for name in setting_names),
        tuple(f"role {r}" for r in range(roles) for _ in setting_names),
        scores.reshape(-1, n),
        "the simulation",
    )


def planted(weights: FloatArray) -> ValueGraph:
    """The graph of a linear model, over the names that :func:`simulate` gives."""
    names = [f"v{k}" for k in range(len(weights))]
    return from_pairs(names, [(names[j], names[i]) for i, j in np.argwhere(weights)])
