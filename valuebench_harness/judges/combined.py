"""Several judges as one: each question goes to the last of them that answers it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence

from valuebench_harness.judges.base import Judge, JudgeItem, Question, Verdict


class Combined(Judge):
    """``option-match+reference-lm``: control by the first, fluency by the second.

    Args:
        parts: judges; a later one takes over the questions that it answers.
    """

    name = "combined"
    asks = frozenset()

    def __init__(self, parts: Sequence[Judge]) -> None:
        self.parts = tuple(parts)
        self._who: dict[Question, Judge] = {question: part for part in parts for question in sorted(part.asks)}

    @property
    def identity(self) -> str:
        """All parts'."""
        return "+".join(part.identity for part in self.parts)

    def check_items(self, items: Sequence[JudgeItem], where: str) -> None:
        """Each part's own check."""
        for part in self.parts:
            part.check_items(items, where)

    async def judge(self, items: Sequence[JudgeItem]) -> AsyncIterator[tuple[int, Verdict]]:
        """Judges part by part; errors are those of the parts."""
        shares: dict[Judge, list[int]] = defaultdict(list)
        for index, item in enumerate(items):
            part = self._who.get(item.asks)
            if part is None:
                yield index, Verdict(None, f"no part of the judge answers '{item.asks}'")
            else:
                shares[part].append(index)
        for part in self.parts:
            mine = shares[part]
            async for number, verdict in part.judge([items[i] for i in mine]):
                yield mine[number], verdict
