from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.checkpoints import build_checkpoint
from tests.support.plans import mixed_plans, prompts
from valuebench_harness.engine.batching import MOST_ROWS, make_batches, run_batches
from valuebench_harness.engine.loading import load
from valuebench_harness.engine.rows import GenerationRow, LoglikelihoodRow, TextRow
from valuebench_harness.errors import UsageError


@given(
    st.lists(st.tuples(st.integers(1, 300), st.integers(0, 64))), st.none() | st.integers(1, 20), st.integers(1, 2000)
)
def test_batches_part_the_rows_within_the_budget(rows: list[tuple[int, int]], size: int | None, budget: int) -> None:
    lengths, new = [n for n, _ in rows], [n for _, n in rows]
    batches = make_batches(lengths, new, size=size, budget=budget)
    assert sorted(i for batch in batches for i in batch) == list(range(len(rows)))
    for batch in batches:
        padded = len(batch) * (max(lengths[i] for i in batch) + max(new[i] for i in batch))
        assert batch
        if size is not None:
            assert len(batch) <= size
        else:
            assert len(batch) == 1 or padded <= budget
            assert len(batch) <= MOST_ROWS


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 60), st.integers(1, 40), st.integers(1, 40))
def test_halving_loses_nothing(n: int, size: int, fits: int) -> None:
    ran: list[int] = []
    notes: list[str] = []

    def run(batch: list[int]) -> list[int]:
        if len(batch) > fits:
            raise torch.OutOfMemoryError
        ran.append(len(batch))
        return [i * i for i in batch]

    found = list(run_batches(make_batches([1] * n, [0] * n, size=size, budget=1), run, notes.append))
    assert sorted(found) == [(i, i * i) for i in range(n)]
    assert max(ran) <= fits
    # Once a size did not fit it is not tried again.
    assert len(notes) <= 6
    assert bool(notes) == (min(size, n) > fits)


def test_the_engine_goes_on_after_running_out_of_memory(tmp_path: Path) -> None:
    """Every method, with a model that refuses more than three rows."""
    model = load(str(build_checkpoint(tmp_path / "m")), device="cpu")
    plans = mixed_plans(model)
    texts = prompts(len(plans))
    rows = [GenerationRow(t, p, max_new_tokens=5) for t, p in zip(texts, plans, strict=True)]
    pairs = [LoglikelihoodRow(t, " yes it is", p) for t, p in zip(texts, plans, strict=True)]
    reads = [TextRow(t, p) for t, p in zip(texts, plans, strict=True)]

    def everything(size: int) -> tuple[object, ...]:
        return (
            {i: g.token_ids for i, g in model.generate(rows, batch_size=size)},
            {i: round(s.logprob, 2) for i, s in model.loglikelihoods(pairs, batch_size=size)},
            {i: round(s, 2) for i, s in model.rolling_loglikelihoods(reads, batch_size=size)},
            model.capture(reads, [2], batch_size=size).round(2).tolist(),
        )

    expected = everything(3)
    assert not any("Out of memory" in note for note in model.notes)

    def refuse(_: object, __: object, kwargs: dict[str, torch.Tensor]) -> None:
        if len(kwargs["input_ids"]) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    handle = model.model.register_forward_pre_hook(refuse, with_kwargs=True)
    n_hooks = sum(len(m._forward_hooks) for m in model.model.modules())
    assert everything(10) == expected
    assert sum(len(m._forward_hooks) for m in model.model.modules()) == n_hooks
    handle.remove()
    assert "Out of memory with 10 rows a batch: went on with 5." in model.notes
    assert "Out of memory with 5 rows a batch: went on with 2." in model.notes


@pytest.mark.parametrize("error", [torch.OutOfMemoryError(), MemoryError(), RuntimeError("can't allocate memory: 9")])
def test_a_single_row_that_does_not_fit_is_an_error(error: Exception) -> None:
    def run(_: list[int]) -> list[int]:
        raise error

    with pytest.raises(UsageError, match="Out of memory with a single row"):
        list(run_batches([[0, 1]], run, lambda _: None))


def test_other_errors_pass_through() -> None:
    def run(_: list[int]) -> list[int]:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        list(run_batches([[0, 1]], run, lambda _: None))


def test_finished_batches_are_yielded_before_the_next_runs() -> None:
    ran: list[list[int]] = []

    def run(batch: list[int]) -> list[int]:
        ran.append(batch)
        return batch

    results = run_batches([[0, 1], [2]], run, lambda _: None)
    assert next(results) == (0, 0)
    assert ran == [[0, 1]]


def test_the_batch_size_must_be_positive() -> None:
    with pytest.raises(UsageError, match="batch size is 0"):
        make_batches([1], [1], size=0, budget=1)
