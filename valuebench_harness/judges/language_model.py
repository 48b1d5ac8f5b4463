"""What all judges that ask a language model share: rubrics, and which items need no asking."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from valuebench_harness.judges.base import Judge, JudgeItem, Verdict
from valuebench_harness.judges.prefix import prefix_stance
from valuebench_harness.judges.rubrics import Rubrics

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path


class LanguageModelJudge(Judge):
    """Asks a language model for a label.

    Args:
        templates: folder of rubrics that replace the shipped ones.
        prefix_rule: answers to questionnaires that open with yes, no or "I cannot" are taken at their word, and only
            the rest is asked about.
    """

    asks = frozenset({"csr", "fr", "stance", "agreement", "shows"})

    def __init__(self, templates: Path | None, *, prefix_rule: bool) -> None:
        self.rubrics = Rubrics(templates)
        self.prefix_rule = prefix_rule

    @property
    def manner(self) -> str:
        """What is the same for all models: the rubrics and the prefix rule; part of the identity."""
        return self.rubrics.digest + (":prefix" if self.prefix_rule else "")

    def prompt(self, item: JudgeItem) -> str:
        """What the model is asked about an item."""
        return self.rubrics.prompt(item)

    async def judge(self, items: Sequence[JudgeItem]) -> AsyncIterator[tuple[int, Verdict]]:
        """Judges; verdicts come as they arrive.

        Raises:
            UsageError: where the model cannot be asked at all.
            IncompleteError: where it stops to answer, or the budget is spent.
        """
        left = []
        for index, item in enumerate(items):
            label = prefix_stance(item.answer) if self.prefix_rule and item.asks == "stance" else None
            if label is None:
                left.append(index)
            else:
                yield index, Verdict(label, "opens so")
        replies = self.ask([items[i] for i in left])
        async with aclosing(replies):
            async for number, verdict in replies:
                yield left[number], verdict

    @abstractmethod
    def ask(self, items: Sequence[JudgeItem]) -> AsyncGenerator[tuple[int, Verdict], None]:
        """Asks the model about every item, exactly one verdict each."""
