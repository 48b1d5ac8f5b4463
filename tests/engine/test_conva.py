"""Invariant 5: ConVA's shift, computed inside one prefill (Jin et al., ACL 2025, Eq. 5 and 6)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from tests.support.plans import logit_p0, prompts, vector
from valuebench_harness.engine.arrays import FrozenArray
from valuebench_harness.engine.intervention import Intervention
from valuebench_harness.engine.model import SteeredModel
from valuebench_harness.engine.plan import SteerPlan
from valuebench_harness.engine.rows import TextRow
from valuebench_harness.engine.steer import steer

States = NDArray[np.float64]
Probe = tuple[NDArray[np.float32], float]
TEXT = prompts(8)[4]
KINDS = ("minimal-shift", "minimal-shift-prompt")


def first(output: object) -> torch.Tensor:
    states = output[0] if isinstance(output, tuple) else output
    assert isinstance(states, torch.Tensor)
    return states


def shifted(h: States, probe: Probe, target: float, sign: int, kind: str) -> States:
    """Eq. 6 in double precision, one token after the other."""
    w, b = probe[0].astype(np.float64), np.float64(np.float32(probe[1]))
    v = w / np.sqrt(w @ w)
    out = h.copy()
    for i in range(len(h)):
        source = h[i] if kind == "minimal-shift" else h[-1]
        logit = w @ source + b
        goal = sign * target
        if sign * logit < target:
            out[i] = h[i] + (goal - logit) / (w @ v) * v
    return out


@torch.no_grad()
def layer_by_layer(model: SteeredModel, shift: Callable[[int, States], States], layers: range) -> list[States]:
    """One forward pass a layer, each layer's states fixed before the next is looked at."""
    ids = torch.tensor([model.token_ids(TEXT, special=True)])
    fixed: dict[int, torch.Tensor] = {}

    def replace(layer: int) -> Callable[[nn.Module, object, object], object]:
        def hook(_: nn.Module, __: object, output: object) -> object:
            if layer not in fixed:
                return None
            return (fixed[layer], *output[1:]) if isinstance(output, tuple) else fixed[layer]

        return hook

    def keep(read: list[torch.Tensor]) -> Callable[[nn.Module, object, object], None]:
        return lambda _, __, output: read.append(first(output))

    for layer in layers:
        read: list[torch.Tensor] = []
        with ExitStack() as stack:
            for block in layers:
                stack.callback(model.layout.blocks[block].register_forward_hook(replace(block)).remove)
            stack.callback(model.layout.blocks[layer].register_forward_hook(keep(read)).remove)
            model.model(input_ids=ids, use_cache=False)
        after = shift(layer, read[0][0].double().numpy())
        fixed[layer] = torch.from_numpy(after)[None].float()
    return [fixed[layer][0].double().numpy() for layer in layers]


@torch.no_grad()
def before_and_after(model: SteeredModel, plan: SteerPlan, layers: range) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """States of TEXT as each layer's hook finds and leaves them, in one prefill."""
    ids = torch.tensor([model.token_ids(TEXT, special=True)])
    before: list[torch.Tensor] = []
    after: list[torch.Tensor] = []
    with steer(model, plan), ExitStack() as stack:
        for layer in layers:
            block = model.layout.blocks[layer]
            stack.callback(
                block.register_forward_hook(
                    lambda _, __, out: before.append(first(out)[0].clone()), prepend=True
                ).remove
            )
            stack.callback(block.register_forward_hook(lambda _, __, out: after.append(first(out)[0].clone())).remove)
        model.model(input_ids=ids)
    assert len(before) == len(after) == len(layers)
    return list(zip(before, after, strict=True))


def probes(model: SteeredModel, target: float, layers: range, sign: int) -> list[Probe]:
    """Probes that leave about half of the unsteered tokens on either side of the target."""
    states = model.capture([TextRow(TEXT)], layers, reduce="none")[0].astype(np.float64)
    found = []
    for i, layer in enumerate(layers):
        w = vector(model.width, 10 + layer, 0.7)
        logits = np.sort(states[:, i] @ w.astype(np.float64))
        half = len(logits) // 2
        found.append((w, float(sign * target - logits[half - 1 : half + 1].mean())))
    return found


def plan_of(kind: str, found: list[Probe], layers: range, target: float, sign: int) -> SteerPlan:
    return SteerPlan(
        tuple(
            Intervention(kind, layer, {"w": FrozenArray(w), "b": b, "logit_p0": target, "sign": float(sign)})
            for layer, (w, b) in zip(layers, found, strict=True)
        )
    )


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("x", [1, 6, 15])
def test_one_prefill_equals_a_pass_a_layer(model: SteeredModel, kind: str, x: int, sign: int) -> None:
    layers, target = range(model.n_layers - 1), logit_p0(x)
    found = probes(model, target, layers, sign)
    expected = layer_by_layer(model, lambda layer, h: shifted(h, found[layer], target, sign, kind), layers)
    states = model.capture([TextRow(TEXT, plan_of(kind, found, layers, target, sign))], layers, reduce="none")[0]
    for layer in layers:
        scale = np.abs(expected[layer]).max()
        np.testing.assert_allclose(states[:, layer], expected[layer], atol=1e-4 * scale)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("x", range(1, 16))
def test_the_target_is_met_and_other_tokens_are_left_alone(model: SteeredModel, x: int, sign: int) -> None:
    layers, target = range(model.n_layers - 1), logit_p0(x)
    found = probes(model, target, layers, sign)
    n_shifted = n_left = 0
    seen = before_and_after(model, plan_of("minimal-shift", found, layers, target, sign), layers)
    for (before, after), (w, b) in zip(seen, found, strict=True):
        logits = sign * (before.double().numpy() @ w.astype(np.float64) + np.float64(np.float32(b)))
        ends = sign * (after.double().numpy() @ w.astype(np.float64) + np.float64(np.float32(b)))
        below = logits < np.float64(np.float32(target))
        np.testing.assert_allclose(ends[below], target, atol=1e-3)
        assert torch.equal(after[torch.from_numpy(~below)], before[torch.from_numpy(~below)])
        n_shifted += int(below.sum())
        n_left += int((~below).sum())
    assert n_shifted > 3
    assert n_left > 3


def test_the_kinds_differ(model: SteeredModel) -> None:
    layers, target = range(model.n_layers - 1), logit_p0(6)
    found = probes(model, target, layers, 1)
    per_token, per_prompt = (
        model.capture([TextRow(TEXT, plan_of(kind, found, layers, target, 1))], [model.n_layers - 2])[0]
        for kind in KINDS
    )
    assert np.abs(per_token - per_prompt).max() > 1e-2
