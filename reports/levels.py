"""The strengths of a run: what was steered at each, and which of them the summary speaks of."""

from __future__ import annotations

from dataclasses import dataclass

from valuebench_harness.harness.results import ConditionResult, Results
from valuebench_harness.metrics.paired import Change


@dataclass(frozen=True)
class Level:
    """All values steered at one strength.

    Attributes:
        number: place among the run's strengths.
        conditions: by value, in the order of the run.
        pooled: all of them together.
    """

    number: int
    conditions: tuple[ConditionResult, ...]
    pooled: ConditionResult

    @property
    def strengths(self) -> tuple[float, ...]:
        """The strengths of its values, rising, each once."""
        return tuple(sorted({r.condition.strength for r in self.conditions}))

    @property
    def strength(self) -> str:
        """``2``, or ``1..3`` where shipped strengths differ between values."""
        found = self.strengths
        return f"{found[0]:g}" if len(found) == 1 else f"{found[0]:g}..{found[-1]:g}"

    @property
    def success(self) -> float:
        """What levels are ranked by: answers on the side aimed at and fluent, over all answers."""
        effect = self.pooled.success
        return effect.after.estimate or 0.0 if effect else 0.0

    @property
    def known(self) -> bool:
        """Whether any answer is scored on its side."""
        return self.pooled.csr is not None and self.pooled.csr.after.estimate is not None

    def off_target(self) -> dict[tuple[str, str], Change]:
        """Changes of the values not aimed at, by (value steered, value measured)."""
        return {
            (str(r.condition.value), value): change
            for r in self.conditions
            for value, change in r.side_effects.items()
            if value not in r.condition.targets and change.estimate is not None
        }


def levels(results: Results) -> tuple[Level, ...]:
    """The strengths of a run, in its order; none where only the base was run."""
    return tuple(
        Level(
            number=pooled.condition.level,
            conditions=tuple(r for r in results.conditions if r.condition.level == pooled.condition.level),
            pooled=pooled,
        )
        for pooled in results.pooled
    )


def best_level(results: Results) -> Level | None:
    """The strength of the highest success; ``None`` where only the base was run.

    Of equals it is the first, or the first that has an answer scored on its side.
    """
    return max(levels(results), key=lambda level: (level.success, level.known), default=None)
