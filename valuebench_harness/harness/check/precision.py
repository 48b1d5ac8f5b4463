"""Steering keeps half precision finite."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from valuebench_harness.engine.plan import EMPTY
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.check.observe import observe
from valuebench_harness.harness.check.outcome import Outcome, failed, not_applicable, passed
from valuebench_harness.harness.session import load_model

if TYPE_CHECKING:
    from valuebench_harness.engine.model import SteeredModel
    from valuebench_harness.harness.check.subject import Subject

HALF = ("bfloat16", "float16")


def check_precision(subject: Subject) -> Outcome:
    """In bfloat16, at the checked strength and at twice of it, states and logits stay finite.

    A fault looks like this: a division by the difference of two states, which is 0 in half precision; an
    exponential of a logit; a norm that grows from layer to layer.
    """
    if not subject.acts_inside:
        return not_applicable("it rewrites the prompt only")
    model = _in_half_precision(subject)
    growth = 0.0
    for factor in (1.0, 2.0):
        strength = factor * subject.strength
        try:
            subject.steerer.check_strength(strength)
            rows = subject.steered_rows(strength=strength)
        except UsageError:
            continue  # outside of what the method takes
        plain = observe(model, [row.under(EMPTY) for row in rows])
        try:
            seen = observe(model, rows)
        except UsageError as error:
            return failed(f"at strength {strength:g}: {error}")
        for i, (steered, base) in enumerate(zip(seen, plain, strict=True)):
            bad = ~torch.isfinite(steered.states).all(dim=-1)
            if bool(bad.any()):
                token, layer = (int(x) for x in bad.nonzero()[0])
                return failed(f"at strength {strength:g} the state of token {token} of prompt {i + 1} at layer {layer} "
                              f"is not finite ({model.dtype})")  # fmt: skip
            if not bool(torch.isfinite(steered.logits).all()):
                return failed(f"at strength {strength:g} logits of prompt {i + 1} are not finite ({model.dtype})")
            ratios = steered.states.norm(dim=-1) / base.states.norm(dim=-1).clamp_min(1e-12)
            growth = max(growth, float(ratios.max()))
    return passed(
        f"finite in {model.dtype}; norms grow to {growth:.2f} times the unsteered ones at most", growth=growth
    )


def _in_half_precision(subject: Subject) -> SteeredModel:
    if subject.model.dtype in HALF:
        return subject.model
    return load_model(subject.config.model_copy(update={"dtype": "bfloat16"}))
