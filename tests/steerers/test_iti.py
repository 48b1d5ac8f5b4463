from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tests.steerers.states import GivenStates, context, pairs, request
from tests.support.numpy_models import Array, numpy_logits
from valuebench_harness.engine.intervention import Site
from valuebench_harness.engine.model import SteeredModel
from valuebench_harness.engine.steer import steer
from valuebench_harness.errors import UsageError
from valuebench_harness.steerers.base import FitContext
from valuebench_harness.steerers.registry import make_steerer

KNOWING = [(1, 2), (6, 0)]


def heads_context(**more: Any) -> FitContext:
    """8 layers of 4 heads, width 3; two heads know the value, the rest is noise."""
    rng = np.random.default_rng(0)
    table: dict[str, np.ndarray] = {}
    for pair in pairs(60):
        for text, sign in ((pair.positive, 1.0), (pair.negative, -1.0)):
            states = rng.normal(size=(8, 4, 3))
            for layer, head in KNOWING:
                states[layer, head] += sign * np.array([2.0, -1.0, 0.0])
            table[text] = states.astype(np.float32)
    return replace(context(n=60, **more), states=GivenStates({}, head_table=table))  # type: ignore[arg-type]


def test_the_heads_that_know_are_shifted_by_sigma_theta() -> None:
    ctx = heads_context()
    artifact = make_steerer("iti", {"heads": 2}).fit(ctx)
    assert artifact is not None
    assert artifact.meta.layers == (1, 6)
    assert min(artifact.meta.accuracy.values()) > 0.85
    vectors = artifact.arrays["vectors"].reshape(8, 4, 3)
    assert {(int(a), int(b)) for a, b, _ in np.argwhere(vectors)} == set(KNOWING)
    states: Any = ctx.states
    for layer, head in KNOWING:
        positive = np.stack([states.head_table[p.positive][layer, head] for p in ctx.pairs]).astype(float)
        negative = np.stack([states.head_table[p.negative][layer, head] for p in ctx.pairs]).astype(float)
        theta = positive.mean(axis=0) - negative.mean(axis=0)
        theta /= np.linalg.norm(theta)
        sigma = np.std(np.concatenate([positive, negative]) @ theta)
        assert vectors[layer, head] == pytest.approx(sigma * theta, abs=1e-5)


def test_the_probes_normal_is_an_option() -> None:
    ctx = heads_context()
    mass, probe = (make_steerer("iti", {"heads": 2, "direction": d}).fit(ctx) for d in ("mass-mean", "probe"))
    assert mass is not None
    assert probe is not None
    for layer in (1, 6):
        a, b = mass.arrays["vectors"][layer], probe.arrays["vectors"][layer]
        assert 0.9 < a @ b / np.linalg.norm(a) / np.linalg.norm(b) < 0.99999


def test_how_many_heads() -> None:
    papers = make_steerer("iti").fit(heads_context())
    assert papers is not None
    assert np.count_nonzero(np.abs(papers.arrays["vectors"].reshape(8, 4, 3)).sum(axis=2)) == 12, "1.5 a layer"
    asked = make_steerer("iti", {"heads": 3}).fit(heads_context(layers=(2, 6)))
    assert asked is not None
    assert set(asked.meta.layers) <= {2, 6}
    with pytest.raises(UsageError, match="9 heads, but tiny has 8 to choose from"):
        make_steerer("iti", {"heads": 9}).fit(heads_context(layers=(2, 6)))


@pytest.mark.parametrize(("scope", "kinds"), [("answer", ["last-prompt", "generated"] * 2), ("all", ["all", "all"])])
def test_the_plan(scope: str, kinds: list[str]) -> None:
    steerer = make_steerer("iti", {"heads": 2, "scope": scope})
    steps = steerer.plan(request(15, "negative"), steerer.fit(heads_context())).plan.interventions
    assert [s.scope.kind for s in steps] == kinds
    assert {(s.kind, s.site, s.coefficient) for s in steps} == {("add", "heads", -15.0)}


def test_it_equals_the_same_forward_pass_in_numpy(model: SteeredModel, real_context: Callable[..., FitContext]) -> None:
    """Eq. 2 of Li et al., with the heads and directions computed from numpy's own states."""
    ctx = real_context()
    steerer = make_steerer("iti", {"heads": 3})
    artifact = steerer.fit(ctx)
    assert artifact is not None
    layers = {layer for layer, row in enumerate(artifact.arrays["vectors"]) if row.any()}
    assert layers == set(artifact.meta.layers)

    def heads(text: str) -> Array:
        seen: dict[int, Array] = {}

        def read(layer: int, site: Site, states: Array) -> Array:
            if site == "heads":
                seen[layer] = states[-1]
            return states

        numpy_logits(model, model.token_ids(text, special=True), read)
        return np.stack([seen[layer] for layer in range(model.n_layers)])

    positive, negative = (np.stack([heads(getattr(p, side)) for p in ctx.pairs]) for side in ("positive", "negative"))
    shift = np.zeros((model.n_layers, model.layout.site_width(0, "heads")))
    width = model.layout.head_width(0)
    for layer in layers:
        for start in range(0, shift.shape[1], width):
            part = slice(start, start + width)
            if artifact.arrays["vectors"][layer, part].any():
                theta = (positive - negative)[:, layer, part].mean(axis=0)
                theta /= np.linalg.norm(theta)
                both = np.concatenate([positive, negative])[:, layer, part]
                shift[layer, part] = (both @ theta).std() * theta

    ids = model.token_ids("Should I leave the village?", special=True)

    def change(layer: int, site: Site, states: Array) -> Array:
        moved = states.copy()
        if site == "heads":
            moved[-1] += 4.0 * shift[layer]
        return moved

    with torch.no_grad(), steer(model, steerer.plan(request(4.0), artifact).plan) as module:
        steered = module(input_ids=torch.tensor([ids])).logits[0].double().numpy()
    np.testing.assert_allclose(steered, numpy_logits(model, ids, change), atol=2e-3)
    assert np.abs(steered - numpy_logits(model, ids, lambda _, __, states: states)).max() > 0.1
