"""The optimiser, the loss and the training command, at a tiny size."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from valuebench_harness.data.grammar.acts import VALUES
from valuebench_harness.errors import UsageError
from valuebench_harness.mini import architecture, train
from valuebench_harness.mini.batches import CATEGORIES, Batch, Packer, mixture_at
from valuebench_harness.mini.document_kinds import KINDS
from valuebench_harness.mini.exam_turns import Curriculum
from valuebench_harness.mini.loss import InjectedModel
from valuebench_harness.mini.optimizer import Optimizer, Settings, orthogonalize
from valuebench_harness.mini.train import Checkpoint, Run, rate_at


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 48, 16), (2, 16, 48)])
def test_orthogonalized_matrices_keep_their_directions_and_lose_their_scales(shape: tuple[int, ...]) -> None:
    stack = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    result = orthogonalize(stack)
    assert result.shape == stack.shape
    u, _, vh = torch.linalg.svd(stack, full_matrices=False)
    singular = torch.diagonal(u.mT @ result @ vh.mT, dim1=1, dim2=2)
    assert ((singular > 0.5) & (singular < 1.5)).all()


def test_the_optimizer_descends() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Linear(8, 8))
    x = torch.randn(64, 8)
    target = x.roll(1, dims=1)
    optimizer = Optimizer(model, Settings(muon_rate=0.05, adam_rate=0.05))
    losses = []
    for _ in range(60):
        loss = (model(x) - target).square().mean()
        loss.backward()
        optimizer.step(1.0)
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]
    assert all(p.grad is None for p in model.parameters())


def test_the_rate_warms_up_stays_and_falls() -> None:
    rates = [rate_at(step, 1000) for step in range(1000)]
    assert rates[0] < rates[50] < rates[train.WARM_UP_STEPS] == 1.0
    assert rates[499] == 1.0
    assert min(rates[500:]) >= train.FINAL_RATE
    assert rates[-1] == pytest.approx(train.FINAL_RATE)


def test_planted_directions_are_orthonormal_and_fixed() -> None:
    directions = architecture.planted_directions()
    assert directions.shape == (len(VALUES), architecture.WIDTH)
    torch.testing.assert_close(directions @ directions.T, torch.eye(len(VALUES)), atol=1e-5, rtol=0)
    assert torch.equal(directions, architecture.planted_directions())


@pytest.fixture(scope="module")
def tokenizer() -> object:
    return architecture.train_tokenizer()


def batches(tokenizer) -> Iterator[Batch]:  # type: ignore[no-untyped-def]
    """Two short rows a batch, of the mixture at the end of the training."""
    packer = Packer(
        lambda text: tokenizer.encode(text, add_special_tokens=False),
        seed="0",
        rows=2,
        length=96,
        n_blocks=architecture.N_BLOCKS,
        width=architecture.WIDTH,
    )
    return (packer.batch(step, mixture_at(1.0)) for step in range(50))


def test_segments_begin_where_tokens_begin(tokenizer) -> None:  # type: ignore[no-untyped-def]
    rng = random.Random(0)
    for make in KINDS.values():
        for _ in range(20):
            pieces = [s.text for s in make(rng, architecture.N_BLOCKS, Curriculum()).segments]
            apart = [i for piece in pieces for i in tokenizer.encode(piece, add_special_tokens=False)]
            assert tokenizer.encode("".join(pieces), add_special_tokens=False) == apart


def test_the_loss_sees_what_is_injected(tokenizer) -> None:  # type: ignore[no-untyped-def]
    model = architecture.new_model(seed=0)
    injected = InjectedModel(model)
    batch = next(b for b in batches(tokenizer) if np.abs(b.inject[2]).max() > 2)
    with torch.no_grad():
        first = injected.loss(batch)
        again = injected.loss(batch)
        batch.inject[:] = 0
        without = injected.loss(batch)
    assert first.total == again.total
    assert len(first.tokens) == int(first.counted.sum())
    assert without.injected != first.injected


def test_a_choice_is_learned_from_the_chances_of_both_acts(tokenizer) -> None:  # type: ignore[no-untyped-def]
    injected = InjectedModel(architecture.new_model(seed=0))
    batch = next(b for b in batches(tokenizer) if (b.instead[:, 1:] >= 0).any())
    chosen = np.argwhere(batch.instead >= 0)
    assert all(
        batch.category[r, t] in (CATEGORIES.index("choice"), CATEGORIES.index("choice_injected")) for r, t in chosen
    )
    with torch.no_grad():
        row, at = next((r, t) for r, t in chosen if t > 0)
        place = int((injected.loss(batch).counted.flatten().nonzero()[:, 0] == row * 95 + at - 1).nonzero())
        found = injected.loss(batch).tokens[place].item()

        def likelihood(token: int) -> float:
            """Of a token as the one that was drawn, nothing else instead."""
            ids, instead = batch.ids.copy(), batch.instead.copy()
            ids[row, at], instead[row, at] = token, -1
            return float(np.exp(-injected.loss(replace(batch, ids=ids, instead=instead)).tokens[place].item()))

        taken, other = likelihood(int(batch.ids[row, at])), likelihood(int(batch.instead[row, at]))
    chance, offered = float(batch.chance[row, at]), taken + other
    expected = -4 * np.log(offered) - chance * np.log(taken / offered) - (1 - chance) * np.log(other / offered)
    assert found == pytest.approx(expected, rel=0.01)


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="without --resume"):
        Checkpoint(tmp_path).check(Run(0, 10, 1))
    (tmp_path / "progress.json").write_text(json.dumps({"seed": 0, "steps": 10, "workers": 1, "step": 5}))
    assert Checkpoint(tmp_path).check(Run(0, 10, 1)) == 5
    with pytest.raises(UsageError, match="--seed 0 --steps 10 --workers 1"):
        Checkpoint(tmp_path).check(Run(1, 10, 1))


@pytest.mark.slow
def test_training_that_was_interrupted_ends_where_unbroken_training_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run = Run(seed=0, steps=4, workers=2)
    train.train(run, whole)
    monkeypatch.setattr(train, "CHECKPOINT_EVERY", 2)
    train.train(Run(seed=0, steps=2, workers=2), parts)
    progress = json.loads((parts / "progress.json").read_text())
    (parts / "progress.json").write_text(json.dumps({**progress, "steps": run.steps}))
    train.train(run, parts, resume=True)
    first, second = (load_file(folder / "weights" / "model.safetensors") for folder in (whole, parts))
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        torch.testing.assert_close(second[name].float(), tensor.float(), atol=5e-3, rtol=0)
