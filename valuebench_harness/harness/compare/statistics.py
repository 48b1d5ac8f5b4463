"""The difference of a metric between two sets of outcomes on the same items, with its interval and the gate's p.

Shares are compared item by item. ``side_effects`` (a root mean square) and ``consistency`` (a ratio) are no
means of items; their differences are bootstrapped over the items, both sides resampled together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from valuebench_harness.harness.compare.observations import SHARES
from valuebench_harness.metrics.comparison import item_differences, permutation_test
from valuebench_harness.metrics.equivalence import non_inferior
from valuebench_harness.metrics.ids import METRICS
from valuebench_harness.metrics.paired import POWER, Change, paired_change
from valuebench_harness.metrics.paired_margin import fall_exceeds

Floats = NDArray[np.float64]

RESAMPLES = 4_000


@dataclass(frozen=True)
class Difference:
    """Second minus first.

    Attributes:
        before: the metric on the first side; ``None`` where undefined.
        after: on the second.
        estimate: of the difference.
        low: lower end of its 95% interval.
        high: upper end.
        n: items scored on both sides.
        unscored: items that are not.
        up: items whose outcome rose.
        down: items whose outcome fell.
        p_worse: one-sided p of "not worse by more than the margin": small speaks for a regression.
        detectable: the least true difference that 80% of such samples would show.
    """

    before: float | None
    after: float | None
    estimate: float | None
    low: float | None
    high: float | None
    n: int
    unscored: int
    up: int = 0
    down: int = 0
    p_worse: float | None = None
    detectable: float | None = None


def difference(
    metric: str,
    first: Mapping[str, Sequence[float | None]],
    second: Mapping[str, Sequence[float | None]],
    margin: float,
) -> Difference:
    """Compares a metric on the items that both sides hold.

    Args:
        metric: id of the metric, which knows whether higher is better.
        first: item to outcomes.
        second: the same items.
        margin: harm that would not matter, in the metric's unit.
    """
    if metric in SHARES:
        return _share(first, second, margin)
    return _bootstrapped(metric, first, second, margin)


def metric_of(metric: str, outcomes: Mapping[str, Sequence[float | None]]) -> float | None:
    """A metric's own number; ``None`` where it is undefined."""
    if metric in SHARES:
        scored = [o for values in outcomes.values() for o in values if o is not None]
        return sum(scored) / len(scored) if scored else None
    means = _item_means(outcomes)
    if not means:
        return None
    groups = [name.partition("|")[0] for name in means]
    statistic = _root_mean_square if metric == "side_effects" else _share_aimed
    return _defined(float(statistic(np.array(list(means.values())), groups, np.ones((1, len(means))))[0]))


def _share(
    first: Mapping[str, Sequence[float | None]], second: Mapping[str, Sequence[float | None]], margin: float
) -> Difference:
    """The gate asks two things: that there is a fall at all, exactly, and that it exceeds the margin.

    The sign-flip permutation test is exact in small samples but knows no margin; Tango's score test knows it
    but is approximate, and Agresti and Min's interval stands in for it with several answers an item. The
    larger p of both keeps the level (an intersection-union test).
    """
    before = {k: [None if o is None else bool(o) for o in v] for k, v in first.items()}
    after = {k: [None if o is None else bool(o) for o in v] for k, v in second.items()}
    change = paired_change(before, after)
    differences, names = item_differences(before, after)
    p = None
    if change.estimate is not None:
        two_sided = permutation_test(differences, names)
        assert two_sided is not None
        fall = two_sided / 2 if change.estimate < 0 else 1 - two_sided / 2
        p = max(fall, _beyond(change, differences, margin))
    return Difference(
        before=_mean(before, names),
        after=_mean(after, names),
        estimate=change.estimate,
        low=change.low,
        high=change.high,
        n=change.n,
        unscored=change.unscored,
        up=int((differences > 0).sum()),
        down=int((differences < 0).sum()),
        p_worse=p,
        detectable=change.detectable,
    )


def _beyond(change: Change, differences: Floats, margin: float) -> float:
    """P of a fall that does not exceed the margin."""
    if np.isin(differences, (-1.0, 0.0, 1.0)).all():
        down, up = int((differences < 0).sum()), int((differences > 0).sum())
        return fall_exceeds(down, up, len(differences), margin)
    not_worse = non_inferior(change, margin).p if margin else None
    return 0.0 if not_worse is None else 1 - not_worse


def _mean(outcomes: Mapping[str, Sequence[bool | None]], names: Sequence[str]) -> float | None:
    """The rate over the items that are compared."""
    scored = [o for name in names for o in outcomes[name] if o is not None]
    return sum(scored) / len(scored) if scored else None


def _bootstrapped(
    metric: str,
    first: Mapping[str, Sequence[float | None]],
    second: Mapping[str, Sequence[float | None]],
    margin: float,
) -> Difference:
    before, after = _item_means(first), _item_means(second)
    names = [n for n in first if n in before and n in after]
    unscored = sum(1 for n in first if n in second) - len(names)
    if not names:
        return Difference(None, None, None, None, None, n=0, unscored=unscored)
    a = np.array([before[n] for n in names])
    b = np.array([after[n] for n in names])
    groups = [n.partition("|")[0] for n in names]
    statistic = _root_mean_square if metric == "side_effects" else _share_aimed
    ones = np.ones((1, len(names)))
    left, right = (float(statistic(x, groups, ones)[0]) for x in (a, b))
    if np.isnan(left) or np.isnan(right):
        return Difference(_defined(left), _defined(right), None, None, None, n=len(names), unscored=unscored)
    weights = _resamples(groups)
    draws = statistic(b, groups, weights) - statistic(a, groups, weights)
    draws = draws[~np.isnan(draws)]
    sign = 1 if METRICS[metric].higher_is_better else -1
    low, high = np.quantile(draws, [0.025, 0.975])
    error = float(draws.std(ddof=1))
    return Difference(
        before=left,
        after=right,
        estimate=right - left,
        low=float(low),
        high=float(high),
        n=len(names),
        unscored=unscored,
        up=int((b > a).sum()),
        down=int((b < a).sum()),
        p_worse=float((1 + np.sum(sign * draws >= -margin)) / (len(draws) + 1)),
        detectable=(NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(POWER)) * error,
    )


def _defined(number: float) -> float | None:
    return None if np.isnan(number) else number


def _item_means(outcomes: Mapping[str, Sequence[float | None]]) -> dict[str, float]:
    found = {name: [o for o in values if o is not None] for name, values in outcomes.items()}
    return {name: sum(scored) / len(scored) for name, scored in found.items() if scored}


def _resamples(groups: Sequence[str]) -> Floats:
    """How often each item is drawn in each resample, ``[RESAMPLES, n_items]``; items are drawn within their group."""
    rng = np.random.default_rng(0)
    out = np.zeros((RESAMPLES, len(groups)))
    for places in _places(groups):
        share = np.full(len(places), 1 / len(places))
        out[:, places] = rng.multinomial(len(places), share, size=RESAMPLES)
    return out


def _places(groups: Sequence[str]) -> list[NDArray[np.intp]]:
    found: dict[str, list[int]] = defaultdict(list)
    for place, group in enumerate(groups):
        found[group].append(place)
    return [np.array(places, dtype=np.intp) for places in found.values()]


def _root_mean_square(values: Floats, groups: Sequence[str], weights: Floats) -> Floats:
    """Root mean square over groups of the mean change, ``[n_resamples]`` (SteeringControl's entanglement)."""
    means = [weights[:, places] @ values[places] / weights[:, places].sum(axis=1) for places in _places(groups)]
    return np.asarray(np.sqrt(np.mean(np.square(means), axis=0)))


def _share_aimed(values: Floats, groups: Sequence[str], weights: Floats) -> Floats:  # noqa: ARG001 - one shape for all
    """Changes that go the way aimed at, of all changes, ``[n_resamples]``; ``nan`` where nothing changed."""
    total = weights @ np.abs(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(total > 0, weights @ np.maximum(values, 0) / total, np.nan))
