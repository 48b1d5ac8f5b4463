"""Items whose verdict differs between two runs, with both answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from valuebench_harness.harness.compare.observations import condition_key, own_answers
from valuebench_harness.harness.records import BASE
from valuebench_harness.harness.run import Answer, Run


@dataclass(frozen=True)
class Flip:
    """An item that one run got on the side aimed at, or right, and the other not.

    Attributes:
        metric: ``csr`` or ``exam``.
        change: of the second run against the first.
        first: the first run's answer.
        second: the second's.
    """

    metric: Literal["csr", "exam"]
    change: Literal["better", "worse"]
    first: Answer
    second: Answer


def flips(first: Run, second: Run) -> list[Flip]:
    """All flips of the steered conditions that both runs hold, the worse ones first, in the order of the items."""
    before = {_place(a): (a, metric, hit) for a, metric, hit in _hits(first)}
    found = []
    for answer, metric, hit in _hits(second):
        old = before.get(_place(answer))
        if old is not None and old[2] != hit and old[0].document.text == answer.document.text:
            found.append(Flip(metric, "better" if hit else "worse", old[0], answer))
    return sorted(found, key=lambda f: f.change != "worse")


def _place(answer: Answer) -> tuple[str, str, int]:
    return condition_key(answer.condition), answer.document.id, answer.sample.repeat


def _hits(run: Run) -> Iterator[tuple[Answer, Literal["csr", "exam"], bool]]:
    for answer in own_answers(run):
        if answer.condition.id == BASE.id or answer.condition.is_twin:
            continue
        if answer.document.kind == "exam" and answer.sample.choice is not None:
            yield answer, "exam", answer.sample.choice == answer.document.answer
        elif answer.document.value in answer.condition.targets and answer.aimed is not None:
            yield answer, "csr", answer.aimed
