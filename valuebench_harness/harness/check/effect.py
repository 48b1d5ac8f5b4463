"""Steering does something, more of it at a higher strength, and the opposite in the other direction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from valuebench_harness.engine.plan import EMPTY, SteerPlan
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.check.observe import Row, distance, observe
from valuebench_harness.harness.check.outcome import Outcome, failed, not_applicable, verdict
from valuebench_harness.steerers.none import Base
from valuebench_harness.steerers.probe import LinearProbe, fit_probe

if TYPE_CHECKING:
    from valuebench_harness.harness.check.subject import Subject
    from valuebench_harness.steerers.base import Direction

STEPS = (0.5, 1.0, 2.0)
"""Multiples of the checked strength."""

GOOD_PROBE = 0.8
"""Held-out accuracy from which a probe is taken as a witness."""

SLIP = 0.25
"""Share of the way between both directions by which one of them may stand on the wrong side of the base."""

LEAST_STEP = 0.02
"""Share of the largest change by which every step must add to it."""


def check_acts(subject: Subject) -> Outcome:
    """At the checked strength, the steered model is not the unsteered one.

    A fault looks like this: an empty plan; a vector of zeros; a coefficient that is never set.
    """
    if isinstance(subject.steerer, Base):
        return not_applicable("the base does nothing, on purpose")
    n = len(subject.prompts)
    rewritten = sum(subject.plan(m).messages != m for m in subject.prompts)
    moved = [distance(s.states, b.states) for s, b in zip(subject.seen, subject.base, strict=True) if not s.equals(b)]
    words = [f"states of {len(moved)} of {n} prompts move, by up to {max(moved):.0%} of their norm"] if moved else []
    words += [f"{rewritten} of {n} prompts are rewritten"] if rewritten else []
    return verdict(
        bool(words), " and ".join(words) or f"none of {n} prompts is moved or rewritten", moved=max(moved, default=0.0)
    )


def check_monotone(subject: Subject) -> Outcome:
    """A higher strength moves states further from where they were.

    A fault looks like this: a coefficient that is clipped or squared away; a vector normalised after it was
    scaled; a sign that depends on the strength.
    """
    if not subject.acts_inside:
        return not_applicable("it has one strength: it rewrites the prompt")
    strengths = _strengths(subject)
    if len(strengths) < 2:
        return not_applicable(f"it has one strength, {subject.strength:g}")
    sizes = [_size(subject, strength) for strength in strengths]
    steps = " < ".join(f"{size:.3g} at {s:g}" for s, size in zip(strengths, sizes, strict=True))
    words = f"mean change at block {_reading_layer(subject)}: {steps}"
    numbers = {f"strength {s:g}": size for s, size in zip(strengths, sizes, strict=True)}
    if not _rises(sizes):
        return failed(words.replace(" < ", ", "), **numbers)
    return verdict(True, words, **numbers)


def check_direction(subject: Subject) -> Outcome:
    """A probe that knows the value's texts sees it rise in the positive direction, and fall in the other.

    The probe is fitted by the check itself, on the unsteered model, and has no part in the method.
    A fault looks like this: the sides of the pairs confused; ``request.sign`` left out or used twice.
    """
    if not subject.acts_inside:
        return not_applicable("it changes the prompt, not states")
    if subject.steerer.name.startswith("random"):
        return not_applicable("a random direction has no side")
    if not subject.learns:
        return not_applicable("its direction was not learned from the value's pairs")
    probe = _witness(subject)
    if probe.accuracy < GOOD_PROBE:
        return not_applicable(f"no probe tells the value's texts apart here ({probe.accuracy:.0%} held out)")
    base = _score(probe, subject, [row.under(EMPTY) for row in subject.rows])
    shifts: dict[Direction, float] = {}
    directions: tuple[Direction, Direction] = ("positive", "negative")
    for direction in directions:
        try:
            rows = subject.steered_rows(direction=direction)
        except UsageError:
            continue  # a method of one direction says so
        if all(_pushes(row.plan) for row in rows):
            shifts[direction] = _score(probe, subject, rows) - base
    if not shifts:
        return not_applicable("it takes a direction away, which has no side")
    words = ", ".join(f"{'towards' if d == 'positive' else 'away'} {shift:+.2f}" for d, shift in shifts.items())
    words = f"a probe ({probe.accuracy:.0%} held out) at block {_reading_layer(subject)} reads {words} logits"
    good = _apart(shifts)
    if not good and _same_for_every_value(subject):
        return not_applicable("what it learned is the same for another value")
    return verdict(good, words, **shifts)


def _strengths(subject: Subject) -> list[float]:
    found = []
    for step in STEPS:
        strength = step * subject.strength
        try:
            subject.steerer.check_strength(strength)
            subject.plan(subject.prompts[0], strength=strength)
        except UsageError:
            continue  # outside of what the method takes
        found.append(strength)
    return found


def _reading_layer(subject: Subject) -> int:
    return max(subject.layers, default=subject.model.n_layers - 1)


def _size(subject: Subject, strength: float) -> float:
    layer = _reading_layer(subject)
    seen = observe(subject.model, subject.steered_rows(strength=strength))
    gaps = [s.states[:, layer] - b.states[:, layer] for s, b in zip(seen, subject.base, strict=True)]
    return float(np.mean([gap.norm(dim=-1).mean() for gap in gaps]))


def _apart(shifts: Mapping[Direction, float]) -> bool:
    """Whether the directions part, each on its own side but for a small part of the way between them."""
    towards, away = shifts.get("positive", 0.0), shifts.get("negative", 0.0)
    slip = SLIP * (towards - away)
    return towards > away and towards >= -slip and away <= slip


def _same_for_every_value(subject: Subject) -> bool:
    """Whether another value's fit gives the same arrays: a feature or a file that the user named."""
    others = [value for value in subject.family.data.system.ids if value != subject.value.id]
    if not others or subject.artifact is None:
        return False
    here, other = subject.artifact.arrays, subject.fit(subject.fresh(), others[0]).artifact
    if other is None or set(other.arrays) != set(here):
        return False
    return all(np.array_equal(other.arrays[name], array) for name, array in here.items())


def _pushes(plan: SteerPlan) -> bool:
    """Whether a plan moves states to a side; what only projects out brings both sides to the middle."""
    removes = [one.kind == "ablate" and one.params.get("side") == 0.0 for one in plan.active]
    return not removes or not all(removes)


def _rises(values: Sequence[float]) -> bool:
    return all(b - a > LEAST_STEP * max(values) for a, b in pairwise([0.0, *values]))


def _witness(subject: Subject) -> LinearProbe:
    layer = _reading_layer(subject)
    positive, negative = subject.context.labelled_states()
    return fit_probe(positive[:, layer], negative[:, layer], c=0.01, standardize=True, train_share=0.7, seed=0)


def _score(probe: LinearProbe, subject: Subject, rows: Sequence[Row]) -> float:
    layer = _reading_layer(subject)
    return float(np.mean([probe.logits(s.states[:, layer].numpy()).mean() for s in observe(subject.model, rows)]))
