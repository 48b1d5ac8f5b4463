"""A row is its own: the rest of the batch, its order and its padding change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from valuebench_harness.engine.plan import EMPTY
from valuebench_harness.harness.check.observe import Seen, distance, observe
from valuebench_harness.harness.check.outcome import Outcome, failed, not_applicable, passed, verdict

if TYPE_CHECKING:
    from valuebench_harness.harness.check.subject import Subject

OTHER_PAD = 7
"""Any token that is no padding."""


def check_batches(subject: Subject) -> Outcome:
    """A row alone, among others, in another order and beside unsteered rows is the same row.

    A fault looks like this: a kind of intervention that takes a mean over all tokens it is given; one that
    reads the first row's state; a vector that depends on how many prompts came before.
    """
    if not subject.acts_inside:
        return not_applicable("it rewrites the prompt only; the engine runs it as an unsteered row")
    rows = subject.rows
    alone = [observe(subject.model, [row])[0] for row in rows]
    mixed = [row.under(EMPTY) if i % 2 else row for i, row in enumerate(rows)]
    batches = {
        "in one batch": (subject.seen, rows),
        "in reverse order": (list(reversed(observe(subject.model, rows[::-1]))), rows),
        "beside unsteered rows": (observe(subject.model, mixed), mixed),
    }
    worst = 0.0
    for name, (seen, asked) in batches.items():
        for i, (one, other) in enumerate(zip(alone, seen, strict=True)):
            if asked[i].plan != rows[i].plan:
                continue
            gap = distance(other.states, one.states)
            worst = max(worst, gap)
            if gap > subject.tolerance:
                return failed(
                    f"prompt {i + 1} of {len(rows)} is another {name} than alone: states differ by {gap:.2g} of their "
                    f"norm, the unsteered model's by {subject.noise:.2g}",
                    gap=gap,
                    noise=subject.noise,
                )
    words = f"{len(rows)} prompts, alone and in 3 batches, agree to {worst:.1g} of their norm"
    return passed(f"{words} (unsteered: {subject.noise:.1g})", gap=worst, noise=subject.noise)


def check_padding(subject: Subject) -> Outcome:
    """Padding is not steered, and what stands on it is not read.

    A fault looks like this: an attention mask that steering ignores, so that padding is moved as well; a mean or
    an anchor that counts padded columns.
    """
    if not subject.acts_inside:
        return not_applicable("it rewrites the prompt only; the engine runs it as an unsteered row")
    plain, model = observe(subject.model, [row.under(EMPTY) for row in subject.rows]), subject.model
    n = sum(len(seen.padding) for seen in plain)
    if n == 0:
        return not_applicable("all prompts have one length, so that nothing is padded")
    # At the first steered layer: in later ones, some models' padding attends to tokens that were steered before.
    for first in subject.layers[:1]:
        moved = max(_moved(s, b, first) for s, b in zip(subject.seen, plain, strict=True))
        if moved > 0:
            return failed(f"steering moves padding at layer {first}, by up to {moved:.3g}", moved=moved)
    before = model.codec.pad_id
    model.codec.pad_id = OTHER_PAD
    try:
        other = observe(model, subject.rows)
    finally:
        model.codec.pad_id = before
    gap = max(distance(o.states, s.states) for o, s in zip(other, subject.seen, strict=True))
    return verdict(
        gap <= subject.tolerance, f"{n} padded columns are not steered; another padding token moves {gap:.1g}", gap=gap
    )


def _moved(steered: Seen, plain: Seen, layer: int) -> float:
    """The largest change of a padded state at a layer; those that are not finite in both count as equal."""
    gap = torch.nan_to_num(steered.padding[:, layer] - plain.padding[:, layer], nan=0.0)
    return float(gap.abs().max()) if gap.numel() else 0.0
