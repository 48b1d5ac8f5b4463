"""Levels of strength: the conditions that a run's numbers are pooled over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from valuebench_harness.harness.records import Condition


def by_level(steered: Iterable[Condition]) -> list[list[Condition]]:
    """Steered conditions by their level, the first level first."""
    levels: dict[int, list[Condition]] = defaultdict(list)
    for c in steered:
        levels[c.level].append(c)
    return [levels[n] for n in sorted(levels)]


def pool(members: Sequence[Condition]) -> Condition:
    """One level as a condition: of no value, named from the lowest strength to the highest."""
    strengths = sorted({c.strength for c in members})
    text = f"{strengths[0]:g}" if len(strengths) == 1 else f"{strengths[0]:g}-{strengths[-1]:g}"
    mark = "+" if members[0].direction == "positive" else "-"
    update: dict[str, object] = {"id": f"{members[0].steerer}:all:{mark}{text}", "value": None, "weights": {}}
    return members[0].model_copy(update=update)
