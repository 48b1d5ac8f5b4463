"""Batches by token budget, and what happens when one does not fit in memory."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from valuebench_harness.errors import UsageError

Result = TypeVar("Result")

TOKENS_ON_CPU = 16_384
TOKENS_ON_ACCELERATOR = 65_536
MOST_ROWS = 256


def make_batches(
    lengths: Sequence[int], new_tokens: Sequence[int], *, size: int | None, budget: int
) -> list[list[int]]:
    """Puts rows of similar length together, the longest first.

    Args:
        lengths: tokens of each row's input.
        new_tokens: tokens each row may add.
        size: rows a batch; None fills the budget.
        budget: padded tokens a batch, new ones included.

    Returns:
        Row indices, a list a batch; every row is in exactly one.

    Raises:
        UsageError: the size is not positive.
    """
    if size is not None and size < 1:
        raise UsageError(f"The batch size is {size}; it must be at least 1.")
    order = sorted(range(len(lengths)), key=lambda i: (new_tokens[i], lengths[i]), reverse=True)
    batches: list[list[int]] = []
    longest = newest = 0
    for row in order:
        longest, newest = max(longest, lengths[row]), max(newest, new_tokens[row])
        most = size if size is not None else max(1, min(MOST_ROWS, budget // (longest + newest)))
        if batches and len(batches[-1]) < most:
            batches[-1].append(row)
        else:
            batches.append([row])
            longest, newest = lengths[row], new_tokens[row]
    return batches


def run_batches(
    batches: Sequence[list[int]], run: Callable[[list[int]], Sequence[Result]], note: Callable[[str], None]
) -> Iterator[tuple[int, Result]]:
    """Runs batches one by one; one that does not fit in memory is halved and run again.

    Args:
        batches: row indices, a list a batch.
        run: gives the results of a batch, in its order.
        note: called with a sentence when batches are made smaller.

    Yields:
        Row index and result, batch by batch.

    Raises:
        UsageError: a single row does not fit.
    """
    waiting = deque(batches)
    limit = max((len(batch) for batch in batches), default=1)
    while waiting:
        batch = waiting.popleft()
        if len(batch) > limit:
            waiting.extendleft([batch[limit:], batch[:limit]])
            continue
        try:
            results = run(batch)
        except (RuntimeError, MemoryError) as error:
            if not _is_out_of_memory(error):
                raise
            # The traceback holds the tensors of the failed pass: it has to be gone before the retry.
            error.__traceback__ = None
            results = None
        if results is not None:
            yield from zip(batch, results, strict=True)
            continue
        if len(batch) == 1:
            raise UsageError(
                "Out of memory with a single row. Use shorter prompts or fewer new tokens, "
                "--dtype bfloat16, or --device-map auto."
            )
        limit = len(batch) // 2
        note(f"Out of memory with {len(batch)} rows a batch: went on with {limit}.")
        waiting.appendleft(batch)
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return "can't allocate memory" in str(error) or "not enough memory" in str(error)
