"""Spill-over against the Schwartz circle: what moved with the value steered, as theory says, and what moved besides.

Neighbours on the circle share a motive and opposites conflict (Schwartz 1992), so steering a value should move the
others as the cosine of the angle between them. The rest is a side effect that theory does not excuse.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from valuebench_harness.metrics.rates import student

Floats = NDArray[np.float64]
DRAWS = 4_999


class SpillOver(BaseModel):
    """Changes of the values not aimed at, split in two.

    Attributes:
        slope: change of a value beside the steered one against one at right angles to it: the coefficient of the
            cosine. Above 0 is what theory expects.
        low: lower end of its 95% interval (least squares, Student's).
        high: upper end.
        sideways: coefficient of the sine, fitted beside the cosine: a turn of the pattern round the circle.
        general: mean change of all values not aimed at, wherever they stand.
        consistent: share of the variance of the changes that the cosine explains.
        circular: share that cosine and sine explain together; the difference is a turned circle.
        off_theory: root mean square of the changes that the cosine leaves over, in shares.
        p: one-sided, of so large a slope where the values not aimed at have their places by chance.
        n: changes.
    """

    model_config = ConfigDict(frozen=True)

    slope: float
    low: float
    high: float
    sideways: float
    general: float
    consistent: float
    circular: float
    off_theory: float
    p: float
    n: int


def spill_over(
    changes: Mapping[tuple[str, str], float],
    angles: Mapping[str, float],
    *,
    sign: int = 1,
    draws: int = DRAWS,
    seed: int = 0,
) -> SpillOver | None:
    """Regresses changes on cosine and sine of the angle to the value steered.

    The changes of each steered value are centred first: that a method moves everything up says nothing about the
    circle, and is reported as ``general``.

    Args:
        changes: (steered, measured) to the change of the measured value's rate; on-target ones are ignored.
        angles: place of each value in degrees.
        sign: +1 where values were raised, -1 where lowered (their changes are turned round).
        draws: random places that give p.
        seed: of them.

    Returns:
        ``None`` with fewer than four changes off target or no variance among them.
    """
    rows = [
        (s, np.deg2rad(angles[m] - angles[s]), sign * change)
        for (s, m), change in changes.items()
        if s != m and s in angles and m in angles
    ]
    groups = [np.array([n for n, row in enumerate(rows) if row[0] == s]) for s in dict.fromkeys(r[0] for r in rows)]
    groups = [g for g in groups if len(g) > 1]
    kept = np.concatenate(groups) if groups else np.array([], dtype=int)
    if len(kept) < 4:
        return None
    angle, change = np.array([r[1] for r in rows]), np.array([r[2] for r in rows])
    cosine, sine, centred = (_centred(x, groups) for x in (np.cos(angle), np.sin(angle), change))
    total, spread = float(centred[kept] @ centred[kept]), float(cosine[kept] @ cosine[kept])
    if total < 1e-12 or spread < 1e-12:
        return None
    slope = float(cosine[kept] @ centred[kept]) / spread
    left = centred[kept] - slope * cosine[kept]
    both = np.stack([cosine[kept], sine[kept]], axis=1)
    coefficients, *_ = np.linalg.lstsq(both, centred[kept], rcond=None)
    rest = centred[kept] - both @ coefficients
    degrees = len(kept) - len(groups) - 1
    half = student(degrees) * np.sqrt(float(left @ left) / degrees / spread) if degrees > 0 else np.inf
    return SpillOver(
        slope=slope,
        low=float(slope - half),
        high=float(slope + half),
        sideways=float(coefficients[1]),
        general=float(change[kept].mean()),
        consistent=1 - float(left @ left) / total,
        circular=1 - float(rest @ rest) / total,
        off_theory=float(np.sqrt(np.mean(left**2))),
        p=_chance(cosine, centred, groups, draws, seed),
        n=len(kept),
    )


def _centred(values: Floats, groups: list[NDArray[np.intp]]) -> Floats:
    out = np.zeros_like(values)
    for group in groups:
        out[group] = values[group] - values[group].mean()
    return out


def _chance(cosine: Floats, change: Floats, groups: list[NDArray[np.intp]], draws: int, seed: int) -> float:
    """Share of random places, exchanged within the changes of one steered value, that fit as well."""
    rng = np.random.default_rng(seed)
    observed = sum(float(cosine[g] @ change[g]) for g in groups)
    fits = np.zeros(draws)
    for group in groups:
        places = rng.permuted(np.tile(cosine[group], (draws, 1)), axis=1)
        fits += places @ change[group]
    return float((1 + np.sum(fits >= observed - 1e-12)) / (draws + 1))
