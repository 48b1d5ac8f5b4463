"""Every hidden state of a few rows, padding included, from one forward pass or token by token."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from valuebench_harness.engine.hooks import at_site
from valuebench_harness.engine.plan import EMPTY, SteerPlan
from valuebench_harness.engine.scopes import Columns
from valuebench_harness.engine.steering import Target

if TYPE_CHECKING:
    from valuebench_harness.engine.model import SteeredModel


@dataclass(frozen=True)
class Row:
    """Token ids to read, of which the last ``n_generated`` count as generated.

    Attributes:
        ids: prompt and continuation.
        n_generated: length of the continuation.
        plan: how the row is steered.
    """

    ids: tuple[int, ...]
    n_generated: int = 0
    plan: SteerPlan = EMPTY

    def under(self, plan: SteerPlan) -> Row:
        """The same tokens, steered another way."""
        return Row(self.ids, self.n_generated, plan)


@dataclass(frozen=True)
class Seen:
    """What the model computed for one row, float32 on the CPU.

    Attributes:
        states: outputs of all blocks ``[n_tokens, n_layers, width]``.
        padding: the same at the row's padding, ``[n_padding, n_layers, width]``.
        logits: of the last prompt token and all generated ones, ``[n_generated + 1, vocabulary]``.
        at: states at further sites that were asked for, ``[n_tokens, width of the site]``.
    """

    states: Tensor
    padding: Tensor
    logits: Tensor
    at: Mapping[Target, Tensor]

    def equals(self, other: Seen) -> bool:
        """Whether states and logits are the same bit for bit (NaN equals nothing)."""
        return torch.equal(self.states, other.states) and torch.equal(self.logits, other.logits)


def columns_of(model: SteeredModel, rows: Sequence[Row]) -> Columns:
    """The rows as one batch, padded on the left."""
    return Columns.left_padded(
        [row.ids for row in rows], [row.n_generated for row in rows], model.codec.pad_id, model.tokenizer
    )


@torch.no_grad()
def observe(model: SteeredModel, rows: Sequence[Row], at: Sequence[Target] = ()) -> list[Seen]:
    """Reads rows in one batch and one uncached forward pass.

    Args:
        model: reads.
        rows: of the batch.
        at: sites to look at besides the blocks' outputs.
    """
    columns = columns_of(model, rows)
    keep = max(row.n_generated for row in rows) + 1
    with model.steered([row.plan for row in rows], columns), _reading(model, (*_blocks(model), *at)) as states:
        logits = model.forward(columns, keep=keep).float().cpu()
    layers = torch.stack([states[target] for target in _blocks(model)], dim=2)
    seen = []
    for i, row in enumerate(rows):
        real = columns.real[i]
        further = {target: states[target][i][real] for target in at}
        seen.append(Seen(layers[i][real], layers[i][~real], logits[i, -(row.n_generated + 1) :], further))
    return seen


@torch.no_grad()
def observe_cached(model: SteeredModel, row: Row) -> Seen:
    """Reads the prompt at once and the continuation token by token, with keys and values kept."""
    columns = columns_of(model, [Row(row.ids[: len(row.ids) - row.n_generated], plan=row.plan)])
    parts: list[Tensor] = []
    logits: list[Tensor] = []
    cache: Any = None
    steps = [list(row.ids[: columns.width]), *([one] for one in row.ids[columns.width :])]
    with model.steered([row.plan], columns), _reading(model, _blocks(model)) as states:
        for step in steps:
            ids = torch.tensor([step], device=model.device)
            done = model.model(input_ids=ids, past_key_values=cache, use_cache=True)
            cache = done.past_key_values
            parts.append(torch.stack([states[target][0] for target in _blocks(model)], dim=1))
            logits.append(done.logits[0, -1:].float().cpu())
    return Seen(torch.cat(parts), torch.zeros(0, model.n_layers, model.width), torch.cat(logits), {})


def _blocks(model: SteeredModel) -> list[Target]:
    return [Target(layer, "block") for layer in range(model.n_layers)]


@contextmanager
def _reading(model: SteeredModel, targets: Iterable[Target]) -> Iterator[dict[Target, Tensor]]:
    """The latest states at each target, as steering left them: ``[n_rows, length, width]``."""
    seen: dict[Target, Tensor] = {}

    def read(target: Target, states: Tensor) -> None:
        seen[target] = states.detach().float().cpu()

    with ExitStack() as stack:
        for target in dict.fromkeys(targets):
            module = model.layout.module(target.layer, target.site)
            stack.callback(at_site(module, target.site, partial(read, target)))
        yield seen


def distance(a: Tensor, b: Tensor) -> float:
    """The largest relative distance of two sets of vectors ``[..., width]``; infinite where one is not finite."""
    if not (bool(torch.isfinite(a).all()) and bool(torch.isfinite(b).all())):
        return float("inf")
    if not a.numel():
        return 0.0
    scale = b.norm(dim=-1).clamp_min(1e-12)
    return float(((a - b).norm(dim=-1) / scale).max())
