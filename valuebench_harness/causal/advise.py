"""Which setting to use: one that moves the wanted values and leaves others alone, foretold and measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from valuebench_harness.causal.estimates import DRAWS, Estimate, cluster_counts, interval
from valuebench_harness.causal.graph import ValueGraph
from valuebench_harness.causal.prediction import paired_changes, predict
from valuebench_harness.causal.table import NO_ROLE, UNSTEERED, FloatArray, OrientationTable, same_values
from valuebench_harness.errors import UsageError

MARGIN = 0.1
"""A kept value may move by a twentieth of the scale of [-1, 1]."""

Kept = Literal["kept", "moved", "unclear"]


class Wish(BaseModel):
    """What a setting should do.

    Attributes:
        up: values to raise.
        down: values to lower.
        keep: values to leave alone.
        margin: how far a kept value's mean orientation may move.
    """

    model_config = ConfigDict(frozen=True)

    up: tuple[str, ...] = ()
    down: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    margin: float = MARGIN

    @property
    def wanted(self) -> dict[str, int]:
        """Values to move, and the sign of the move."""
        return {**dict.fromkeys(self.up, 1), **dict.fromkeys(self.down, -1)}


class KeptValue(BaseModel):
    """What happens to a value that should stay.

    Attributes:
        predicted: change that the graph foretells; ``None`` for what training did not hold.
        measured: change of the mean orientation on the held-out items.
        verdict: ``kept`` where the interval lies within the margin, ``moved`` where it lies outside it.
    """

    model_config = ConfigDict(frozen=True)

    predicted: float | None
    measured: Estimate
    verdict: Kept


class Advice(BaseModel):
    """One setting or role.

    Attributes:
        kind: what it is.
        name: of the setting or role.
        predicted: mean change of the wanted values, in the wanted direction, that the graph foretells.
        predicted_rank: its place by the prediction, kept values considered; from 1.
        measured: the same, measured on held-out items; resampled are the roles of a setting, or the settings of
            a role.
        kept: the values to leave alone.
        works: the measured interval is above 0 and every kept value is kept.
        harms: some kept value moved beyond the margin, or the wanted ones moved the wrong way.
        score: measured change minus the largest measured change of a kept value.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["setting", "role"]
    name: str
    predicted: float | None
    predicted_rank: int | None = None
    measured: Estimate
    kept: dict[str, KeptValue]
    works: bool
    harms: bool
    score: float


def advise(
    train: OrientationTable,
    test: OrientationTable,
    graph: ValueGraph,
    wish: Wish,
    seed: int = 0,
    draws: int = DRAWS,
) -> list[Advice]:
    """Ranks the settings and roles that were measured on held-out items.

    What works comes first, then what is unclear, then what harms; within each by the score. A setting is
    measured against the same roles unsteered, a role against no role (or the first role) under the same
    settings.

    Args:
        train: orientations that predictions come from.
        test: held-out orientations, of other items and roles.
        graph: that foretells.
        wish: what is wanted.
        seed: of the bootstrap.
        draws: bootstrap samples.

    Raises:
        UsageError: nothing wanted, a value wanted and kept at once, tables of different values.
    """
    test = same_values(train, test)
    _check(wish, test)
    settings = [s for s in test.setting_names if s != UNSTEERED]
    foretold = predict(graph, train, [s for s in settings if s in train.setting_names])
    rng = np.random.default_rng(seed)
    rows = []
    for name, changes in zip(settings, paired_changes(test, settings), strict=True):
        predicted = foretold.change[foretold.settings.index(name)] if name in foretold.settings else None
        rows.append(_judged("setting", name, changes, predicted, test.values, wish, rng, draws))
    baseline = NO_ROLE if NO_ROLE in test.role_names else test.role_names[0]
    base = _by_setting(test, baseline)
    for role in test.role_names:
        if role != baseline:
            changes = _by_setting(test, role) - base
            rows.append(_judged("role", role, changes, None, test.values, wish, rng, draws))
    return _ranked([row for row in rows if row.measured.estimate is not None])


def _check(wish: Wish, table: OrientationTable) -> None:
    if not wish.wanted:
        raise UsageError("Name a value to raise or to lower.")
    table.of_values([*wish.wanted, *wish.keep])
    lists = {"raised": wish.up, "lowered": wish.down, "kept": wish.keep}
    for value in {*wish.wanted, *wish.keep}:
        inside = [name for name, values in lists.items() if value in values]
        if len(inside) > 1:
            raise UsageError(f"'{value}' is to be {' and '.join(inside)} at once.")
    if not wish.margin > 0:
        raise UsageError(f"The margin {wish.margin:g} must be above 0.")


def _by_setting(table: OrientationTable, role: str) -> FloatArray:
    empty = np.full(len(table.values), np.nan)
    rows = (table.row(setting, role) for setting in table.setting_names)
    return np.array([empty if row is None else row for row in rows])


def _judged(
    kind: Literal["setting", "role"],
    name: str,
    changes: FloatArray,
    predicted: FloatArray | None,
    values: Sequence[str],
    wish: Wish,
    rng: np.random.Generator,
    draws: int,
) -> Advice:
    """One row, from changes ``[clusters, values]``."""
    signs = {values.index(value): sign for value, sign in wish.wanted.items()}
    wanted = np.mean([sign * changes[:, column] for column, sign in signs.items()], axis=0)
    measured = _mean(wanted, rng, draws)
    kept = {}
    for value in wish.keep:
        column = values.index(value)
        change = _mean(changes[:, column], rng, draws)
        foretold = None if predicted is None else float(predicted[column])
        kept[value] = KeptValue(predicted=foretold, measured=change, verdict=_verdict(change, wish.margin))
    largest = max((abs(k.measured.estimate or 0.0) for k in kept.values()), default=0.0)
    wrong = measured.high is not None and measured.high < 0
    right = measured.low is not None and measured.low > 0
    return Advice(
        kind=kind,
        name=name,
        predicted=None
        if predicted is None
        else float(np.mean([sign * predicted[column] for column, sign in signs.items()])),
        measured=measured,
        kept=kept,
        works=right and all(k.verdict == "kept" for k in kept.values()),
        harms=wrong or any(k.verdict == "moved" for k in kept.values()),
        score=(measured.estimate or 0.0) - largest,
    )


def _mean(changes: FloatArray, rng: np.random.Generator, draws: int) -> Estimate:
    known = changes[~np.isnan(changes)]
    if len(known) == 0:
        return Estimate(estimate=None)
    samples = cluster_counts(len(known), draws, rng) @ known / len(known)
    return interval(float(known.mean()), samples, len(known))


def _verdict(change: Estimate, margin: float) -> Kept:
    if change.low is None or change.high is None:
        return "unclear"
    if -margin <= change.low and change.high <= margin:
        return "kept"
    return "moved" if change.low > margin or change.high < -margin else "unclear"


def _ranked(rows: list[Advice]) -> list[Advice]:
    def foreseen(row: Advice) -> float:
        largest = max((abs(k.predicted or 0.0) for k in row.kept.values()), default=0.0)
        return (row.predicted or 0.0) - largest

    predicted = sorted((r for r in rows if r.predicted is not None), key=lambda r: (-foreseen(r), r.name))
    place = {row.name: n for n, row in enumerate(predicted, 1)}
    placed = [r.model_copy(update={"predicted_rank": place[r.name]}) if r.predicted is not None else r for r in rows]
    return sorted(placed, key=lambda r: (r.harms, not r.works, -r.score, r.name))
