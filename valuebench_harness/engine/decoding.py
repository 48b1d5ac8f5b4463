"""Generating one batch with transformers' own `generate`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

from valuebench_harness.engine.rows import Generation, GenerationRow
from valuebench_harness.engine.sampling import RowEnd, RowSampler
from valuebench_harness.engine.scopes import Columns
from valuebench_harness.engine.trace import Trace, add_moved

if TYPE_CHECKING:
    from valuebench_harness.engine.model import SteeredModel


@torch.no_grad()
def generate_batch(
    model: SteeredModel, rows: Sequence[GenerationRow], prompts: Sequence[Sequence[int]]
) -> list[Generation]:
    """Continues the rows of one batch.

    Args:
        model: generates.
        rows: the requests.
        prompts: their token ids, already cut to fit.

    Returns:
        The answers, in the order of the rows.
    """
    codec = model.codec
    columns = Columns.left_padded(prompts, [0] * len(rows), codec.pad_id, model.tokenizer)
    ends = RowEnd(rows, codec, columns.width)
    sampler = RowSampler(rows)
    config = GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=False,
        max_new_tokens=max(row.max_new_tokens for row in rows),
        eos_token_id=list(codec.eos_ids) or None,
        pad_token_id=codec.pad_id,
        use_cache=model.use_cache,
    )
    generate: Any = model.model.generate
    trace = Trace()
    with model.steered([row.plan for row in rows], columns, trace):
        output: Tensor = generate(
            columns.ids.to(model.device),
            attention_mask=columns.real.long().to(model.device),
            generation_config=config,
            logits_processor=LogitsProcessorList([sampler] if sampler.active else []),
            stopping_criteria=StoppingCriteriaList([ends]),
        )
    texts = output[:, columns.width :].tolist()
    answers = [
        Generation(
            text=cut_at(codec.decode(ids[:length]), row.stop),
            token_ids=tuple(ids[:length]),
            n_prompt_tokens=len(prompt),
            finish=finish or "length",
        )
        for row, prompt, ids, length, finish in zip(rows, prompts, texts, ends.lengths, ends.finish, strict=True)
    ]
    return add_moved(codec, trace, rows, answers, columns.width)


def cut_at(text: str, stop: Sequence[str]) -> str:
    """The text before the first stop string in it."""
    found = [position for position in (text.find(one) for one in stop) if position >= 0]
    return text[: min(found)] if found else text
