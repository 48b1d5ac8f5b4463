"""What the three procedures share: rounds that ask for what is still missing, and a record of what fell."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TypeVar

from valuebench_harness.data.schemas import Item
from valuebench_harness.harness.generate.ask import Asker
from valuebench_harness.harness.generate.parse import Situation, read_choice, read_entries
from valuebench_harness.harness.generate.prompts import Prompts
from valuebench_harness.harness.generate.records import Rejection, Step
from valuebench_harness.harness.generate.screen import Seen

BATCH = 5
"""Texts a request asks for where each answers an entry of it: enough to be cheap, few enough to keep apart."""

CHUNK = 25
"""Entries a request lists freely: ConVA's own number (Jin et al., ACL 2025, Table 8)."""

MOST_KNOWN = 200
"""Earlier entries that a request is told not to repeat; older ones are still refused when they come back."""

T = TypeVar("T")


class Recipe(ABC):
    """Makes items in rounds.

    Args:
        prompts: the wording, for one value.
        asker: sends them.
        wanted: number of items.

    Attributes:
        rejected: what fell so far, in the order of the procedure.
    """

    def __init__(self, prompts: Prompts, asker: Asker, wanted: int) -> None:
        self.prompts = prompts
        self.asker = asker
        self.wanted = wanted
        self.rejected: list[Rejection] = []
        self._situations = Seen()
        self._told: list[str] = []

    @property
    @abstractmethod
    def missing(self) -> int:
        """Number of items still to be made."""

    @abstractmethod
    def items(self) -> Sequence[Item]:
        """What was accepted, numbered."""

    @abstractmethod
    def round(self, turn: int) -> None:
        """Asks once for all that is missing; earlier rounds' items stay."""

    def reject(self, step: Step, reason: str, *texts: str, form: str = "") -> None:
        """Records what fell."""
        self.rejected.append(Rejection(step=step, reason=reason, texts=texts, form=form))

    def new_situations(self, n: int, turn: int) -> list[Situation]:
        """At most ``n`` situations unlike those before them."""
        found: list[Situation] = []
        for start in range(0, n, CHUNK):
            prompt = self.prompts.fill("situations.txt", n=min(CHUNK, n - start), known=self._told[-MOST_KNOWN:])
            (reply,) = self.asker.ask("situations", [prompt], turn)
            for entry in read_entries(reply, Situation):
                if isinstance(entry, str):
                    self.reject("situations", entry)
                elif nearest := self._situations.repeated(entry.situation):
                    self.reject("situations", f"it repeats {nearest!r}", entry.situation)
                else:
                    self._situations.add(entry.situation)
                    self._told.append(entry.situation)
                    found.append(entry)
        for spare in found[n:]:
            self.reject("situations", "more came than were asked for", spare.situation)
        return found[:n]

    def check(self, sides: Sequence[tuple[str, str]]) -> list[str]:
        """Which of two texts acts for the value? Asked for each, in an order that tells nothing.

        Args:
            sides: texts for the value and against it.

        Returns:
            Empty where the model picks the first of the two, otherwise why not.
        """
        swapped = [int(hashlib.sha256(one.encode()).hexdigest(), 16) % 2 == 1 for one, _ in sides]
        prompts = [
            self.prompts.fill("check.txt", texts=_lettered(*(reversed(side) if swap else side)))
            for side, swap in zip(sides, swapped, strict=True)
        ]
        replies = self.asker.ask("check", prompts, 0)
        return [_fault(read_choice(reply), swap) for reply, swap in zip(replies, swapped, strict=True)]


def batches(entries: Sequence[T], size: int = BATCH) -> Iterator[Sequence[T]]:
    """Entries in groups of at most ``size``."""
    for start in range(0, len(entries), size):
        yield entries[start : start + size]


def _lettered(first: str, second: str) -> list[dict[str, str]]:
    return [{"A": first}, {"B": second}]


def _fault(said: str, swapped: bool) -> str:
    if said == "neither":
        return "the check sees no difference in the value"
    if said not in {"A", "B"}:
        return said
    return "" if said == ("B" if swapped else "A") else "the check takes the sides the other way round"
