"""Which values a setting moves, up or down, and does it hold on other roles and questions: Kang's Tables 1, 4, 5."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from valuebench_harness.causal.estimates import DRAWS, Estimate, cluster_counts, interval
from valuebench_harness.causal.table import UNSTEERED, FloatArray, OrientationTable
from valuebench_harness.errors import UsageError

EPSILON = 1e-9
"""Orientations are means of few answers: what differs by less differs by rounding."""


class Proportions(BaseModel):
    """What a setting does to the roles' orientation towards one value (Kang, Section 3.3).

    Attributes:
        stimulated: share of roles whose orientation is higher than the same role's, unsteered.
        suppressed: share whose orientation is lower.
        maintained: the rest.
        roles: with an orientation in both; the empty role counts as one.
    """

    model_config = ConfigDict(frozen=True)

    stimulated: float | None
    suppressed: float | None
    maintained: float | None
    roles: int


class SteeringCell(BaseModel):
    """One setting and value.

    Attributes:
        cosine: between the two triples of proportions, training and test; the interval resamples the
            roles of both.
        train: proportions among the training roles.
        test: among the test roles, which also answered other questions.
        noise: the smaller of stimulated and suppressed in training; low where a setting moves one way.
    """

    model_config = ConfigDict(frozen=True)

    cosine: Estimate
    train: Proportions
    test: Proportions
    noise: float | None


class SteeringTable(BaseModel):
    """All settings and values.

    Attributes:
        cells: by setting, then value.
        mean_similarity: of each setting, over the values.
        noise_ratio: of each value, over the settings.
    """

    model_config = ConfigDict(frozen=True)

    cells: dict[str, dict[str, SteeringCell]]
    mean_similarity: dict[str, Estimate]
    noise_ratio: dict[str, float | None]


def moves(table: OrientationTable, settings: Sequence[str]) -> FloatArray:
    """Signs of the changes against the same role unsteered.

    Args:
        table: with the unsteered setting.
        settings: to compare with it.

    Returns:
        ``[settings, roles, values]``: 1 up, -1 down, 0 unchanged, NaN where either is missing.

    Raises:
        UsageError: where the table has no unsteered rows, or not a setting.
    """
    need_unsteered(table)
    table.only(settings=settings)
    base = table.by_role(UNSTEERED, table.role_names)
    changes = np.array([table.by_role(setting, table.role_names) - base for setting in settings])
    changes[np.abs(changes) < EPSILON] = 0.0
    return np.asarray(np.sign(changes))


def need_unsteered(table: OrientationTable) -> None:
    """Checks that there is something to compare with.

    Raises:
        UsageError: where the table has no unsteered rows.
    """
    if UNSTEERED not in table.setting_names:
        raise UsageError(f"{table.source}: no unsteered rows (empty 'steer_dim') to compare the settings with.")


def steering_table(
    train: OrientationTable, test: OrientationTable, settings: Sequence[str], seed: int = 0, draws: int = DRAWS
) -> SteeringTable:
    """Kang's Table 4 (for some values and settings: Table 1) with intervals.

    Args:
        train: orientations of the training roles.
        test: of the test roles, with the same values.
        settings: rows of the table.
        seed: of the bootstrap.
        draws: bootstrap samples.
    """
    rng = np.random.default_rng(seed)
    parts = [_Triples(moves(table, settings), draws, rng) for table in (train, test)]
    cosines = _cosine(parts[0].point, parts[1].point)
    samples = _cosine(parts[0].samples, parts[1].samples)
    n = min(len(train.role_names), len(test.role_names))
    noise = np.minimum(parts[0].point[..., 0], parts[0].point[..., 1])
    cells = {
        setting: {
            value: SteeringCell(
                cosine=interval(float(cosines[s, v]), samples[:, s, v], n),
                train=parts[0].proportions(s, v),
                test=parts[1].proportions(s, v),
                noise=_known(noise[s, v]),
            )
            for v, value in enumerate(train.values)
        }
        for s, setting in enumerate(settings)
    }
    with np.errstate(invalid="ignore"):
        means, mean_samples = _mean(cosines, 1), _mean(samples, 2)
    return SteeringTable(
        cells=cells,
        mean_similarity={
            setting: interval(float(means[s]), mean_samples[:, s], n) for s, setting in enumerate(settings)
        },
        noise_ratio={value: _known(_mean(noise, 0)[v]) for v, value in enumerate(train.values)},
    )


class _Triples:
    """Proportions up, down and unchanged, ``[..., settings, values, 3]``, and bootstrap samples of them."""

    def __init__(self, signs: FloatArray, draws: int, rng: np.random.Generator) -> None:
        kinds = np.stack([signs == 1, signs == -1, signs == 0], axis=-1).astype(np.float64)
        settings, roles, values, _ = kinds.shape
        flat = kinds.transpose(1, 0, 2, 3).reshape(roles, -1)
        self.counts = kinds.sum(axis=1)
        drawn = (cluster_counts(roles, draws, rng) @ flat).reshape(draws, settings, values, 3)
        self.point, self.samples = _share(self.counts), _share(drawn)

    def proportions(self, setting: int, value: int) -> Proportions:
        up, down, same = (_known(x) for x in self.point[setting, value])
        roles = int(self.counts[setting, value].sum())
        return Proportions(stimulated=up, suppressed=down, maintained=same, roles=roles)


def _share(counts: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore"):
        return np.asarray(counts / counts.sum(axis=-1, keepdims=True))


def _cosine(a: FloatArray, b: FloatArray) -> FloatArray:
    norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return np.asarray((a * b).sum(axis=-1) / norms)


def _mean(numbers: FloatArray, axis: int) -> FloatArray:
    """Mean of what is known; NaN where nothing is."""
    known = ~np.isnan(numbers)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, numbers, 0.0).sum(axis=axis) / known.sum(axis=axis))


def _known(number: float) -> float | None:
    return None if np.isnan(number) else float(number)
