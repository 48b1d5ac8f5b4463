"""Steering leaves no trace: not after it is done, and not after an exception in the middle of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from valuebench_harness.harness.check.foreign import count_hooks
from valuebench_harness.harness.check.observe import distance, observe
from valuebench_harness.harness.check.outcome import Outcome, failed, passed

if TYPE_CHECKING:
    from valuebench_harness.harness.check.subject import Subject


class _InterruptedError(Exception):
    """Raised in the middle of a steered forward pass."""


def check_traces(subject: Subject) -> Outcome:
    """After all that was done, and after an exception in a steered pass, the unsteered model is what it was.

    Bit for bit what it was before any of the steerer's code ran, and with as many hooks.
    A fault looks like this: ``fit()`` or ``plan()`` leaves a hook on the model, replaces a ``forward``, or writes
    into weights.
    """
    left = list(subject.watch.left)
    if left:
        return failed("; ".join(left[:3]) + (f"; and {len(left) - 3} more" if len(left) > 3 else ""), left=len(left))
    interrupted = _interrupt(subject)
    hooks = count_hooks(subject.model.model)
    if hooks != subject.n_hooks:
        return failed(f"{hooks - subject.n_hooks} hooks stay on the model after an exception", hooks=hooks)
    now = observe(subject.model, [subject.row(messages) for messages in subject.prompts])
    moved = [distance(a.states, b.states) for a, b in zip(now, subject.untouched, strict=True) if not a.equals(b)]
    if moved:
        return failed(
            f"the unsteered model is not what it was before the steerer's code ran: {len(moved)} of {len(now)} prompts "
            f"differ, states by up to {max(moved):.2g}",
            moved=max(moved),
        )
    after = "after an exception in a steered pass" if interrupted else "afterwards"
    return passed(
        f"{len(now)} of {len(now)} prompts bit-identical to the untouched model {after}, {hooks} hooks as before"
    )


def _interrupt(subject: Subject) -> bool:
    """Lets a steered pass fail in its last block."""

    def interrupt(*_: object) -> None:
        raise _InterruptedError

    handle = subject.model.layout.blocks[-1].register_forward_hook(interrupt)
    try:
        observe(subject.model, subject.rows)
    except _InterruptedError:
        return True
    finally:
        handle.remove()
    return False
