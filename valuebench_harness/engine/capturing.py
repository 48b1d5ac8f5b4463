"""Reading hidden states of one batch."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from valuebench_harness.engine.hooks import at_site
from valuebench_harness.engine.intervention import Site, TokenScope
from valuebench_harness.engine.plan import SteerPlan
from valuebench_harness.engine.scopes import Columns
from valuebench_harness.errors import UsageError

if TYPE_CHECKING:
    from valuebench_harness.engine.model import SteeredModel

Reduce = Literal["last", "mean", "none"]


@torch.no_grad()
def capture_batch(
    model: SteeredModel,
    texts: Sequence[Sequence[int]],
    plans: Sequence[SteerPlan],
    *,
    layers: Sequence[int],
    scope: TokenScope,
    reduce: Reduce,
    site: Site,
) -> list[NDArray[np.float32]]:
    """Hidden states of the rows of one batch, in one forward pass.

    Args:
        model: reads.
        texts: token ids; the whole text is prompt.
        plans: how each row is steered; states are read as steering left them.
        layers: which blocks.
        scope: which tokens.
        reduce: the last of them, their mean without special tokens, or none.
        site: where in the block.

    Returns:
        A row each: ``[n_layers, d]``, with reduce "none" ``[n_tokens, n_layers, d]``.

    Raises:
        UsageError: a row has no token in the scope.
    """
    columns = Columns.left_padded(texts, [0] * len(texts), model.codec.pad_id, model.tokenizer)
    mask = torch.stack([columns.mask(row, scope) for row in range(len(texts))])
    if reduce == "mean":
        mask &= ~torch.isin(columns.ids, torch.tensor(sorted(model.codec.special_ids), dtype=torch.long))
    elif reduce == "last":
        last = torch.where(mask, torch.arange(columns.width), -1).amax(dim=1, keepdim=True)
        mask &= torch.arange(columns.width) == last
    counts = mask.sum(dim=1)
    if not bool(counts.all()):
        text = model.codec.decode(texts[int(counts.argmin())])
        raise UsageError(f"No token of the text {text[:60]!r} is in the scope '{scope.kind}' that was to be read.")

    # Only the tokens asked for leave the hook: whole states of all layers would not fit for long batches.
    seen: dict[int, Tensor] = {}

    def read(layer: int, states: Tensor) -> None:
        rows = states.reshape(*mask.shape, -1)  # experts and OPT's MLP work on a flat list of tokens
        seen[layer] = rows[mask.to(states.device)].float().cpu()

    with model.steered(plans, columns), ExitStack() as stack:
        for layer in dict.fromkeys(layers):
            stack.callback(at_site(model.layout.module(layer, site), site, partial(read, layer)))
        model.forward(columns, keep=1)
    tokens = torch.split(torch.stack([seen[layer] for layer in layers], dim=1), counts.tolist())
    reduced = tokens if reduce == "none" else [rows.mean(dim=0) for rows in tokens]
    return [rows.numpy() for rows in reduced]
