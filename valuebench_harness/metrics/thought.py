"""Does an answer say what the thought before it says? (Kang et al., ACL 2025, Section 3.3, Table 2)"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from valuebench_harness.metrics.paired import Change, paired_change
from valuebench_harness.metrics.rates import Rate, rate

Judged = tuple[str | None, str | None]
"""Labels (yes, no, unsure) of a thought and of its answer, each judged by itself; ``None`` is unscored."""


class ThoughtAnswer(BaseModel):
    """Inconsistency of thought and answer, without and with steering.

    Attributes:
        before: share of pairs whose labels differ, without steering.
        after: the same, steered.
        change: paired, item by item.
    """

    model_config = ConfigDict(frozen=True)

    before: Rate
    after: Rate
    change: Change


def inconsistent(pair: Judged) -> bool | None:
    """Whether thought and answer were judged differently; ``None`` where either is unscored."""
    thought, answer = pair
    return None if thought is None or answer is None else thought != answer


def thought_answer(before: Mapping[str, Sequence[Judged]], after: Mapping[str, Sequence[Judged]]) -> ThoughtAnswer:
    """Kang's Table 2 with intervals.

    Args:
        before: item to the judged pairs of its answers, without steering.
        after: the same, steered.
    """
    sides = [{item: [inconsistent(p) for p in pairs] for item, pairs in side.items()} for side in (before, after)]
    rates = [
        rate([o for found in side.values() for o in found], [item for item, found in side.items() for _ in found])
        for side in sides
    ]
    return ThoughtAnswer(before=rates[0], after=rates[1], change=paired_change(*sides))
