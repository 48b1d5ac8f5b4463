"""Steering anyone's own calls of a model: ``with steer(model, plan): model.generate(...)``."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from valuebench_harness.engine.adapters import adapted
from valuebench_harness.engine.hooks import cached_length, hooked
from valuebench_harness.engine.layout import Layout, find_layout
from valuebench_harness.engine.model import SteeredModel
from valuebench_harness.engine.plan import SteerPlan
from valuebench_harness.engine.scopes import Columns
from valuebench_harness.engine.steering import Steering, Target, Window, check_plan
from valuebench_harness.errors import UsageError


@contextmanager
def steer(
    model: PreTrainedModel | SteeredModel,
    plan: SteerPlan,
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    blocks: str | None = None,
) -> Iterator[PreTrainedModel]:
    """Steers every row of every call of a model while the block runs, and leaves no trace.

    Works around ``model.generate(...)``, pipelines and plain ``model(...)``. What the first
    forward pass of a key-value cache reads is the prompt, what later ones add is
    generated; without a cache, a call that extends the previous one by a token adds a
    generated token. Padding is known from the attention mask, or from position ids.

    Blocks nest: both plans apply, the inner one first where they meet.

    Args:
        model: a model of transformers, or a loaded `SteeredModel`.
        plan: what to do to every row.
        tokenizer: needed where the plan has scopes that name a phrase.
        blocks: dotted path of the decoder blocks, for architectures not known here.

    Yields:
        The transformers model.

    Raises:
        UsageError: the plan does not fit the model; a phrase is not in a prompt; a steered
            state left the range of its dtype.
    """
    if isinstance(model, SteeredModel):
        module, layout, tokenizer = model.model, model.layout, tokenizer or model.tokenizer
    else:
        module, layout = model, find_layout(model, blocks)
    check_plan(plan, layout)
    if plan.is_empty:
        yield module
        return
    session = _Session(plan, layout, tokenizer)
    targets = dict.fromkeys(Target(i.layer, i.site) for i in plan.active)
    with adapted(module, [plan], every_row=True), hooked(module, layout, targets, session.before, session.change):
        yield module
    session.close()


class _Session:
    """Follows the calls of a model, to know for each where its columns stand."""

    def __init__(self, plan: SteerPlan, layout: Layout, tokenizer: PreTrainedTokenizerBase | None) -> None:
        self._plan = plan
        self._layout = layout
        self._tokenizer = tokenizer
        self._steering: Steering | None = None
        self._cache: Callable[[], object] = _nothing
        self._prompt: Tensor | None = None
        self._length = 0

    def before(self, inputs: Tensor, kwargs: Mapping[str, Any]) -> None:
        start, length = cached_length(kwargs), inputs.shape[1]
        cache = kwargs.get("past_key_values")
        continues = (start > 0 and cache is self._cache()) or (start == 0 and self._extends(inputs, kwargs))
        if not continues or self._steering is None:
            self.close()
            self._steering = self._begin(inputs, kwargs, start)
            self._prompt = inputs
        elif self._steering.n_rows != inputs.shape[0]:
            raise UsageError(
                f"The rows of a running generation changed from {self._steering.n_rows} to {inputs.shape[0]}; "
                "steer(...) cannot tell which is which. Start from the prompt."
            )
        self._steering.window = Window(start, length)
        self._cache = weakref.ref(cache) if cache is not None else _nothing
        self._length = length

    def change(self, target: Target, states: Tensor) -> Tensor:
        if self._steering is None:
            raise UsageError("steer(...) saw a block run outside of a call of its model. Call the whole model.")
        return self._steering.apply(target, states)

    def close(self) -> None:
        if self._steering is not None:
            self._steering.check_finite()

    def _extends(self, inputs: Tensor, kwargs: Mapping[str, Any]) -> bool:
        """Whether an uncached call is the previous one with a token more; beams may have changed places."""
        prompt = self._prompt
        if kwargs.get("use_cache") is not False or prompt is None or inputs.shape[1] != self._length + 1:
            return False
        return torch.equal(inputs[:, : prompt.shape[1]], prompt)

    def _begin(self, inputs: Tensor, kwargs: Mapping[str, Any], start: int) -> Steering:
        """Takes the columns up to the end of this call as the prompt."""
        n_rows, width = inputs.shape[0], start + inputs.shape[1]
        real = _real(n_rows, width, kwargs)
        ids = torch.zeros((n_rows, width), dtype=torch.long)
        if inputs.ndim == 2:
            ids[:, start:] = inputs.cpu()
        has_ids = inputs.ndim == 2 and start == 0
        columns = Columns(ids, real, torch.full((n_rows,), width), self._tokenizer if has_ids else None)
        steering = Steering([self._plan] * n_rows, columns, self._layout)
        if columns.phrases_not_found:
            raise UsageError(f"The phrase '{min(columns.phrases_not_found)}' is not in every prompt.")
        return steering


def _nothing() -> None:
    return None


def _real(n_rows: int, width: int, kwargs: Mapping[str, Any]) -> Tensor:
    """Which columns are no padding, bool ``[n_rows, width]``."""
    mask, positions = kwargs.get("attention_mask"), kwargs.get("position_ids")
    if isinstance(mask, Tensor) and mask.ndim == 2:
        return mask[:, :width].bool().cpu().expand(n_rows, width)
    if isinstance(positions, Tensor) and positions.ndim == 2:
        # The last column's position counts the real columns before it: padding is on the left.
        padding = width - 1 - positions[:, -1:].cpu()
        return (torch.arange(width) >= padding).expand(n_rows, width)
    return torch.ones((n_rows, width), dtype=torch.bool)
