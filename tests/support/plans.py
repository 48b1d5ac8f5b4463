"""Prompts and steering plans for tests, and slow, plain ways to compute what they do."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from tests.support.checkpoints import CORPUS
from valuebench_harness.engine.arrays import FrozenArray
from valuebench_harness.engine.intervention import Intervention, Param, Site, TokenScope
from valuebench_harness.engine.model import SteeredModel
from valuebench_harness.engine.plan import EMPTY, SteerPlan

PHRASE = "your values"
EVERY_TOKEN = TokenScope("all")


def vector(width: int, seed: int, norm: float = 1.0) -> NDArray[np.float32]:
    """A random direction of a given length."""
    values = np.random.default_rng(seed).normal(size=width)
    return (norm * values / np.linalg.norm(values)).astype(np.float32)


def logit_p0(x: float) -> float:
    """The logit of ConVA's P0 = 1 - 0.1^x."""
    return x * math.log(10) + math.log1p(-(10.0**-x))


def prompts(n: int) -> list[str]:
    """Prompts of many lengths, from one word to several sentences, each holding the phrase or one word."""
    rng = np.random.default_rng(1)
    texts = []
    for i in range(n):
        if i % 9 == 0:
            texts.append("Yes")
            continue
        sentences = [CORPUS[j] for j in rng.integers(len(CORPUS), size=1 + i % 3)]
        texts.append(" ".join([*sentences, f"Think of {PHRASE} number {i}."]))
    return texts


def add(
    model: SteeredModel,
    layer: int,
    *,
    seed: int = 0,
    norm: float = 20.0,
    scope: TokenScope = EVERY_TOKEN,
    site: Site = "block",
    coefficient: float = 1.0,
) -> Intervention:
    """Adds a random vector."""
    params = {"vector": FrozenArray(vector(model.layout.site_width(layer, site), seed, norm))}
    return Intervention("add", layer, params, site=site, scope=scope, coefficient=coefficient)


def shift(model: SteeredModel, layer: int, *, seed: int = 0, x: float = 3, kind: str = "minimal-shift") -> Intervention:
    """ConVA's shift with a random probe; kinds that end in ``along`` move along another random vector."""
    params: dict[str, Param] = {
        "w": FrozenArray(vector(model.width, seed)),
        "b": 0.1,
        "logit_p0": logit_p0(x),
        "sign": 1.0,
    }
    if kind.endswith("-along"):
        params["along"] = FrozenArray(vector(model.width, seed + 100, 2.0))
    return Intervention(kind, layer, params)


def ablate(model: SteeredModel, layer: int, *, site: Site = "block", side: float = 0.0, seed: int = 0) -> Intervention:
    """Takes most of a random direction away, or that part of it which lies on one side."""
    params: dict[str, Param] = {
        "vector": FrozenArray(vector(model.layout.site_width(layer, site), seed, 2.0)),
        "offset": 0.1 * side,
        "side": side,
    }
    return Intervention("ablate", layer, params, site=site, coefficient=0.8)


def clamp(model: SteeredModel, layer: int, *, seed: int = 0) -> Intervention:
    """Sets a random feature to 30."""
    params: dict[str, Param] = {
        "encoder": FrozenArray(vector(model.width, seed)),
        "decoder": FrozenArray(vector(model.width, seed + 1)),
        "bias": -0.1,
        "threshold": 0.05,
        "target": 30.0,
    }
    return Intervention("sae-clamp", layer, params)


def mixed_plans(model: SteeredModel) -> list[SteerPlan]:
    """Plans of every kind and scope, to be met in one batch."""
    last = model.n_layers - 1
    plans = [
        EMPTY,
        SteerPlan((add(model, 1),)),
        SteerPlan((add(model, 1, seed=3, scope=TokenScope("prompt")),)),
        SteerPlan((add(model, 2, scope=TokenScope("generated")),)),
        SteerPlan((add(model, last, scope=TokenScope("last-prompt")),)),
        SteerPlan((add(model, 0, scope=TokenScope("phrase", PHRASE)), add(model, 1, seed=4, site="mlp"))),
        SteerPlan(tuple(shift(model, layer, seed=layer) for layer in range(last))),
        SteerPlan(tuple(shift(model, layer, seed=layer, kind="minimal-shift-prompt") for layer in range(last))),
        SteerPlan((add(model, 1, seed=5), add(model, 1, seed=6, coefficient=-2.0), shift(model, 1, seed=7))),
        SteerPlan((add(model, 2, seed=8, site="attention"),)),
        SteerPlan((add(model, 2, seed=10, scope=TokenScope("position", position=0)), add(model, 1, site="input"))),
        SteerPlan((ablate(model, 1, side=1.0), ablate(model, 2, side=-1.0, seed=2), clamp(model, 2))),
        SteerPlan(tuple(shift(model, layer, seed=layer, kind="minimal-shift-along") for layer in range(last))),
        SteerPlan((shift(model, 1, kind="minimal-shift-prompt-along"), clamp(model, last))),
    ]
    if not all(model.layout.heads[:3]):  # hybrids have blocks without heads
        return plans
    sites: tuple[Site, ...] = ("input", "mlp", "heads")
    return [
        *plans,
        SteerPlan((add(model, 1, seed=9, site="heads"), add(model, 2, seed=9, site="heads"))),
        SteerPlan(tuple(ablate(model, layer, site=site) for layer in (0, 1, 2) for site in sites)),
    ]


@torch.no_grad()
def plain_greedy(
    model: SteeredModel,
    ids: Sequence[int],
    n_new: int,
    *,
    layer: int,
    vector: NDArray[np.float32],
    steers: Callable[[int], bool],
) -> list[int]:
    """Greedy decoding of one row without padding or cache, a vector added at chosen positions.

    Args:
        model: only its transformers model and blocks are used.
        ids: the prompt.
        n_new: how many tokens.
        layer: the block whose output is changed.
        vector: what is added.
        steers: whether the token at a position is changed.
    """
    block = model.layout.blocks[layer]
    tokens = list(ids)
    for _ in range(n_new):
        where = torch.tensor([steers(position) for position in range(len(tokens))])

        def change(_: object, __: object, output: object, where: torch.Tensor = where) -> object:
            states = output[0] if isinstance(output, tuple) else output
            assert isinstance(states, torch.Tensor)
            changed = states + where[None, :, None] * torch.from_numpy(vector.copy())
            return (changed, *output[1:]) if isinstance(output, tuple) else changed

        handle = block.register_forward_hook(change)
        try:
            logits = model.model(input_ids=torch.tensor([tokens]), use_cache=False).logits
        finally:
            handle.remove()
        tokens.append(int(logits[0, -1].argmax()))
        if tokens[-1] in model.codec.eos_ids:
            break
    return tokens[len(ids) :]
