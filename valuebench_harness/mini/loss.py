"""The training loss: say the next token, hold the shift along the planted directions.

loss = weighted cross-entropy
     + 0.3 * mean squared error of the planted coordinates, in units of ``PLANTED_SCALE``
     + 0.1 * a penalty on states that grow long outside the planted space.

Where an answer takes one of two acts, the cross-entropy is against the chances of both, and the likelihood that it
is one of the two counts several times: which act is taken is a matter of chance, that it is an offered one is not.

The coordinates are read after block 1 (before anything is injected there: what the text gives
away) and after block 2 (with what was injected). Tokens of texts that give nothing away must
show zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from transformers import LlamaForCausalLM

from valuebench_harness.mini.architecture import PLANTED_SCALE, planted_directions
from valuebench_harness.mini.batches import Batch

WRITE_WEIGHT = 0.3
NORM_WEIGHT = 0.1
LONG = 12.0
REVEALED_AT, TOTAL_AT = 1, 2


OUTPUT_ROWS = 512
"""The output layer runs on a multiple of this many tokens: every new shape costs oneDNN a kernel."""


@dataclass(frozen=True)
class Loss:
    """One step's loss: the scalar to descend, and its parts for the log.

    ``tokens`` are the cross-entropies of the tokens that ``counted`` [B, T - 1] marks.
    """

    total: torch.Tensor
    tokens: torch.Tensor
    counted: torch.Tensor
    revealed: float
    injected: float
    length: float


class InjectedModel:
    """A model whose blocks' outputs are shifted by the batch at hand; hooks do it."""

    def __init__(self, model: LlamaForCausalLM) -> None:
        self.model = model
        self.directions = planted_directions()
        self._batch: Batch | None = None
        self._read: dict[int, torch.Tensor] = {}
        for index, block in enumerate(model.model.layers):
            block.register_forward_hook(self._hook(index))

    def _hook(self, index: int) -> Any:
        def shift(_module: nn.Module, _args: Any, output: torch.Tensor) -> torch.Tensor:
            assert self._batch is not None
            if index == REVEALED_AT:
                self._read[index] = output
            inject = torch.from_numpy(self._batch.inject[index])
            output = output + inject @ (self.directions * PLANTED_SCALE)
            if index == TOTAL_AT:
                self._read[index] = output
            return output + self._perturbation(index, output.detach())

        return shift

    def _perturbation(self, index: int, states: torch.Tensor) -> torch.Tensor:
        assert self._batch is not None
        p = self._batch.perturbations
        flat = states.flatten(0, 1)
        direction = torch.from_numpy(p.random) + flat[p.minuend] - flat[p.subtrahend]
        direction = direction - (direction @ self.directions.T) @ self.directions
        direction = direction / (direction.norm(dim=1, keepdim=True) + 1e-3)
        pushes: torch.Tensor = direction * torch.from_numpy(p.size[:, index, None])
        return pushes[torch.from_numpy(p.row)]

    def loss(self, batch: Batch) -> Loss:
        """Runs the model on a batch; the states are shifted and perturbed as it says."""
        self._batch = batch
        ids, document = torch.from_numpy(batch.ids), torch.from_numpy(batch.document)
        length = ids.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool).tril()
        visible = causal & (document[:, :, None] == document[:, None, :])
        mask = torch.zeros(visible.shape, dtype=torch.bfloat16).masked_fill(~visible, -1e4)
        positions = torch.arange(length).expand_as(ids)
        weight = torch.from_numpy(batch.weight)[:, 1:] * (document[:, 1:] == document[:, :-1])
        counted = weight > 0
        index, n = _padded(counted.flatten().nonzero()[:, 0])
        with torch.autocast("cpu", torch.bfloat16):
            states = self.model.model(
                input_ids=ids, attention_mask=mask[:, None], position_ids=positions, use_cache=False
            ).last_hidden_state
            logits = self.model.lm_head(states[:, :-1].flatten(0, 1)[index])
        tokens = F.cross_entropy(logits.float(), ids[:, 1:].flatten()[index], reduction="none")[:n]
        tokens = _of_choices(tokens, logits[:n], batch, index[:n])
        weights = weight[counted]
        language = (tokens * weights).sum() / weights.sum()

        read = torch.from_numpy(batch.read)
        revealed = self._coordinate_error(REVEALED_AT, torch.from_numpy(batch.revealed), read)
        injected = self._coordinate_error(TOTAL_AT, torch.from_numpy(batch.total), read)
        outside = self._outside(self._read[TOTAL_AT].float())
        long = F.relu(outside / LONG - 1).square().mean()
        return Loss(
            total=language + WRITE_WEIGHT * 0.5 * (revealed + injected) + NORM_WEIGHT * long,
            tokens=tokens.detach(),
            counted=counted,
            revealed=revealed.item(),
            injected=injected.item(),
            length=outside.mean().item(),
        )

    def _coordinate_error(self, block: int, target: torch.Tensor, read: torch.Tensor) -> torch.Tensor:
        coordinates = self._read[block].float() @ self.directions.T / PLANTED_SCALE
        return ((coordinates - target).square().sum(-1) * read).sum() / read.sum()

    def _outside(self, states: torch.Tensor) -> torch.Tensor:
        """Length of the states outside the planted space [B, T]."""
        inside = (states @ self.directions.T).square().sum(-1)
        return (states.square().sum(-1) - inside).clamp_min(1e-3).sqrt()


def _of_choices(tokens: torch.Tensor, logits: torch.Tensor, batch: Batch, index: torch.Tensor) -> torch.Tensor:
    """The cross-entropies [n], those of choices replaced by the loss against both acts' chances.

    Args:
        tokens: cross-entropies of the tokens that were drawn [n].
        logits: of the same positions [n, vocabulary].
        batch: with ids, alternatives and chances [B, T].
        index: flat positions in [B, T - 1] of the predicted tokens [n].
    """
    instead = torch.from_numpy(batch.instead)[:, 1:].flatten()[index]
    rows = (instead >= 0).nonzero()[:, 0]
    if len(rows) == 0:
        return tokens
    taken = torch.from_numpy(batch.ids)[:, 1:].flatten()[index[rows]]
    chance = torch.from_numpy(batch.chance)[:, 1:].flatten()[index[rows]]
    both = F.log_softmax(logits[rows].float(), dim=1).gather(1, torch.stack((taken, instead[rows]), dim=1))
    offered = both.logsumexp(dim=1)
    between = ((both - offered[:, None]) * torch.stack((chance, 1 - chance), dim=1)).sum(dim=1)
    return tokens.index_put((rows,), -(batch.offered * offered + between))


def _padded(index: torch.Tensor) -> tuple[torch.Tensor, int]:
    """The indices, repeated zeros appended up to a multiple of ``OUTPUT_ROWS``, and how many are real."""
    n = len(index)
    return F.pad(index, (0, -n % OUTPUT_ROWS)), n
