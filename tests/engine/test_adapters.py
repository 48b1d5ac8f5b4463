"""Weight adapters row by row: the engine's promises, and peft as the independent computation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.support.plans import add, prompts
from valuebench_harness.engine.adapter import Adapter, LowRankUpdate, ScaledAdapter
from valuebench_harness.engine.adapters import adapted
from valuebench_harness.engine.arrays import FrozenArray
from valuebench_harness.engine.model import SteeredModel
from valuebench_harness.engine.plan import EMPTY, SteerPlan
from valuebench_harness.engine.rows import GenerationRow, LoglikelihoodRow
from valuebench_harness.engine.steer import steer
from valuebench_harness.errors import UsageError


def linear_maps(model: SteeredModel) -> dict[str, tuple[int, int]]:
    """Every linear map inside the blocks, with its inputs and outputs."""
    found = {}
    for name, module in model.model.named_modules():
        if name.startswith(model.layout.path) and isinstance(getattr(module, "weight", None), nn.Parameter):
            if isinstance(module, nn.Linear):
                found[name] = (module.in_features, module.out_features)
            elif type(module).__name__ == "Conv1D":
                found[name] = (int(module.nx), int(module.nf))
    return found


def random_adapter(model: SteeredModel, seed: int, rank: int = 2, size: float = 0.15) -> Adapter:
    rng = np.random.default_rng(seed)
    updates = tuple(
        LowRankUpdate(
            name, FrozenArray(size * rng.normal(size=(rank, n_in))), FrozenArray(rng.normal(size=(n_out, rank)))
        )
        for name, (n_in, n_out) in linear_maps(model).items()
    )
    return Adapter(f"random-{seed}", updates)


def plan(adapter: Adapter, scale: float = 1.0) -> SteerPlan:
    return SteerPlan(adapters=(ScaledAdapter(adapter, scale),))


def hooks(model: SteeredModel) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.model.modules())


def texts(model: SteeredModel, rows: list[GenerationRow], size: int) -> list[tuple[int, ...]]:
    found = dict(model.generate(rows, batch_size=size))
    return [found[i].token_ids for i in range(len(rows))]


def scores(model: SteeredModel, plans: list[SteerPlan], size: int | None = None) -> list[float]:
    rows = [LoglikelihoodRow(prompts(len(plans))[i], " Perhaps we should wait.", p) for i, p in enumerate(plans)]
    found = dict(model.loglikelihoods(rows, batch_size=size))
    return [found[i].logprob for i in range(len(rows))]


def test_rows_of_one_batch_carry_different_adapters_or_none(model: SteeredModel) -> None:
    first, second = random_adapter(model, 1), random_adapter(model, 2, rank=3)
    plans = [
        EMPTY,
        plan(first),
        plan(second, -0.5),
        SteerPlan(adapters=(ScaledAdapter(first, 0.5), ScaledAdapter(second, 0.5))),
        plan(first, 0.3) + SteerPlan((add(model, 0),)),
    ]
    rows = [GenerationRow(text, plans[i % len(plans)], max_new_tokens=8) for i, text in enumerate(prompts(20))]
    alone = texts(model, rows, 1)
    assert texts(model, rows, 20) == alone
    together = scores(model, plans * 4)
    assert together == pytest.approx(scores(model, plans * 4, 1), abs=1e-3)
    base = scores(model, [EMPTY] * 20)
    changed = [abs(a - b) > 0.01 for a, b in zip(together, base, strict=True)]
    assert changed == [i % len(plans) != 0 for i in range(20)], "else the adapters did nothing"


def test_rows_without_an_adapter_are_bit_identical_and_no_trace_is_left(model: SteeredModel) -> None:
    base = scores(model, [EMPTY] * 3)
    adapter = random_adapter(model, 3)
    before = hooks(model)
    weights = {name: p.clone() for name, p in model.model.named_parameters()}
    mixed = scores(model, [EMPTY, plan(adapter), plan(adapter, 0.0)])
    assert (mixed[0], mixed[2]) == (base[0], base[2])
    assert mixed[1] != base[1]
    assert scores(model, [EMPTY] * 3) == base
    assert hooks(model) == before
    assert all(torch.equal(p, weights[name]) for name, p in model.model.named_parameters())


def test_cached_decoding_equals_full_recomputation(model: SteeredModel) -> None:
    adapter = random_adapter(model, 4)
    rows = [GenerationRow(text, plan(adapter, 0.7), max_new_tokens=8) for text in prompts(6)]
    cached = texts(model, rows, 6)
    model.use_cache = False
    try:
        assert texts(model, rows, 6) == cached
    finally:
        model.use_cache = True


def logits(model: SteeredModel, module: Any = None) -> torch.Tensor:
    ids = torch.tensor([model.token_ids(prompts(1)[0], special=True)])
    with torch.no_grad():
        out: torch.Tensor = (module or model.model)(input_ids=ids).logits
    return out


def test_an_adapter_computes_what_peft_computes(model: SteeredModel) -> None:
    from peft import LoraConfig, get_peft_model

    names = sorted(linear_maps(model))[:5]
    conv = any(type(model.model.get_submodule(name)).__name__ == "Conv1D" for name in names)
    config = LoraConfig(r=3, lora_alpha=12, target_modules=names, lora_dropout=0.0, fan_in_fan_out=conv)
    base = logits(model)
    wrapped: Any = get_peft_model(model.model, config)
    try:
        updates = []
        with torch.no_grad():
            for name, module in wrapped.base_model.model.named_modules():
                if hasattr(module, "lora_A"):
                    down, up = module.lora_A["default"].weight, module.lora_B["default"].weight
                    up.normal_(std=0.2, generator=torch.Generator().manual_seed(0))
                    updates.append(LowRankUpdate(name, FrozenArray(down.numpy()), FrozenArray(4 * up.numpy())))
        expected = logits(model, wrapped)
    finally:
        wrapped.unload()
    assert len(updates) == 5
    assert torch.equal(logits(model), base)
    with steer(model, plan(Adapter("peft", tuple(updates)))):
        ours = logits(model)
    assert (expected - base).abs().max() > 0.01
    torch.testing.assert_close(ours, expected, atol=2e-5, rtol=2e-5)


def test_steer_adapts_every_row_of_any_batch_and_cleans_up_after_an_error(llama: SteeredModel) -> None:
    adapter = random_adapter(llama, 5)
    base, before = logits(llama), hooks(llama)
    ids = torch.tensor([llama.token_ids(prompts(1)[0], special=True)])

    def fails_inside() -> None:
        with steer(llama, plan(adapter)) as module:
            with torch.no_grad():
                pair = module(input_ids=ids.expand(3, -1)).logits
            assert (pair - base).abs().amax(dim=(1, 2)).min() > 0.01
            raise RuntimeError("the caller's own")

    with pytest.raises(RuntimeError, match="the caller's own"):
        fails_inside()
    assert hooks(llama) == before
    assert torch.equal(logits(llama), base)


def test_plans_with_adapters_round_trip_and_compare_by_content(llama: SteeredModel) -> None:
    one, same, other = (random_adapter(llama, seed) for seed in (6, 6, 7))
    assert plan(one) == plan(same)
    assert plan(one).digest == plan(same).digest
    assert len({plan(one), plan(same), plan(other), plan(one, 0.5)}) == 3
    again = SteerPlan.from_json((plan(one, 0.25) + SteerPlan((add(llama, 1),))).to_json())
    assert again == plan(one, 0.25) + SteerPlan((add(llama, 1),))


def test_an_adapter_that_does_not_fit_is_an_error(llama: SteeredModel) -> None:
    def run(module: str, n_in: int, n_out: int) -> None:
        update = LowRankUpdate(module, FrozenArray(np.ones((2, n_in))), FrozenArray(np.ones((n_out, 2))))
        scores(llama, [EMPTY, plan(Adapter("x", (update,)))])

    with pytest.raises(UsageError, match="does not have: it was trained on another architecture"):
        run("transformer.h.0.attn.c_attn", 4, 4)
    name, (n_in, n_out) = next(iter(linear_maps(llama).items()))
    with pytest.raises(UsageError, match=f"maps {n_in + 1} to {n_out}, the model's maps {n_in} to {n_out}"):
        run(name, n_in + 1, n_out)
    with pytest.raises(UsageError, match="no linear map"):
        run("model.norm", n_in, n_out)
    with pytest.raises(UsageError, match="the rank must agree"):
        LowRankUpdate("q", FrozenArray(np.ones((2, 4))), FrozenArray(np.ones((4, 3))))
    with pytest.raises(UsageError, match="not finite"):
        ScaledAdapter(random_adapter(llama, 8), float("nan"))


def test_a_module_that_mixes_rows_cannot_be_switched_by_row() -> None:
    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.map = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.map(x.reshape(-1, 4))
            return out

    update = LowRankUpdate("map", FrozenArray(np.ones((1, 4))), FrozenArray(np.ones((4, 1))))
    model, own = Flat(), plan(Adapter("x", (update,)))
    with pytest.raises(UsageError, match="without their rows"), adapted(model, [own, EMPTY]):
        model(torch.zeros(2, 3, 4))
    plain = model(torch.ones(2, 3, 4))
    with adapted(model, [own], every_row=True):
        assert torch.allclose(model(torch.ones(2, 3, 4)), plain + 4.0)
