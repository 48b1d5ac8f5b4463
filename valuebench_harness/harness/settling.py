"""Strengths that are chosen on the model itself: what was tried, on which items, and what was taken."""

from __future__ import annotations

from valuebench_harness.harness.conditions import Setting
from valuebench_harness.harness.records import Record
from valuebench_harness.metrics.rates import Rate


class Trial(Record):
    """One strength (and choice of layers) that ``--tune`` tried.

    Attributes:
        strength: of the method.
        layers: ``None`` for the method's own choice, or the configuration's.
        success: answers on the side aimed at and fluent, over all answers.
        csr: answers on the side aimed at.
        fr: fluent answers.
    """

    strength: float
    layers: tuple[int, ...] | None = None
    success: Rate
    csr: Rate
    fr: Rate


class Tuned(Record):
    """What ``--tune`` chose for a value, and from what.

    Attributes:
        value: id, or several with weights.
        strength: chosen.
        layers: chosen; ``None`` for the method's own choice.
        rule: by which rule.
        base: success without steering on the same items.
        items: ids of the dilemmas tuned on; none of them is reported on.
        grid: all that was tried.
    """

    value: str
    strength: float
    layers: tuple[int, ...] | None = None
    rule: str
    base: Rate
    items: tuple[str, ...]
    grid: tuple[Trial, ...]


class Matched(Record):
    """What ``--match-kl`` chose for a value.

    Attributes:
        value: id, or several with weights.
        strength: chosen.
        kl: reached, in nats a token: KL(steered || base), the mean over the tokens.
        target: asked for.
        texts: neutral texts it was measured on.
        tokens: of these texts that it was measured at.
    """

    value: str
    strength: float
    kl: float
    target: float
    texts: int
    tokens: int


class Settled(Record):
    """All choices of a run, ``settled.json``.

    Attributes:
        plan_hash: of the plan before strengths were chosen.
        training: hash of the method's code and of what it learns from.
        tuned: by ``--tune``.
        matched: by ``--match-kl``.
    """

    plan_hash: str
    training: str
    tuned: tuple[Tuned, ...] = ()
    matched: tuple[Matched, ...] = ()

    @property
    def settings(self) -> dict[str, Setting]:
        """Strength and layers by value."""
        found: dict[str, Setting] = {t.value: (t.strength, t.layers) for t in self.tuned}
        return found | {m.value: (m.strength, None) for m in self.matched}
