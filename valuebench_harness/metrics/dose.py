"""Dose and response: how much strength for how much effect, and where fluency breaks."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from valuebench_harness.metrics.paired import Outcomes
from valuebench_harness.metrics.rates import LEVEL

Floats = NDArray[np.float64]
RESAMPLES = 999


class Crossing(BaseModel):
    """The strength at which a response reaches a level.

    Attributes:
        estimate: interpolated between the strengths that were run; ``None`` where none of them reaches it.
        low: lower end of the 95% interval over items.
        high: upper end; ``None`` where it lies beyond the strengths that were run.
        level: the response wanted.
    """

    model_config = ConfigDict(frozen=True)

    estimate: float | None
    low: float | None
    high: float | None
    level: float


class DoseResponse:
    """A monotone fit of a rate over strengths, items resampled for its intervals.

    Isotonic regression assumes nothing but the direction: more strength never lowers control, never helps
    fluency. Where the rates themselves turn round (steering so strong that no option is picked any more) the fit
    is flat there, and :attr:`reversal` says by how much it had to bend.

    Resamples are drawn from the items and a few more: one that is a hit at every strength, one that never is, and from
    each strength to the next half an item that turns to a hit and half a one that turns to a miss (as Agresti and Min
    add half a pair to each cell). Where no item failed or none changed, the items alone would leave no width.

    Args:
        strengths: rising; 0 is the unsteered model.
        responses: outcomes at each strength, on the same items.
        increasing: the direction.
        resamples: of items.
        seed: of them.

    Attributes:
        strengths: as given, ``[n_strengths]``.
        raw: rates as measured; ``nan`` where nothing was scored.
        fit: the monotone fit.
        low: lower ends of its 95% intervals.
        high: upper ends.
        n: items that count.

    Raises:
        ValueError: for fewer than two strengths, strengths that do not rise, or no item in common.
    """

    def __init__(
        self,
        strengths: Sequence[float],
        responses: Sequence[Outcomes],
        *,
        increasing: bool = True,
        resamples: int = RESAMPLES,
        seed: int = 0,
    ) -> None:
        self.strengths = np.asarray(strengths, dtype=np.float64)
        if len(strengths) != len(responses) or len(strengths) < 2 or (np.diff(self.strengths) <= 0).any():
            raise ValueError("a dose-response curve needs two or more strengths that rise, and a response for each")
        items = [i for i in responses[0] if all(i in r for r in responses)]
        if not items:
            raise ValueError("no item was answered at every strength")
        self._sign = 1.0 if increasing else -1.0
        table = np.array([[_share(r[i]) for r in responses] for i in items])
        self.n = len(items)
        self.raw, self.fit = _means(table), self._monotone(table)
        rows, chances = _with_pseudo_items(table)
        draws = np.random.default_rng(seed).choice(len(rows), size=(resamples, self.n), p=chances)
        self._fits = np.stack([self._monotone(rows[draw]) for draw in draws])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a strength at which nothing was scored stays nan
            low, high = np.nanquantile(self._fits, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
        known = ~np.isnan(self.fit)
        self.low, self.high = (
            np.where(known, end, np.nan) for end in (np.fmin(low, self.fit), np.fmax(high, self.fit))
        )

    @property
    def reversal(self) -> float | None:
        """Largest fall (rise, for a falling response) of the measured rates from any strength to a higher one.

        ``None`` where nothing was scored at any strength.
        """
        measured = self._sign * self.raw[~np.isnan(self.raw)]
        return float((np.maximum.accumulate(measured) - measured).max()) if len(measured) else None

    def strength_for(self, level: float) -> Crossing | None:
        """The least strength at which the fit reaches ``level``; ``None`` where nothing was scored at any strength.

        The interval is that of the same reading of each resample; an end at which 2.5% of them or more never
        reach the level is ``None``.
        """
        return None if np.isnan(self.fit).all() else self._crossing(level, np.full(len(self._fits), level))

    def strength_for_change(self, margin: float) -> Crossing | None:
        """The least strength at which the fit lies ``margin`` beyond that of the first strength.

        Each resample is read from its own first strength, whose error is part of the interval. ``None`` where nothing
        was scored at the first strength.

        Args:
            margin: in shares, such as 0.05; above the first for a rising response, below it for a falling one.
        """
        first = float(self.fit[0])
        if math.isnan(first):
            return None
        return self._crossing(first + self._sign * margin, self._fits[:, 0] + self._sign * margin)

    def _crossing(self, level: float, levels: Floats) -> Crossing:
        estimate = self._cross(self.fit, level)
        found = np.sort([self._cross(fit, wanted) for fit, wanted in zip(self._fits, levels, strict=True)])
        low, high = (float(found[int(q * (len(found) - 1))]) for q in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
        return Crossing(
            estimate=_finite(estimate), low=_finite(min(low, estimate)), high=_finite(max(high, estimate)), level=level
        )

    def _monotone(self, table: Floats) -> Floats:
        from scipy.optimize import isotonic_regression

        means, weights = _means(table), (~np.isnan(table)).sum(axis=0).astype(np.float64)
        known = weights > 0
        out = np.full(len(means), np.nan)
        if known.any():
            out[known] = self._sign * isotonic_regression(self._sign * means[known], weights=weights[known]).x
        return out

    def _cross(self, fit: Floats, level: float) -> float:
        known = ~np.isnan(fit)
        strengths, height, wanted = self.strengths[known], self._sign * fit[known], self._sign * level
        reached = np.flatnonzero(height >= wanted - 1e-12)
        if not len(reached):
            return math.inf
        first = int(reached[0])
        if first == 0:
            return float(strengths[0])
        share = (wanted - height[first - 1]) / (height[first] - height[first - 1])
        return float(strengths[first - 1] + share * (strengths[first] - strengths[first - 1]))


def _with_pseudo_items(table: Floats) -> tuple[Floats, Floats]:
    """The items and those added ``[n_items + 2 n_strengths, n_strengths]``, and each one's chance to be drawn."""
    n_strengths = table.shape[1]
    turns = (np.arange(n_strengths) >= np.arange(n_strengths)[:, None]).astype(np.float64)  # the first is always a hit
    rows = np.vstack([table, turns, 1 - turns])
    weights = np.ones(len(rows))
    weights[[n for n in range(len(table), len(rows)) if np.ptp(rows[n])]] = 0.5
    return rows, weights / weights.sum()


def _share(outcomes: Sequence[bool | None]) -> float:
    scored = [o for o in outcomes if o is not None]
    return sum(scored) / len(scored) if scored else math.nan


def _means(table: Floats) -> Floats:
    known = ~np.isnan(table)
    counts = known.sum(axis=0)
    sums = np.where(known, table, 0.0).sum(axis=0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _finite(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None
