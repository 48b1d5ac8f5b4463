"""Do the answers about one value move together?"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from valuebench_harness.metrics.rates import Rate, rate


class Consistency(BaseModel):
    """How a questionnaire about the steered value answered to steering.

    Attributes:
        rate: among the items whose orientation changed, the share that moved the way aimed at.
            Kang et al. (ACL 2025, Section 3.4) report its complement: about one inverse
            change in five. No change at all leaves it undefined.
        before: mean orientation in [-1, 1] without steering (yes/no/unsure against the item's
            agreement: +1 for the value, -1 against, 0 unsure).
        after: the same, steered.
        items: answers with an orientation on both sides.
        unscored: answers without.
    """

    model_config = ConfigDict(frozen=True)

    rate: Rate
    before: float | None
    after: float | None
    items: int
    unscored: int


Orientations = Mapping[tuple[str, int], int | None]
"""Item id and number of the answer to its orientation, ``None`` where unscored."""


def orientation(stance: str | None, agreement: int) -> int | None:
    """Orientation of one answer (ValueBench; Kang, Section 3.1): +1, -1, 0 for unsure, ``None`` unscored."""
    if stance is None:
        return None
    return {"yes": 1, "no": -1, "unsure": 0}[stance] * agreement


def consistency(before: Orientations, after: Orientations, sign: int) -> Consistency:
    """Compares orientations answer by answer; the answers to one item are a cluster.

    Args:
        before: orientations without steering.
        after: the same, steered.
        sign: +1 where the value was to be raised, -1 where lowered.
    """
    asked = [(item, before[item, repeat], after[item, repeat]) for item, repeat in before if (item, repeat) in after]
    both = [(item, first, second) for item, first, second in asked if first is not None and second is not None]
    changed = [(item, (second - first) * sign > 0) for item, first, second in both if first != second]
    n = len(both)
    return Consistency(
        rate=rate([aimed for _, aimed in changed], [item for item, _ in changed]),
        before=sum(first for _, first, _ in both) / n if n else None,
        after=sum(second for _, _, second in both) / n if n else None,
        items=n,
        unscored=len(asked) - n,
    )
