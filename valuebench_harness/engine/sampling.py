"""Choosing tokens row by row: greedy or sampled, and where each row ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from transformers import LogitsProcessor, StoppingCriteria

from valuebench_harness.engine.codec import Codec
from valuebench_harness.engine.rows import GenerationRow


class RowSampler(LogitsProcessor):
    """Turns the arg-max of greedy decoding into a sample, for rows with a temperature.

    Adding Gumbel noise to logits makes the arg-max a draw from their softmax. The noise
    of a row comes from its own generator, on the CPU, so its sample depends neither on
    the rest of the batch nor on the device; and the same seed draws the same noise for a
    steered and an unsteered row, which therefore differ only where steering makes them.

    Args:
        rows: of the batch.
    """

    def __init__(self, rows: Sequence[GenerationRow]) -> None:
        self._indices = [i for i, row in enumerate(rows) if row.temperature > 0]
        sampled = [rows[i] for i in self._indices]
        self._generators = [torch.Generator().manual_seed(row.seed) for row in sampled]
        self._temperature = torch.tensor([[row.temperature] for row in sampled])
        self._top_k = torch.tensor([[row.top_k] for row in sampled])
        self._top_p = torch.tensor([[row.top_p] for row in sampled])
        self._truncates = any(row.top_k > 0 or row.top_p < 1 for row in sampled)

    @property
    def active(self) -> bool:
        """Whether any row samples."""
        return bool(self._indices)

    def __call__(self, _: Tensor, scores: Tensor) -> Tensor:
        """Logits ``[n_rows, vocabulary]`` to logits whose arg-max is the chosen token."""
        logits = scores[self._indices].float() / self._temperature.to(scores.device)
        if self._truncates:
            logits = self._truncate(logits)
        size = logits.shape[-1]
        draws = torch.stack([torch.empty(size).exponential_(generator=one) for one in self._generators])
        noise = -draws.clamp_min(torch.finfo(draws.dtype).tiny).log()
        chosen = scores.clone()
        chosen[self._indices] = (logits + noise.to(logits.device)).to(scores.dtype)
        return chosen

    def _truncate(self, logits: Tensor) -> Tensor:
        """Top-k, then nucleus: a token stays if those likelier than it hold less than top_p."""
        top_k, top_p = self._top_k.to(logits.device), self._top_p.to(logits.device)
        ordered, order = logits.sort(dim=-1, descending=True)
        rank = torch.arange(logits.shape[-1], device=logits.device)
        ordered = ordered.masked_fill((top_k > 0) & (rank >= top_k), -torch.inf)
        probability = ordered.softmax(dim=-1)
        ordered = ordered.masked_fill(probability.cumsum(dim=-1) - probability >= top_p, -torch.inf)
        return torch.empty_like(logits).scatter_(-1, order, ordered)


class RowEnd(StoppingCriteria):
    """Ends each row on its own: end-of-text token, stop string, or its own length.

    Args:
        rows: of the batch.
        codec: decodes what was generated, to look for stop strings.
        n_prompt: columns before the first generated token.
    """

    def __init__(self, rows: Sequence[GenerationRow], codec: Codec, n_prompt: int) -> None:
        self._rows = rows
        self._codec = codec
        self._n_prompt = n_prompt
        self.lengths = [row.max_new_tokens for row in rows]
        """Tokens generated for each row."""
        self.finish: list[Literal["eos", "stop", "length"] | None] = [None] * len(rows)
        """Why each row ended; None while it runs."""

    def __call__(self, input_ids: Tensor, _: object) -> Tensor:
        """Which rows have ended, bool ``[n_rows]``."""
        n_new = input_ids.shape[1] - self._n_prompt
        latest = input_ids[:, -1].tolist()
        for i, row in enumerate(self._rows):
            if self.finish[i] is not None:
                continue
            if latest[i] in self._codec.eos_ids:
                self.finish[i] = "eos"
            elif row.stop and self._stops(input_ids[i, self._n_prompt :].tolist(), row.stop):
                self.finish[i] = "stop"
            elif n_new >= row.max_new_tokens:
                self.finish[i] = "length"
            self.lengths[i] = n_new
        return torch.tensor([finish is not None for finish in self.finish], device=input_ids.device)

    def _stops(self, ids: list[int], stop: Sequence[str]) -> bool:
        # A stop string of n characters ends within its last 4 n tokens (a token is a byte at least).
        tail = self._codec.decode(ids[-(4 * max(map(len, stop)) + 1) :], skip_special=False)
        if not any(text in tail for text in stop):
            return False
        whole = self._codec.decode(ids, skip_special=False)
        return any(text in whole for text in stop)
