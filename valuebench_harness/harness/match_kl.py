"""``--match-kl``: methods compared at equal strength.

A method's strength is in its own unit, so two methods at "strength 1" are not equally strong. What is in one
unit is how far the steered model has moved from the base: KL(steered || base) of the next-token
distributions, in nats a token, the mean over tokens of texts that concern no value. (The direction is that of
the penalty that keeps fine-tuned models near their base: it counts what the steered model would say and the base
would not.)

Each neutral text is cut in the middle: the first half is the prompt, the second half is read token by token as it
stands (gold prefix), and the divergence is taken at every token of the second half. So methods that steer the
prompt, the answer or both are all seen at work. There is no gate here: a gate would rightly keep off texts that
concern no value. The strength is found by bisection of its logarithm, from the method's shipped one outwards;
nothing is drawn at random.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch

from valuebench_harness.engine.batching import make_batches, run_batches
from valuebench_harness.engine.plan import EMPTY, Message
from valuebench_harness.engine.scopes import Columns
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.chat_model import whole_model
from valuebench_harness.harness.conditions import default_strength
from valuebench_harness.harness.settling import Matched
from valuebench_harness.harness.targets import steer, targets_of
from valuebench_harness.steerers.base import ModelShape

if TYPE_CHECKING:
    from valuebench_harness.engine.model import SteeredModel
    from valuebench_harness.engine.plan import SteerPlan
    from valuebench_harness.harness.plan import Plan
    from valuebench_harness.harness.preparation import Prepared
    from valuebench_harness.harness.progress import Reporter
    from valuebench_harness.harness.records import Condition

TEXTS = 64
"""Neutral texts that are read."""

BATCH = 16
"""Texts a batch: logits over the whole vocabulary are kept for each of their tokens."""

TOLERANCE = 0.01
"""How near the divergence comes to what was asked, as a share of it."""

DOUBLINGS = 12
"""How often the strength is doubled (or halved) in search of one on the other side."""

HALVINGS = 30
"""How often the interval is cut in two: enough for any tolerance a float has use for."""


def match(plan: Plan, prepared: Prepared, report: Reporter) -> tuple[Matched, ...]:
    """The strength of every value of a plan at the configuration's divergence.

    Raises:
        UsageError: there are no neutral texts, or a method never reaches the divergence.
    """
    target = plan.config.match_kl
    assert target is not None
    data, model = plan.family.data, whole_model(prepared.asker.model, "--match-kl")
    if not data.has("neutral"):
        raise UsageError(f"--match-kl reads neutral texts, and '{data.name}' has none: add neutral.jsonl to its data.")
    halves = split_texts(model, [n.text for n in data.neutral()[:TEXTS]])
    if not halves:
        raise UsageError(f"--match-kl: every neutral text of '{data.name}' is a single token. Give longer ones.")
    tokens = sum(len(continuation) for _, continuation in halves)
    steered = {c.value: c for c in plan.conditions if c.value is not None and not c.is_twin}
    out = []
    with report.stage("match KL", len(plan.specs), "values") as advance:
        for spec in plan.specs:
            value, condition = str(spec), steered[str(spec)]

            def divergence(strength: float, condition: Condition = condition) -> float:
                made = _plan_at(plan, prepared, condition, strength)
                return mean_kl(model, halves, made, batch_size=plan.config.batch_size)

            start = default_strength(plan.config, plan.steerer, spec)
            strength, kl = bisect(divergence, target, start, what=f"'{plan.steerer.name}' for {value}")
            out.append(Matched(value=value, strength=strength, kl=kl, target=target, texts=len(halves), tokens=tokens))
            advance()
    return tuple(out)


def _plan_at(plan: Plan, prepared: Prepared, condition: Condition, strength: float) -> SteerPlan:
    model = prepared.asker.model
    at = condition.model_copy(update={"strength": strength})
    targets = targets_of(at, plan.family, prepared.artifacts)
    shape = ModelShape(model.name, model.n_layers, model.width)
    messages = (Message("user", "-"),)
    steered = steer(plan.steerer, targets, messages, shape, {})
    if steered.messages != messages:
        raise UsageError(
            f"--match-kl: '{plan.steerer.name}' rewrites the prompt, and a neutral text has none to rewrite. "
            "Compare it by --strength."
        )
    return steered.plan


def split_texts(model: SteeredModel, texts: Sequence[str]) -> list[tuple[list[int], list[int]]]:
    """Token ids of both halves of each text; the prefix token opens the first. Texts of one token are left out."""
    out = []
    for text in texts:
        ids = model.token_ids(text, special=False)[: model.max_length - 1]
        middle = len(ids) // 2
        if middle:
            out.append(([model.codec.prefix_id, *ids[:middle]], ids[middle:]))
    return out


@torch.no_grad()
def mean_kl(
    model: SteeredModel,
    halves: Sequence[tuple[Sequence[int], Sequence[int]]],
    plan: SteerPlan,
    *,
    batch_size: int | None,
) -> float:
    """KL(steered || base) of the next-token distributions, in nats, the mean over all second halves' tokens.

    Args:
        model: steered by the plan in one row, left alone in the row beside it.
        halves: token ids of prompt and continuation.
        plan: the steering.
        batch_size: texts a batch.
    """

    def run(batch: list[int]) -> list[float]:
        # The last token predicts what comes after the text, which nothing is known of.
        ids = [(*halves[i][0], *halves[i][1][:-1]) for i in batch]
        n_read = [len(halves[i][1]) for i in batch]
        columns = Columns.left_padded(ids * 2, [n - 1 for n in n_read] * 2, model.codec.pad_id, model.tokenizer)
        with model.steered([plan] * len(batch) + [EMPTY] * len(batch), columns):
            logits = model.forward(columns, keep=max(n_read))
        return [_kl(logits[row, -n:], logits[len(batch) + row, -n:]) for row, n in enumerate(n_read)]

    lengths = [len(prompt) + len(continuation) for prompt, continuation in halves]
    batches = make_batches(lengths, [0] * len(lengths), size=batch_size or BATCH, budget=model.token_budget)
    found = dict(run_batches(batches, run, model.note))
    return math.fsum(found.values()) / sum(len(continuation) for _, continuation in halves)


def _kl(steered: torch.Tensor, base: torch.Tensor) -> float:
    """KL(steered || base) summed over tokens, from logits ``[n_tokens, vocabulary]``."""
    p, q = steered.float().log_softmax(dim=-1), base.float().log_softmax(dim=-1)
    return float((p.exp() * (p - q)).sum(dim=-1).double().sum())


def bisect(divergence: Callable[[float], float], target: float, start: float, *, what: str) -> tuple[float, float]:
    """The strength at which a divergence is reached, and the divergence there.

    Args:
        divergence: by strength; grows with it, if not evenly.
        target: to reach.
        start: strength to begin at.
        what: is matched, for the error.

    Raises:
        UsageError: no strength tried lies on the other side of the target.
    """
    low = high = start
    below = above = divergence(start)
    for _ in range(DOUBLINGS):
        if above >= target:
            break
        low, below, high = high, above, high * 2
        above = divergence(high)
    for _ in range(DOUBLINGS):
        if below <= target:
            break
        high, above, low = low, below, low / 2
        below = divergence(low)
    if not below <= target <= above:  # a divergence that is not a number is on no side
        side, at, found = ("more", low, below) if below > target else ("less", high, above)
        raise UsageError(
            f"--match-kl: {what} never comes to {target:g} nats a token: at strength {at:g} it is {found:.3g}, "
            f"{side} than that. Choose another divergence."
        )
    for _ in range(HALVINGS):
        middle = math.sqrt(low * high)
        found = divergence(middle)
        if abs(found - target) <= TOLERANCE * target:
            return middle, found
        if found < target:
            low = middle
        else:
            high = middle
    raise UsageError(
        f"--match-kl: the divergence of {what} jumps past {target:g} nats a token near strength {low:g}. "
        "Choose another divergence."
    )
