"""Which answers should people label? A sample in which each is as likely as another, spread over all strata."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from valuebench_harness.errors import UsageError
from valuebench_harness.harness.family import family_of
from valuebench_harness.harness.judging import judge_items
from valuebench_harness.harness.levels import by_level
from valuebench_harness.harness.records import BASE, Condition
from valuebench_harness.harness.run import Answer, Run
from valuebench_harness.judges.base import JudgeItem, Question
from valuebench_harness.judges.labels import item_id

if TYPE_CHECKING:
    from valuebench_harness.data.datasets import DataSet

T = TypeVar("T")

KINDS: Mapping[str, tuple[Question, ...]] = {"dilemma": ("csr", "fr"), "questionnaire": ("stance",)}
"""Kinds of documents that people can label, and what they are asked about each."""


@dataclass(frozen=True)
class Judged:
    """An answer that belongs to a number of the run.

    Attributes:
        answer: with the verdicts of the run's judge.
        item: what is judged, as the run's judge saw it.
        group: the number it belongs to: ``base``, or method and strength.
        aim: +1 where acting for the value is aimed at, -1 where against.
    """

    answer: Answer
    item: JudgeItem
    group: str
    aim: int

    @property
    def id(self) -> str:
        """Of what is judged, whatever is asked."""
        return item_id(self.item)


def judged_answers(run: Run, kind: str) -> list[Judged]:
    """The answers behind a run's CSR and FR, or behind its consistency.

    Those are the base's and each strength's answers to the items of the values steered; what other values' items
    were answered under steering belongs to the side effects and is left out. The base's answers stand once for every
    condition of a level that steers their value, each time with that condition's aim, as in the run's own numbers.

    Args:
        run: with verdicts.
        kind: of documents, ``dilemma`` or ``questionnaire``.

    Raises:
        UsageError: where the run has no answer of that kind.
    """
    system = family_of(run.info.config).data.system
    names = group_names(run.conditions.values())
    # All levels steer the same values; a run of the base alone looks at every value from its own side.
    pooled = next(iter(by_level(c for c in run.conditions.values() if c.id != BASE.id and not c.is_twin)), None)
    out = []
    for answer in run.answers():
        document, condition = answer.document, answer.condition
        value = document.value
        if document.kind != kind or value is None or document.system not in ("", system.name) or condition.is_twin:
            continue
        if condition.id != BASE.id:
            aims = [condition.aim(value)] if value in condition.targets else []
        else:
            aims = [1] if pooled is None else [c.aim(value) for c in pooled if value in c.targets]
        if aims:
            (_, item), *_ = judge_items([answer.sample], {document.id: document}, system)
            out += [Judged(answer, item, names[condition.id], aim) for aim in aims]
    if not out:
        raise UsageError(f"{run.folder} holds no answers to a {kind} of the values steered.")
    return out


def group_names(conditions: Iterable[Condition]) -> dict[str, str]:
    """Condition id to the number that it belongs to: ``base``, or method and strength.

    Strengths that differ between the values of one level are named from the lowest to the highest.
    """
    names = {BASE.id: BASE.id}
    for members in by_level(c for c in conditions if c.id != BASE.id):
        found = sorted({c.strength for c in members})
        text = f"{found[0]:g}" if len(found) == 1 else f"{found[0]:g}..{found[-1]:g}"
        names |= {c.id: f"{c.steerer} at {text}" for c in members}
    return names


def draw(items: Sequence[Judged], n: int, seed: int) -> list[Judged]:
    """A stratified sample of distinct answers, in random order.

    Answers are put in the order of group, value and the run's verdicts, and every k-th is taken from a random start
    (systematic sampling): each has the same chance, and every stratum its share. Equal answers to one item count as
    one, so that nobody reads them twice.

    Args:
        items: to draw from.
        n: how many; all of them where there are fewer.
        seed: of start and order.

    Raises:
        UsageError: for less than one.
    """
    distinct: dict[str, list[Judged]] = defaultdict(list)
    for item in items:
        distinct[item.id].append(item)
    strata = sorted(distinct.values(), key=lambda same: (_stratum(same), same[0].id))
    return [same[0] for same in systematic(strata, n, seed)]


def draw_pairs(data: DataSet, values: Iterable[str], n: int, seed: int) -> list[tuple[str, str, str]]:
    """A stratified sample of training texts.

    Args:
        data: their data set.
        values: ids.
        n: texts in all.
        seed: of the draw.

    Returns:
        Value, text and the side that it was written for (``value`` or ``opposite``).
    """
    return systematic(training_texts(data, values), n, seed)


def training_texts(data: DataSet, values: Iterable[str]) -> list[tuple[str, str, str]]:
    """All training texts of the values, in the order of value, side and text."""
    sides = {
        (value, text, side)
        for value in values
        if data.has("pairs", value)
        for pair in data.pairs(value)
        for text, side in ((pair.positive, "value"), (pair.negative, "opposite"))
    }
    return sorted(sides, key=lambda x: (x[0], x[2], x[1]))


def systematic(ordered: Sequence[T], n: int, seed: int) -> list[T]:
    """Every k-th of an ordered population from a random start, shuffled.

    Raises:
        UsageError: for less than one.
    """
    if n < 1:
        raise UsageError(f"--n is {n}; a sheet holds at least 1 item.")
    rng = random.Random(seed)  # noqa: S311 - a sample, not a secret
    count = min(n, len(ordered))
    step, start = len(ordered) / max(count, 1), rng.random()
    taken = [ordered[int((i + start) * step)] for i in range(count)]
    rng.shuffle(taken)
    return taken


def _stratum(same: Sequence[Judged]) -> tuple[str, ...]:
    first = same[0]
    verdicts = (f"{asks}:{v.label}" for asks, v in sorted(first.answer.verdicts.items()))
    return ("|".join(sorted({s.group for s in same})), first.answer.document.value or "", *verdicts)
