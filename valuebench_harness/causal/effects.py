"""Does a graph foretell what moves along? Kang, Section 2.3 and Figures 4 to 7.

For every value v that a steering changed, the values that a path of the graph reaches from v are
expected to change too, the others are not. ``c(w, v)`` is the share of the steerings that changed v
which also changed w; the mean of c over expected w and over unexpected w, then over v, are the two
frequencies.

The published pipeline settles what the paper leaves open: v itself is on neither side; a value
without successors has no expected frequency and is left out of that mean; changes by role prompts
are against the first named role of the table (the empty role takes no part), changes by features
against the unsteered row of one role.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from valuebench_harness.causal.estimates import DRAWS, Estimate, crossed_counts, interval
from valuebench_harness.causal.graph import BoolArray, ValueGraph
from valuebench_harness.causal.steering import EPSILON, need_unsteered
from valuebench_harness.causal.table import NO_ROLE, UNSTEERED, FloatArray, IntArray, OrientationTable
from valuebench_harness.errors import UsageError, unknown_name

PERMUTATIONS = 10_000
BATCH = 500
"""Bootstrap samples worked on at once."""


@dataclass(frozen=True, eq=False)
class Changes:
    """Which values changed, row by row.

    Attributes:
        values: names, in the order of the columns.
        changed: ``[rows, values]``; NaN where an orientation is missing.
        roles: cluster of each row.
        settings: cluster of each row.
        against: what the changes are against, in words.
    """

    values: tuple[str, ...]
    changed: FloatArray
    roles: IntArray
    settings: IntArray
    against: str

    @property
    def clusters(self) -> int:
        """Resampled clusters; the smaller number where both kinds vary."""
        return min((n for n in (len(set(self.roles)), len(set(self.settings))) if n > 1), default=1)


class ValueEffect(BaseModel):
    """One value v.

    Attributes:
        steerings: that changed it.
        expected: mean of c(w, v) over the successors w of v.
        unexpected: over all others but v.
        moved: c(w, v) of every other value w.
    """

    model_config = ConfigDict(frozen=True)

    steerings: int
    expected: float | None
    unexpected: float | None
    moved: dict[str, float | None]


class Effects(BaseModel):
    """How often expected and unexpected values changed along.

    Attributes:
        expected: mean over the values that have successors and changed at least once.
        unexpected: mean over the values that have non-successors and changed at least once.
        gap: expected minus unexpected.
        permutation_p: share of graphs with randomly relabelled nodes whose gap is at least as large (the
            graph itself counts as one): a graph that foretells nothing reaches any gap as often as
            its relabelled copies, however many values change. ``None`` where there is no gap.
        changed_values: how many values one steering changes, of all values, on average.
        steerings: rows that were compared.
        against: what the changes are against.
        by_value: the same, value by value.
    """

    model_config = ConfigDict(frozen=True)

    expected: Estimate
    unexpected: Estimate
    gap: Estimate
    permutation_p: float | None
    changed_values: Estimate
    steerings: int
    against: str
    by_value: dict[str, ValueEffect]


def role_changes(table: OrientationTable, baseline: str | None = None) -> Changes:
    """Changes by role prompts, unsteered: each named role against a baseline role.

    Args:
        table: with unsteered rows.
        baseline: default: the first named role, as in the published pipeline.

    Raises:
        UsageError: no unsteered rows, fewer than two named roles, or an unknown baseline.
    """
    need_unsteered(table)
    roles = [role for role in table.role_names if role != NO_ROLE and table.row(UNSTEERED, role) is not None]
    if baseline is None and roles:
        baseline = roles[0]
    if len(roles) < 2:
        raise UsageError(f"{table.source}: {len(roles)} named roles with unsteered rows; two are needed to compare.")
    base = table.row(UNSTEERED, baseline or NO_ROLE)
    if base is None:
        raise unknown_name("role", baseline or NO_ROLE, table.role_names, f"It has no unsteered row in {table.source}.")
    # The baseline's own row stays: it never changes, so it enters no frequency.
    others = [role for role in roles if role != baseline]
    changed = _changed(table.by_role(UNSTEERED, others), base)
    rows = np.arange(len(others))
    against = f"role '{baseline}', unsteered" if baseline else "no role, unsteered"
    return Changes(table.values, changed, rows, np.zeros_like(rows), against)


def setting_changes(table: OrientationTable, settings: Sequence[str], role: str | None = None) -> Changes:
    """Changes by steering, each against the same role unsteered.

    Args:
        table: with unsteered rows.
        settings: steered settings.
        role: the only role to look at, as the published pipeline does; default: all.

    Raises:
        UsageError: no unsteered rows, an unknown setting or role.
    """
    need_unsteered(table)
    table.only(settings=settings, roles=None if role is None else [role])
    roles = table.role_names if role is None else (role,)
    base = table.by_role(UNSTEERED, roles)
    changed = np.concatenate([_changed(table.by_role(setting, roles), base) for setting in settings])
    role_of = np.tile(np.arange(len(roles)), len(settings))
    setting_of = np.repeat(np.arange(len(settings)), len(roles))
    against = f"role '{role}', unsteered" if role is not None else "the same role, unsteered"
    return Changes(table.values, changed, role_of, setting_of, against)


def effects(
    changes: Changes, graph: ValueGraph, seed: int = 0, draws: int = DRAWS, permutations: int = PERMUTATIONS
) -> Effects:
    """Expected and unexpected frequencies of a graph.

    Args:
        changes: what changed.
        graph: over the same values.
        seed: of bootstrap and permutations.
        draws: bootstrap samples of the clusters.
        permutations: relabellings of the nodes.
    """
    rng = np.random.default_rng(seed)
    reach = graph.reach
    together = _together(changes.changed, np.ones((1, len(changes.changed))))[0]
    expected, unexpected = _sides(together, reach)
    point = _gap(average(expected), average(unexpected))
    samples = np.concatenate(
        [
            _gap(*(average(side) for side in _sides(_together(changes.changed, weights), reach)))
            for weights in np.array_split(
                crossed_counts(changes.roles, changes.settings, draws, rng), max(1, draws // BATCH)
            )
        ],
        axis=-1,
    )
    n = changes.clusters
    estimates = [interval(float(point[k]), samples[k], n) for k in range(3)]
    per_row = average(changes.changed) * len(changes.values)

    def gaps_of(relabelled: BoolArray) -> FloatArray:
        return np.asarray(_gap(*(average(side) for side in _sides(together[None], relabelled)))[2])

    return Effects(
        expected=estimates[0],
        unexpected=estimates[1],
        gap=estimates[2],
        permutation_p=permutation_p(reach, float(point[2]), gaps_of, permutations, rng),
        changed_values=_mean_by_cluster(per_row, changes, draws, rng),
        steerings=len(changes.changed),
        against=changes.against,
        by_value={
            value: ValueEffect(
                steerings=int(np.nansum(changes.changed[:, v])),
                expected=_known(expected[v]),
                unexpected=_known(unexpected[v]),
                moved={w: _known(together[v, k]) for k, w in enumerate(changes.values) if k != v},
            )
            for v, value in enumerate(changes.values)
        },
    )


def _changed(scores: FloatArray, base: FloatArray) -> FloatArray:
    difference = scores - base
    return np.where(np.isnan(difference), np.nan, (np.abs(difference) > EPSILON).astype(np.float64))


def _together(changed: FloatArray, weights: FloatArray) -> FloatArray:
    """``c(w, v)`` as ``[samples, v, w]`` under row weights ``[samples, rows]``; NaN where v never changed."""
    rows, n = changed.shape
    did, known = np.nan_to_num(changed), ~np.isnan(changed)
    both = (did[:, :, None] * did[:, None, :]).reshape(rows, -1)
    asked = (did[:, :, None] * known[:, None, :]).reshape(rows, -1)
    with np.errstate(invalid="ignore"):
        return np.asarray(((weights @ both) / (weights @ asked)).reshape(-1, n, n))


def _sides(together: FloatArray, reach: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Means of c(w, v) over expected and over unexpected w, ``[..., v]``."""
    others = ~np.eye(reach.shape[-1], dtype=np.bool_)
    return masked_mean(together, reach), masked_mean(together, others & ~reach)


def masked_mean(numbers: FloatArray, mask: BoolArray) -> FloatArray:
    """Mean over the last axis of what is known and in the mask; NaN where nothing is."""
    counts = mask & ~np.isnan(numbers)
    with np.errstate(invalid="ignore"):
        return np.asarray((np.nan_to_num(numbers) * counts).sum(axis=-1) / counts.sum(axis=-1))


def average(numbers: FloatArray) -> FloatArray:
    """Mean over the last axis of what is known; NaN where nothing is."""
    return masked_mean(numbers, np.ones(numbers.shape, dtype=np.bool_))


def _gap(expected: FloatArray, unexpected: FloatArray) -> FloatArray:
    return np.stack([expected, unexpected, expected - unexpected])


def permutation_p(
    reach: BoolArray,
    gap: float,
    gaps_of: Callable[[BoolArray], FloatArray],
    permutations: int,
    rng: np.random.Generator,
) -> float | None:
    """Share of graphs with randomly relabelled nodes whose gap is at least as large, the graph itself among them.

    Args:
        reach: of the graph, ``[n, n]``.
        gap: of the graph; NaN where it has none.
        gaps_of: gaps ``[k]`` of relabelled reaches ``[k, n, n]``.
        permutations: relabellings.
        rng: draws them.
    """
    if np.isnan(gap):
        return None
    n = len(reach)
    as_large = 1
    for size in [BATCH] * (permutations // BATCH) + [permutations % BATCH]:
        order = rng.permuted(np.tile(np.arange(n), (size, 1)), axis=1)
        relabelled = reach[order[:, :, None], order[:, None, :]]
        as_large += int((gaps_of(relabelled) >= gap - EPSILON).sum())
    return as_large / (permutations + 1)


def _mean_by_cluster(per_row: FloatArray, changes: Changes, draws: int, rng: np.random.Generator) -> Estimate:
    known = ~np.isnan(per_row)
    weights = crossed_counts(changes.roles, changes.settings, draws, rng) * known
    with np.errstate(invalid="ignore"):
        samples = (weights @ np.nan_to_num(per_row)) / weights.sum(axis=1)
    mean = float(per_row[known].mean()) if known.any() else float("nan")
    return interval(mean, samples, changes.clusters)


def _known(number: float) -> float | None:
    return None if np.isnan(number) else float(number)
