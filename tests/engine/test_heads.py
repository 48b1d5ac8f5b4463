"""Sites and kinds against the same forward pass written out in numpy."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from tests.support.numpy_models import Array, numpy_logits
from tests.support.plans import prompts, vector
from valuebench_harness.engine.arrays import FrozenArray
from valuebench_harness.engine.intervention import Intervention, Site
from valuebench_harness.engine.loading import load
from valuebench_harness.engine.model import SteeredModel
from valuebench_harness.engine.plan import SteerPlan
from valuebench_harness.engine.rows import TextRow
from valuebench_harness.engine.steer import steer

TEXT = prompts(5)[4]


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def tiny(request: pytest.FixtureRequest, folders: dict[str, Path]) -> SteeredModel:
    return load(str(folders[request.param]), device="cpu")


def steered_logits(model: SteeredModel, ids: list[int], plan: SteerPlan) -> Array:
    import torch

    with torch.no_grad(), steer(model, plan) as module:
        logits: Array = module(input_ids=torch.tensor([ids])).logits[0].double().numpy()
    return logits


def test_the_numpy_models_are_the_models(tiny: SteeredModel) -> None:
    ids = tiny.token_ids(TEXT, special=True)
    expected = numpy_logits(tiny, ids, lambda _, __, states: states)
    np.testing.assert_allclose(steered_logits(tiny, ids, SteerPlan()), expected, atol=1e-3)


@pytest.mark.parametrize("site", get_args(Site))
def test_a_shift_at_every_site(tiny: SteeredModel, site: Site) -> None:
    ids = tiny.token_ids(TEXT, special=True)
    shift = vector(tiny.layout.site_width(2, site), 3, 5.0)

    def change(layer: int, here: Site, states: Array) -> Array:
        return states + shift if (layer, here) == (2, site) else states

    plan = SteerPlan((Intervention("add", 2, {"vector": FrozenArray(shift)}, site=site),))
    got, expected = steered_logits(tiny, ids, plan), numpy_logits(tiny, ids, change)
    np.testing.assert_allclose(got, expected, atol=1e-3)
    assert np.abs(got - steered_logits(tiny, ids, SteerPlan())).max() > 0.1


def test_one_head_is_one_slice_of_its_site(tiny: SteeredModel) -> None:
    """What is read at ``heads`` times the projection is what is read at ``attention``; heads lie side by side."""
    layer = 1
    heads = tiny.capture([TextRow(TEXT)], [layer], reduce="none", site="heads")[0][:, 0]
    attention = tiny.capture([TextRow(TEXT)], [layer], reduce="none", site="attention")[0][:, 0]
    module = tiny.layout.module(layer, "heads")
    found = {name: value.detach().numpy() for name, value in module.named_parameters()}
    weight = found["weight"] if tiny.model.config.model_type == "gpt2" else found["weight"].T
    projected = heads @ weight + found.get("bias", 0)
    np.testing.assert_allclose(attention, projected, atol=1e-4)
    width = tiny.layout.head_width(layer)
    shift = np.zeros(heads.shape[1], dtype=np.float32)
    shift[2 * width : 3 * width] = vector(width, 5, 7.0)
    plan = SteerPlan((Intervention("add", layer, {"vector": FrozenArray(shift)}, site="heads"),))
    moved = tiny.capture([TextRow(TEXT, plan)], [layer], reduce="none", site="heads")[0][:, 0]
    np.testing.assert_allclose(moved - heads, np.broadcast_to(shift, heads.shape), atol=1e-5)


@pytest.mark.parametrize("strength", [0.4, 1.0])
def test_ablation_everywhere(tiny: SteeredModel, strength: float) -> None:
    """Arditi et al.: the direction is gone from every block's input and from what attention and MLP write."""
    ids = tiny.token_ids(TEXT, special=True)
    direction = vector(tiny.width, 4, 3.0)
    unit = direction.astype(np.float64) / np.linalg.norm(direction.astype(np.float64))
    sites: tuple[Site, ...] = ("input", "attention", "mlp")

    def change(_: int, site: Site, states: Array) -> Array:
        return states - strength * (states @ unit)[:, None] * unit if site in sites else states

    plan = SteerPlan(
        tuple(
            Intervention(
                "ablate",
                layer,
                {"vector": FrozenArray(direction), "offset": 0.0, "side": 0.0},
                site=site,
                coefficient=strength,
            )
            for layer in range(tiny.n_layers)
            for site in sites
        )
    )
    np.testing.assert_allclose(steered_logits(tiny, ids, plan), numpy_logits(tiny, ids, change), atol=1e-3)
    if strength == 1:
        states = tiny.capture([TextRow(TEXT, plan)], range(tiny.n_layers), reduce="none")[0]
        assert np.abs(states @ unit).max() < 1e-4 * np.abs(states).max()
