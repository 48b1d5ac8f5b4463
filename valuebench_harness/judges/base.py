"""From text to verdict.

A judge answers one question about an answer with one of a few labels, or leaves it
*unscored* with a reason. An unscored answer is counted and shown; it never becomes a number.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

Question = Literal["csr", "fr", "stance", "agreement", "shows"]
"""What a judge is asked: does the answer act for the value (``csr``); is it fluent (``fr``);
does it agree with a questionnaire item (``stance``); does it say what the thought before it says
(``agreement``, the thought being the item's prompt); does a training text show the value or its
opposite (``shows``)?"""

LABELS: dict[Question, tuple[str, ...]] = {
    "csr": ("yes", "no"),
    "fr": ("fluent", "broken"),
    "stance": ("yes", "no", "unsure"),
    "agreement": ("yes", "no"),
    "shows": ("value", "opposite", "neither"),
}


@dataclass(frozen=True)
class JudgeItem:
    """One answer and one question about it.

    Attributes:
        asks: which question.
        prompt: what the model was asked.
        answer: what it said; untrusted text.
        value: id of the value at stake.
        value_name: its name.
        definition: its definition.
        options: the two acts of a dilemma, in the question's order.
        favours: index of the option that acts for the value.
        yes: index of the option that a bare "yes" affirms, for yes/no dilemmas.
    """

    asks: Question
    prompt: str
    answer: str
    value: str = ""
    value_name: str = ""
    definition: str = ""
    options: tuple[str, str] | None = None
    favours: int | None = None
    yes: Literal[0, 1] | None = None

    @property
    def digest(self) -> str:
        """Hash of the content: two equal items deserve one verdict."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Verdict:
    """A label, or ``None`` where the item stays unscored.

    Attributes:
        label: one of ``LABELS[item.asks]`` or ``None``.
        reason: why; always given for an unscored item.
        tokens: what the verdict cost, for judges that are paid by the token.
    """

    label: str | None
    reason: str = ""
    tokens: int = 0


class Judge(ABC):
    """Judges items in any order, one verdict each."""

    name: ClassVar[str]
    asks: ClassVar[frozenset[Question]]

    @property
    def identity(self) -> str:
        """Name and all that changes its verdicts; part of the cache key."""
        return self.name

    def check_items(self, items: Sequence[JudgeItem], where: str) -> None:  # noqa: ARG002 - for those that check
        """Refuses items that the judge cannot have been meant for; most judges take any.

        Args:
            items: all that a run would have judged.
            where: they are from, for the error.

        Raises:
            UsageError: where its labels are of other items.
        """
        return

    @abstractmethod
    def judge(self, items: Sequence[JudgeItem]) -> AsyncIterator[tuple[int, Verdict]]:
        """Yields ``(index, verdict)`` as verdicts arrive, exactly one for each item."""


class RuleJudge(Judge):
    """A judge that needs nothing but the item."""

    @abstractmethod
    def verdict(self, item: JudgeItem) -> Verdict:
        """The verdict on one item."""

    async def judge(self, items: Sequence[JudgeItem]) -> AsyncIterator[tuple[int, Verdict]]:
        """Judges in order."""
        for i, item in enumerate(items):
            yield i, self.verdict(item)
