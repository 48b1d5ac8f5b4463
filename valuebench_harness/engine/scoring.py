"""Log-likelihoods of token sequences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from valuebench_harness.engine.batching import make_batches, run_batches
from valuebench_harness.engine.plan import SteerPlan
from valuebench_harness.engine.rows import Loglikelihood
from valuebench_harness.engine.scopes import Columns

if TYPE_CHECKING:
    from valuebench_harness.engine.model import SteeredModel


@dataclass(frozen=True)
class Span:
    """Token ids to score after others.

    Attributes:
        context: at least one id; the prompt, to the plan.
        continuation: at least one id; generated, to the plan.
        plan: how to steer.
    """

    context: tuple[int, ...]
    continuation: tuple[int, ...]
    plan: SteerPlan

    @property
    def inputs(self) -> tuple[int, ...]:
        """What the model reads: the last id is only predicted."""
        return self.context + self.continuation[:-1]


def score_spans(
    model: SteeredModel, spans: Sequence[Span], batch_size: int | None, progress: Callable[[int], None] | None
) -> Iterator[tuple[int, Loglikelihood]]:
    """Scores spans; those with equal inputs, as the options of a question, share a forward pass.

    Args:
        model: scores.
        spans: what to score; each fits the model's length.
        batch_size: rows a batch; None chooses.
        progress: called after each batch with the number of spans it scored.

    Yields:
        Index and score of each span, batch by batch.
    """
    shared: dict[tuple[tuple[int, ...], int, SteerPlan], list[int]] = {}
    for index, span in enumerate(spans):
        shared.setdefault((span.inputs, len(span.context), span.plan), []).append(index)
    members = list(shared.values())
    lengths = [len(inputs) for inputs, _, _ in shared]
    batches = make_batches(lengths, [0] * len(lengths), size=batch_size, budget=model.token_budget)

    def run(batch: list[int]) -> list[list[Loglikelihood]]:
        scores = _score_batch(model, [[spans[i] for i in members[row]] for row in batch])
        if progress:
            progress(sum(map(len, scores)))
        return scores

    for row, scores in run_batches(batches, run, model.note):
        yield from zip(members[row], scores, strict=True)


@torch.no_grad()
def _score_batch(model: SteeredModel, rows: Sequence[Sequence[Span]]) -> list[list[Loglikelihood]]:
    heads = [spans[0] for spans in rows]
    n_generated = [len(span.continuation) - 1 for span in heads]
    columns = Columns.left_padded([span.inputs for span in heads], n_generated, model.codec.pad_id, model.tokenizer)
    with model.steered([span.plan for span in heads], columns):
        logits = model.forward(columns, keep=max(n_generated) + 1)
    return [_scores(logits[i, -len(spans[0].continuation) :], spans) for i, spans in enumerate(rows)]


def _scores(logits: torch.Tensor, spans: Sequence[Span]) -> list[Loglikelihood]:
    """Scores of spans that differ in the last id only, from logits ``[n_tokens, vocabulary]``."""
    logprobs = logits.float().log_softmax(dim=-1)
    greedy = logprobs.argmax(dim=-1).tolist()
    targets = torch.tensor([span.continuation for span in spans], device=logits.device)
    chosen = logprobs.gather(1, targets.T).T.tolist()
    return [
        Loglikelihood(
            logprob=sum(values),
            is_greedy=greedy == list(span.continuation),
            n_tokens=len(values),
            token_logprobs=tuple(values),
        )
        for span, values in zip(spans, chosen, strict=True)
    ]


def rolling_windows(ids: Sequence[int], prefix: int, length: int) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Splits a text into spans that fit the model, each id scored exactly once.

    The same windows as lm-eval's ``loglikelihood_rolling``: disjoint, all but the last
    full, the last given as much context as fits.

    Args:
        ids: the text.
        prefix: what the first id is conditioned on.
        length: ids the model reads at once.

    Returns:
        Pairs of context and continuation.
    """
    whole = (prefix, *ids)
    windows = []
    for start in range(0, len(ids), length):
        end = min(start + length, len(ids))
        first_read = max(0, end - length)
        windows.append((whole[first_read : start + 1], tuple(ids[start:end])))
    return windows
