"""A metric of one set of outcomes, and its difference between two sets on the same items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from valuebench_harness.harness.compare.changes import (
    consistency_difference,
    root_mean_square,
    share_aimed,
    side_effects_difference,
)
from valuebench_harness.harness.compare.difference import Difference
from valuebench_harness.harness.compare.observations import SHARES
from valuebench_harness.harness.compare.shares import share_difference


def difference(
    metric: str,
    first: Mapping[str, Sequence[float | None]],
    second: Mapping[str, Sequence[float | None]],
    margin: float,
) -> Difference:
    """Compares a metric on the items that both sides hold.

    Args:
        metric: id of the metric.
        first: item to outcomes.
        second: the same items.
        margin: harm that would not matter, in the metric's unit.
    """
    if metric in SHARES:
        return share_difference(first, second, margin)
    if metric == "side_effects":
        return side_effects_difference(first, second, margin)
    return consistency_difference(first, second, margin)


def metric_of(metric: str, outcomes: Mapping[str, Sequence[float | None]]) -> float | None:
    """A metric of one side, over all its outcomes; ``None`` where undefined."""
    if metric == "side_effects":
        return root_mean_square(outcomes)
    if metric == "consistency":
        return share_aimed(outcomes)
    scored = [o for values in outcomes.values() for o in values if o is not None]
    return sum(scored) / len(scored) if scored else None
