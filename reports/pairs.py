"""Steered answers beside what the base said to the same item."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from valuebench_harness.harness.run import Answer, Run
from valuebench_harness.reports.levels import Level


@dataclass(frozen=True)
class Pair:
    """An answer and the base's to the same item; ``base`` is ``None`` where only the base was run."""

    answer: Answer
    base: Answer | None

    @property
    def on_target(self) -> bool:
        """Whether the item is a dilemma of a value that is steered."""
        return self.answer.document.kind == "dilemma" and self.answer.document.value in self.answer.condition.targets

    @property
    def flipped(self) -> bool | None:
        """Whether a dilemma's verdict differs from the base's; ``None`` where one is unscored."""
        if self.base is None:
            return None
        after, before = self.answer.verdicts.get("csr"), self.base.verdicts.get("csr")
        if after is None or before is None or after.label is None or before.label is None:
            return None
        return after.label != before.label

    @property
    def fluent(self) -> bool:
        """Whether the answer was found fluent."""
        verdict = self.answer.verdicts.get("fr")
        return verdict is not None and verdict.label == "fluent"


@dataclass(frozen=True)
class Example:
    """A pair worth reading, with what it shows."""

    title: str
    pair: Pair


def pairs(run: Run) -> Iterator[Pair]:
    """Every steered answer with the base's; the base's own where nothing was steered."""
    found = list(run.answers())
    base = {(a.document.id, a.sample.repeat): a for a in found if a.condition.value is None}
    if len(base) == len(found):
        yield from (Pair(a, None) for a in found)
        return
    for a in found:
        if a.condition.value is not None:
            yield Pair(a, base.get((a.document.id, a.sample.repeat)))


def examples(run: Run, level: Level | None) -> list[Example]:
    """Up to three pairs of a strength: one that moved, one that did not, one that went wrong elsewhere.

    The first of its kind in the order of the run is taken, of a value not shown yet where there is
    one, so that nobody picked them. A side effect is looked for where a change is shown at all.

    Args:
        run: a finished run.
        level: the strength; ``None`` shows unsteered answers.
    """
    kinds: tuple[tuple[str, Callable[[Pair], bool]], ...] = (("Unsteered", lambda _: True),) * 2
    if level:
        shown = {pair: change.estimate or 0.0 for pair, change in level.off_target().items() if change.shown}
        kinds = (
            ("Moved", lambda p: p.on_target and p.flipped is True and p.answer.aimed is True and p.fluent),
            ("Not moved", lambda p: p.on_target and p.answer.aimed is False),
            ("Side effect", lambda p: p.flipped is True and _follows(p, shown)),
            ("Broken", lambda p: p.on_target and not p.fluent),
        )
    number = level.number if level else 0
    asked = [p for p in pairs(run) if p.answer.document.kind == "dilemma" and p.answer.condition.level == number]
    out: list[Example] = []
    for title, fits in kinds:
        used = {e.pair.answer.document.value for e in out}
        found = [p for p in asked if fits(p)]
        fresh = [p for p in found if p.answer.document.value not in used]
        out += [Example(title, p) for p in (fresh or found)[:1]]
    return out[:3]


def _follows(pair: Pair, shown: dict[tuple[str, str], float]) -> bool:
    """Whether a flipped answer goes the way its value's answers went under this steering."""
    change = shown.get((str(pair.answer.condition.value), str(pair.answer.document.value)), 0.0)
    return change != 0.0 and (pair.answer.verdicts["csr"].label == "yes") == (change > 0)
