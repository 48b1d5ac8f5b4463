"""Where nothing is to be steered, nothing may happen: strength 0, and a closed gate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from valuebench_harness.engine.plan import EMPTY
from valuebench_harness.harness.check.observe import distance, observe
from valuebench_harness.harness.check.outcome import Outcome, failed, not_applicable, passed

if TYPE_CHECKING:
    from valuebench_harness.engine.plan import Message
    from valuebench_harness.harness.check.subject import Subject


def check_identity(subject: Subject) -> Outcome:
    """Strength 0 sends the request's messages and is bit-identical to the unsteered model.

    A fault looks like this: a prompt that is rewritten whatever the strength; a constant added to the
    coefficient; a kind of intervention whose parameters are not scaled by the strength.
    """
    return _nothing_happens(subject, "strength 0", strength=0.0)


def check_gate(subject: Subject) -> Outcome:
    """A closed gate does what strength 0 does.

    A fault looks like this: ``plan()`` does not look at ``request.gate_open``.
    """
    if subject.steerer.parts and any(_changes(subject, messages) for messages in subject.prompts):
        return not_applicable("the gate governs only some of its parts, and the others go on")
    return _nothing_happens(subject, "a closed gate", gate_open=False)


def _changes(subject: Subject, messages: tuple[Message, ...]) -> bool:
    closed = subject.plan(messages, gate_open=False)
    return closed.messages != messages or not closed.plan.is_empty


def _nothing_happens(subject: Subject, when: str, *, strength: float | None = None, gate_open: bool = True) -> Outcome:
    n = len(subject.prompts)
    planned = [subject.plan(m, strength=strength, gate_open=gate_open) for m in subject.prompts]
    rewritten = sum(p.messages != m for p, m in zip(planned, subject.prompts, strict=True))
    if rewritten:
        return failed(f"{when} rewrites {rewritten} of {n} prompts", rewritten=rewritten)
    rows = [subject.row(m, p.plan) for p, m in zip(planned, subject.prompts, strict=True)]
    plain = observe(subject.model, [row.under(EMPTY) for row in rows])
    steered = observe(subject.model, rows)
    moved = [distance(s.states, b.states) for s, b in zip(steered, plain, strict=True) if not s.equals(b)]
    if moved:
        return failed(f"{when} moves {len(moved)} of {n} prompts, states by up to {max(moved):.2g}", moved=max(moved))
    full = sum(not p.plan.is_empty for p in planned)
    if full:
        return failed(f"{when} plans interventions for {full} of {n} prompts, though they do nothing")
    return passed(f"{n} of {n} prompts bit-identical to the unsteered model", prompts=n)
