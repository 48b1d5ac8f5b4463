"""What wins where a prompt and a steering method pull at a value: the numbers of ConVA's Fig. 4.

Jin et al. (ACL 2025, Section 4.4) let a prompt act for a value or against it, and compare control success of the
steered model with that under no such prompt. Two things are added here. The claim "not inferior" is tested
against a margin, paired on the same items. And since an item that neither pull moves says nothing about which is
stronger, *conflicts* are looked at by themselves: items that steering alone puts on the side aimed at, and
guidance alone on the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from valuebench_harness.harness.records import BASE, SCHEMA_VERSION, Record
from valuebench_harness.harness.run import Run
from valuebench_harness.metrics.equivalence import Margin, non_inferior_each
from valuebench_harness.metrics.paired import Change, paired_change
from valuebench_harness.metrics.rates import Rate, rate

Guidance = Literal["positive", "negative", "none"]
Winner = Literal["steering", "prompt", "not shown", "no conflict"]

HALF = 0.5


class Outcomes(NamedTuple):
    """Answers under one guidance, steered or not: item to the outcomes of its answers; ``None`` is unscored.

    Attributes:
        aimed: on the side aimed at.
        fluent: whole and fluent.
    """

    aimed: dict[str, list[bool | None]]
    fluent: dict[str, list[bool | None]]


class Cell(NamedTuple):
    """A cell of the crossed design."""

    guidance: Guidance
    steered: bool


Crossed = Mapping[Cell, Outcomes]


class Arm(Record):
    """One guidance, without and with steering.

    Attributes:
        guidance: what the prompt says: for the value, against it, nothing.
        unsteered: answers on the side aimed at, guidance alone.
        steered: the same with steering.
        effect: what steering changes under this guidance.
        fluent: fluent answers with steering.
        success: on that side and fluent, over all answers with steering, unscored ones counting as failures.
        from_none: with steering: this guidance minus none; ``None`` for none itself.
        not_worse: whether that is no loss of the margin or more; Holm's adjustment over the guidances.
    """

    guidance: Guidance
    unsteered: Rate
    steered: Rate
    effect: Change
    fluent: Rate
    success: Rate
    from_none: Change | None = None
    not_worse: Margin | None = None


class Pull(Record):
    """All guidances on one value, or on several pooled.

    Attributes:
        arms: none first.
        conflicts: of the items on which steering and opposed guidance alone lead to different sides, the answers
            that follow steering; ``None`` where guidance against the side aimed at was not run.
    """

    arms: tuple[Arm, ...]
    conflicts: Rate | None = None

    @property
    def winner(self) -> Winner | None:
        """Which side the interval of the conflicts lies on; ``None`` where no guidance opposed steering."""
        if self.conflicts is None:
            return None
        if self.conflicts.low is None or self.conflicts.high is None:
            return "no conflict"
        if self.conflicts.low > HALF:
            return "steering"
        return "prompt" if self.conflicts.high < HALF else "not shown"

    def arm(self, guidance: Guidance) -> Arm | None:
        """The arm of a guidance, where it was run."""
        return next((a for a in self.arms if a.guidance == guidance), None)


class Priority(Record):
    """``priority.json``: a prompt against a steering method.

    Attributes:
        model: that was steered.
        revision: of it: commit or fingerprint.
        steerer: the method.
        guide: the prompt method that guides.
        direction: of steering, which all rates are counted by.
        strengths: of the method, by value.
        gate: of the method.
        judge: identity of the judge.
        seed: of the runs.
        margin: loss that would matter, in shares.
        pooled: all values.
        values: each by itself.
        verdicts: asked for in all runs.
        unscored: those that stayed unscored.
        runs: folders of the runs, relative to this file's, by ``guidance`` or ``guidance+steering``.
    """

    schema_version: int = SCHEMA_VERSION
    model: str
    revision: str
    steerer: str
    guide: str
    direction: Literal["positive", "negative"]
    strengths: dict[str, float]
    gate: str
    judge: str
    seed: int
    margin: float
    pooled: Pull
    values: dict[str, Pull]
    verdicts: int
    unscored: int
    runs: dict[str, str]

    @property
    def opposed(self) -> Guidance:
        """The guidance that pulls the other way."""
        return opposed(self.direction)

    @property
    def unscored_share(self) -> float:
        """Share of verdicts that stayed unscored."""
        return self.unscored / self.verdicts if self.verdicts else 0.0


def opposed(direction: Literal["positive", "negative"]) -> Guidance:
    """The guidance that pulls against a direction of steering."""
    return "negative" if direction == "positive" else "positive"


def outcomes(run: Run, *, steered: bool, sign: int, values: Iterable[str]) -> Outcomes:
    """What a run holds of one cell.

    Args:
        run: to read.
        steered: the run's steered answers, else its base's.
        sign: +1 where answers for the value are aimed at, -1 where answers against it are. A run of guidance
            alone has another direction of its own, so it is not asked.
        values: whose dilemmas count.
    """
    wanted = set(values)
    aimed: dict[str, list[bool | None]] = {}
    fluent: dict[str, list[bool | None]] = {}
    for a in run.answers():
        document = a.document
        if (a.condition.id != BASE.id) != steered or document.kind != "dilemma" or document.value not in wanted:
            continue
        csr, fr = a.verdicts.get("csr"), a.verdicts.get("fr")
        on_side = None if csr is None or csr.label is None else (csr.label == "yes") == (sign > 0)
        aimed.setdefault(document.id, []).append(on_side)
        fluent.setdefault(document.id, []).append(None if fr is None or fr.label is None else fr.label == "fluent")
    return Outcomes(aimed, fluent)


def pull(crossed: Crossed, guidances: Sequence[Guidance], against: Guidance, margin: float) -> Pull:
    """The numbers of a crossed design.

    Args:
        crossed: outcomes of every guidance, without and with steering, on the same items.
        guidances: other than none.
        against: the one that opposes steering.
        margin: loss that would matter, in shares.
    """
    reference = crossed[Cell("none", steered=True)].aimed
    changes: dict[str, Change] = {g: paired_change(reference, crossed[Cell(g, steered=True)].aimed) for g in guidances}
    margins = non_inferior_each(changes, margin)
    arms = [_arm(crossed, "none"), *(_arm(crossed, g, changes[g], margins[g]) for g in guidances)]
    return Pull(arms=tuple(arms), conflicts=conflicts(crossed, against) if against in guidances else None)


def conflicts(crossed: Crossed, against: Guidance) -> Rate:
    """Of the answers to items that steering and guidance alone lead to different sides, those that follow steering.

    Which items count is decided by the two alone, never by their contest. An answer is compared with the answers
    of the same repeat, since all conditions share their sampling noise; items are the clusters.
    """
    alone = crossed[Cell("none", steered=True)].aimed
    guided = crossed[Cell(against, steered=False)].aimed
    both = crossed[Cell(against, steered=True)].aimed
    found: list[bool | None] = []
    items: list[str] = []
    for item, contest in both.items():
        for steering, prompt, outcome in zip(alone[item], guided[item], contest, strict=True):
            if steering is True and prompt is False:
                found.append(outcome)
                items.append(item)
    return rate(found, items)


def _arm(crossed: Crossed, guidance: Guidance, change: Change | None = None, margin: Margin | None = None) -> Arm:
    before, after = (crossed[Cell(guidance, steered=steered)] for steered in (False, True))
    both: dict[str, list[bool | None]] = {
        item: [s is True and f is True for s, f in zip(sides, after.fluent[item], strict=True)]
        for item, sides in after.aimed.items()
    }
    return Arm(
        guidance=guidance,
        unsteered=_rate(before.aimed),
        steered=_rate(after.aimed),
        effect=paired_change(before.aimed, after.aimed),
        fluent=_rate(after.fluent),
        success=_rate(both),
        from_none=change,
        not_worse=margin,
    )


def _rate(by_item: Mapping[str, list[bool | None]]) -> Rate:
    flat = [(outcome, item) for item, found in by_item.items() for outcome in found]
    return rate([o for o, _ in flat], [i for _, i in flat])
