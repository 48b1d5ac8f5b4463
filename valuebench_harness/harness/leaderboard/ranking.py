"""Ranks that say no more than is known, and the front of effect against damage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from valuebench_harness.harness.compare.observations import Outcomes
from valuebench_harness.metrics.comparison import item_differences
from valuebench_harness.metrics.families import holm
from valuebench_harness.metrics.sign_flips import permutation_test

ALPHA = 0.05


def ranks(outcomes: Mapping[str, Outcomes], *, alpha: float = ALPHA) -> dict[str, int]:
    """One more than the number of methods that are shown to be better.

    Every pair of methods is compared on the items that both answered (paired sign-flip test); over all pairs
    the chance of any false order is held at ``alpha`` (Holm). Methods that cannot be told apart from the same
    others share a rank.

    Args:
        outcomes: of the metric that ranks, by method; higher is better.
        alpha: chance of any false order.
    """
    p_values: dict[tuple[str, str], float | None] = {}
    gains: dict[tuple[str, str], float] = {}
    for a, b in combinations(outcomes, 2):
        differences, names = item_differences(_booleans(outcomes[a]), _booleans(outcomes[b]))
        p_values[a, b] = permutation_test(differences, names)
        gains[a, b] = float(differences.mean()) if len(differences) else 0.0
    shown = {pair for pair, p in holm(p_values).items() if p is not None and p < alpha}
    better = {(b, a) if gains[a, b] > 0 else (a, b) for a, b in shown}
    return {name: 1 + sum(loser == name for _, loser in better) for name in outcomes}


def _booleans(outcomes: Outcomes) -> dict[str, list[bool | None]]:
    return {item: [None if o is None else bool(o) for o in found] for item, found in outcomes.items()}


def front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Which points no other one beats: as much effect with less damage, or more effect with as little.

    Args:
        points: (effect, damage) of each method.
    """
    return [
        not any(
            other_effect >= effect and other_damage <= damage and (other_effect, other_damage) != (effect, damage)
            for other_effect, other_damage in points
        )
        for effect, damage in points
    ]
