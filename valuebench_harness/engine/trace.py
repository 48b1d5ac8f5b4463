"""Which states a batch's interventions changed: a bit a token and place, kept while the batch runs.

A state counts as changed when it came out different, so a shift that a threshold or half precision
leaves without effect does not, whatever the scope of its intervention.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from valuebench_harness.engine.codec import Codec
from valuebench_harness.engine.rows import Generation, GenerationRow, Moved
from valuebench_harness.engine.steering import Target, Window

Spans = tuple[tuple[int, int], ...]


class Trace:
    """Collects what the hooks of one batch see; nothing is read off a device before the end."""

    def __init__(self) -> None:
        self._seen: dict[Target, list[tuple[Window, Tensor]]] = defaultdict(list)

    def see(self, target: Target, window: Window, before: Tensor, after: Tensor) -> None:
        """Notes which states one forward pass changed at a target.

        Args:
            target: where.
            window: the columns of this pass.
            before: states ``[n_rows, window.length, d]``; some architectures flatten the first two inside a block.
            after: as the interventions left them.
        """
        self._seen[target].append((window, (after != before).any(dim=-1).reshape(-1, window.length)))

    @property
    def layers(self) -> list[int]:
        """Layers at which states may have changed, ascending."""
        return sorted({target.layer for target in self._seen})

    def bits(self, n_rows: int, width: int) -> NDArray[np.bool_]:
        """Whether a token's state was changed at any site of a layer, bool ``[n_layers, n_rows, width]``."""
        layers = self.layers
        found = np.zeros((len(layers), n_rows, width), dtype=np.bool_)
        for target, passes in self._seen.items():
            layer = found[layers.index(target.layer)]
            # One transfer a target. Passes that compute a column anew, without a cache, say the same again.
            seen, column = torch.cat([part for _, part in passes], dim=1).cpu().numpy(), 0
            for window, _ in passes:
                layer[:, window.start : window.start + window.length] |= seen[:, column : column + window.length]
                column += window.length
        return found


def add_moved(
    codec: Codec, trace: Trace, rows: Sequence[GenerationRow], answers: Sequence[Generation], width: int
) -> list[Generation]:
    """Answers that say which of their tokens were changed, where their rows have interventions.

    Args:
        codec: encoded the prompts and decoded the answers.
        trace: of the batch.
        rows: the requests.
        answers: to them.
        width: columns before the first generated token.
    """
    steered = [i for i, row in enumerate(rows) if row.plan.active]
    if not steered:
        return list(answers)
    layers, out = trace.layers, list(answers)
    starts = width - np.array([answer.n_prompt_tokens for answer in answers])
    # The last token is read only where other rows of the batch go on: nothing of its row comes of it.
    ends = width + np.array([len(answer.token_ids) - 1 for answer in answers])
    columns = np.arange(ends.max())
    bits = trace.bits(len(rows), len(columns)) & (columns >= starts[:, None]) & (columns < ends[:, None])
    in_prompt, in_answer = _counted(layers, bits[..., :width]), _counted(layers, bits[..., width:])
    anywhere: NDArray[np.bool_] = np.any(bits, axis=0)
    offsets = codec.offsets({rows[i].prompt for i in steered})
    for i in steered:
        answer = answers[i]
        read, said = anywhere[i, starts[i] : width].tolist(), anywhere[i, width : ends[i]].tolist()
        spans = None if offsets is None else tuple(_in_prompt(offsets[rows[i].prompt], read))
        out[i] = replace(
            answer,
            moved_prompt=Moved(*in_prompt[i], spans),
            moved_answer=Moved(*in_answer[i], tuple(_in_answer(codec, answer, said))),
        )
    return out


def _counted(layers: Sequence[int], bits: NDArray[np.bool_]) -> list[tuple[int, Spans]]:
    """By row: how many of its tokens were changed anywhere, and how many at each layer that changed any."""
    totals = bits.any(axis=0).sum(axis=-1).tolist()
    by_layer = bits.sum(axis=-1).T.tolist()
    return [
        (total, tuple((layer, n) for layer, n in zip(layers, counts, strict=True) if n))
        for total, counts in zip(totals, by_layer, strict=True)
    ]


def _in_prompt(offsets: Sequence[tuple[int, int]], bits: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Characters of the changed tokens of a prompt: of the last ones that fitted into the model."""
    # Tokens in front that stand for no text, such as BOS, have no characters.
    own = [(0, 0)] * (len(bits) - len(offsets)) + list(offsets)
    own = own[len(own) - len(bits) :]
    for first, end in _runs(bits):
        if own[first][0] < own[end - 1][1]:
            yield own[first][0], own[end - 1][1]


def _in_answer(codec: Codec, answer: Generation, bits: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Characters of the changed tokens of an answer, which may be cut at a stop string."""
    for run in _runs(bits):
        first, end = (min(len(answer.text), len(codec.decode(answer.token_ids[:n])) if n else 0) for n in run)
        if first < end:
            yield first, end


def _runs(bits: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """First and past-the-last index of each stretch of true bits."""
    start = 0
    for moved, stretch in groupby(bits):
        end = start + sum(1 for _ in stretch)
        if moved:
            yield start, end
        start = end
