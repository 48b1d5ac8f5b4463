"""Only what the plan declares moves: these layers, these tokens (the engine's third and fourth invariants)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from valuebench_harness.engine.plan import SteerPlan
from valuebench_harness.engine.steering import Target
from valuebench_harness.harness.check.observe import Row, Seen, columns_of, observe
from valuebench_harness.harness.check.outcome import Outcome, failed, not_applicable, passed

if TYPE_CHECKING:
    from valuebench_harness.engine.intervention import Intervention, Site
    from valuebench_harness.harness.check.subject import Subject

MOST_TARGETS = 16
"""Declared places that are looked at one by one; of more, so many, evenly spread."""

EVERY = 2
"""Every so manieth prompt is looked at."""

_SITES: tuple[Site, ...] = ("input", "heads", "attention", "mlp", "block")
"""In the order of a forward pass through a block."""

MOVES_ALL = frozenset({"add"})
"""Kinds that move every token of their scope."""


def check_layers(subject: Subject) -> Outcome:
    """Before the first declared layer nothing moves, and each declared layer's interventions move that one first.

    A fault looks like this: steering one block off; a hook on the embedding; a plan that says layer 3 while
    code beside it touches layer 1.
    """
    if not subject.acts_inside:
        return not_applicable("it rewrites the prompt only")
    adapted = any(row.plan.active_adapters for row in subject.rows)
    declared = subject.artifact.meta.layers if adapted and subject.artifact is not None else subject.layers
    first = min(declared, default=0)
    for i, (seen, base) in enumerate(zip(subject.seen, subject.base, strict=True)):
        for layer in range(first):
            gap = float((seen.states[:, layer] - base.states[:, layer]).abs().max())
            if gap > 0:
                return failed(f"layer {layer} moves by up to {gap:.3g} (prompt {i + 1}), before layer {first}", gap=gap)
    targets = _looked_at(subject)
    idle = []
    for target in targets:
        steps = list(_steps(subject, target))
        if any(step.moves_earlier_layers for step in steps):
            return failed(f"the interventions of {_place(target)} move an earlier layer")
        if not any(step.moved.any() for step in steps):
            idle.append(target)
    if targets and idle == targets:
        return failed(f"nothing moves where the plan acts: {', '.join(map(_place, targets[:4]))}")
    words = f"layers {list(declared)} move, none of the {first} before them"
    words += f"; nothing was to be moved at {', '.join(map(_place, idle[:4]))}" if idle else ""
    return passed(words, first=first, idle=len(idle))


def check_tokens(subject: Subject) -> Outcome:
    """At each declared layer only tokens of the declared scope move, prompt and answer told apart by position.

    A fault looks like this: steering the prompt while declaring the answer; steering BOS only; a phrase
    whose tokens are off by one.
    """
    if not subject.layers:
        return not_applicable("it has no interventions, so no tokens are declared")
    n_moved = n_left = 0
    for target in _looked_at(subject):
        for step in _steps(subject, target):
            here = [one for one in step.row.plan.active if _target(one) == target]
            columns = columns_of(subject.model, [step.row])
            masks = [columns.mask(0, one.scope) for one in here]
            outside = step.moved & ~torch.stack(masks).any(dim=0)
            still = ~step.moved & masks[0] if _moves_all(here) else torch.zeros_like(step.moved)
            for tokens, does, where in ((outside, "moves", "outside"), (still, "does not move", "inside")):
                if bool(tokens.any()):
                    token = _token(subject, step.row, int(tokens.nonzero()[0]))
                    at = f"of prompt {step.prompt + 1} {does} at {_place(target)}, {where} the scope {_scopes(here)}"
                    return failed(f"{token} {at}", tokens=int(tokens.sum()))
            n_moved, n_left = n_moved + int(step.moved.sum()), n_left + int((~step.moved).sum())
    scopes = _scopes(subject.interventions)
    words = f"{n_moved:,} token states moved, all in the scope {scopes}; {n_left:,} were left alone"
    return passed(words, moved=n_moved, left=n_left)


@dataclass(frozen=True)
class _Step:
    """What the interventions of one place do to one prompt.

    Attributes:
        prompt: its number.
        row: with the interventions up to this place.
        target: the place that is looked at.
        before: the row without this place's interventions.
        after: with them.
    """

    prompt: int
    row: Row
    target: Target
    before: Seen
    after: Seen

    @property
    def moved(self) -> Tensor:
        """Which tokens moved at the place itself, bool ``[n_tokens]``."""
        return (self.before.at[self.target] != self.after.at[self.target]).any(dim=-1)

    @property
    def moves_earlier_layers(self) -> bool:
        """Whether a block before this one has another output."""
        layer = self.target.layer
        return not torch.equal(self.before.states[:, :layer], self.after.states[:, :layer])


def _target(intervention: Intervention) -> Target:
    return Target(intervention.layer, intervention.site)


def _order(target: Target) -> tuple[int, int]:
    """In which order a forward pass comes by."""
    return target.layer, _SITES.index(target.site)


def _place(target: Target) -> str:
    return f"layer {target.layer}" if target.site == "block" else f"layer {target.layer} ({target.site})"


def _looked_at(subject: Subject) -> list[Target]:
    targets = sorted({_target(one) for one in subject.interventions}, key=_order)
    return targets[:: -(-len(targets) // MOST_TARGETS) or 1]


def _steps(subject: Subject, target: Target) -> Iterator[_Step]:
    for i, row in list(enumerate(subject.rows))[::EVERY]:
        if any(_target(one) == target for one in row.plan.active):
            without = _keep(row, lambda one: _order(_target(one)) < _order(target))
            with_it = _keep(row, lambda one: _order(_target(one)) <= _order(target))
            # Alone: two passes of one shape are equal bit for bit where nothing is steered.
            (before,), (after,) = (observe(subject.model, [one], [target]) for one in (without, with_it))
            yield _Step(i, with_it, target, before, after)


def _keep(row: Row, wanted: Callable[[Intervention], bool]) -> Row:
    return row.under(SteerPlan(tuple(one for one in row.plan.active if wanted(one)), row.plan.adapters))


def _moves_all(here: Sequence[Intervention]) -> bool:
    """Whether every token in scope must move: one vector is added, and nothing else happens there."""
    return len(here) == 1 and here[0].kind in MOVES_ALL


def _scopes(interventions: Sequence[Intervention]) -> str:
    return ", ".join(dict.fromkeys(f"'{i.scope.phrase or i.scope.kind}'" for i in interventions))


def _token(subject: Subject, row: Row, token: int) -> str:
    part = "prompt" if token < len(row.ids) - row.n_generated else "answer"
    return f"{part} token {token} ({subject.model.codec.decode([row.ids[token]], skip_special=False)!r})"
