"""For one prompt: which tokens were steered, by how much, at which layer."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from valuebench_harness.engine.hooks import at_site
from valuebench_harness.engine.plan import EMPTY, Message
from valuebench_harness.engine.rows import GenerationRow
from valuebench_harness.engine.steering import Target
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.check.explanation import Explanation, Token
from valuebench_harness.harness.check.observe import Row, columns_of, observe
from valuebench_harness.harness.check.subject import Subject
from valuebench_harness.harness.family import family_of

if TYPE_CHECKING:
    from valuebench_harness.engine.model import SteeredModel
    from valuebench_harness.harness.config import RunConfig


def explain(config: RunConfig, question: str) -> Explanation:
    """Steers one question and its answer, and says what moved. The gate is taken as open.

    Args:
        config: names the model, the steerer and its settings; of values and strengths the first is taken.
        question: a user's message.

    Raises:
        UsageError: for bad input, an empty question among it.
    """
    if not question.strip():
        raise UsageError("The prompt is empty: write a question, such as 'Should I take the risk?'.")
    subject = Subject(config, family_of(config))
    model = subject.model
    messages = (Message("user", question),)
    steered = subject.plan(messages)
    prompt, special = model.render(steered.messages), not model.has_chat_template
    asked = GenerationRow(prompt, steered.plan, max_new_tokens=config.max_new_tokens, special=special)
    ((_, answer),) = model.generate([asked])
    row = Row((*model.token_ids(prompt, special=special), *answer.token_ids), len(answer.token_ids), steered.plan)
    places = list(dict.fromkeys(Target(one.layer, one.site) for one in steered.plan.active))
    changes = _changes(model, row, places)
    (now,), (before,) = observe(model, [row]), observe(model, [row.under(EMPTY)])
    drift = (now.states - before.states).norm(dim=-1)
    n_prompt = len(row.ids) - row.n_generated
    tokens = tuple(
        Token(
            text=model.codec.decode([token], skip_special=False),
            part="prompt" if i < n_prompt else "answer",
            shift=tuple(float(changes[p][0][i]) for p in places),
            share=tuple(float(changes[p][1][i]) for p in places),
            drift=tuple(drift[i].tolist()),
        )
        for i, token in enumerate(row.ids)
    )
    return Explanation(
        steerer=config.steerer,
        model=model.name,
        value=subject.value.id,
        direction=subject.direction,
        strength=subject.strength,
        question=question,
        rewritten=tuple(m.content for m in steered.messages) if steered.messages != messages else (),
        answer=answer.text,
        places=tuple((p.layer, p.site) for p in places),
        n_layers=model.n_layers,
        tokens=tokens,
    )


@torch.no_grad()
def _changes(model: SteeredModel, row: Row, places: list[Target]) -> dict[Target, tuple[Tensor, Tensor]]:
    """Norm of each token's change at each place, and its share of the state's norm, both ``[n_tokens]``."""
    columns = columns_of(model, [row])
    before: dict[Target, Tensor] = {}
    after: dict[Target, Tensor] = {}

    def read(into: dict[Target, Tensor], place: Target, states: Tensor) -> None:
        into[place] = states[0].detach().float().cpu()

    with model.steered([row.plan], columns), ExitStack() as stack:
        for place in places:
            module = model.layout.module(place.layer, place.site)
            stack.callback(at_site(module, place.site, partial(read, before, place), first=True))
            stack.callback(at_site(module, place.site, partial(read, after, place)))
        model.forward(columns, keep=1)
    sizes = {p: (after[p] - before[p]).norm(dim=-1) for p in places}
    return {p: (sizes[p], sizes[p] / before[p].norm(dim=-1).clamp_min(1e-12)) for p in places}
