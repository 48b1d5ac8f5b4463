from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.support.plans import PHRASE, add, prompts, vector
from valuebench_harness.engine.intervention import Site, TokenScope
from valuebench_harness.engine.model import SteeredModel
from valuebench_harness.engine.plan import SteerPlan
from valuebench_harness.engine.rows import TextRow
from valuebench_harness.errors import UsageError

TEXT = prompts(5)[4]


@torch.no_grad()
def plain_states(model: SteeredModel, ids: list[int], layer: int) -> np.ndarray:
    states: np.ndarray = (
        model.model(input_ids=torch.tensor([ids]), output_hidden_states=True).hidden_states[layer + 1][0].numpy()
    )
    return states


def test_last_and_mean(model: SteeredModel) -> None:
    rows = [TextRow(text) for text in prompts(7)]
    last = model.capture(rows, [2, 0], reduce="last")
    mean = model.capture(rows, [2, 0], reduce="mean")
    assert last.shape == mean.shape == (7, 2, model.width)
    assert last.dtype == mean.dtype == np.float32
    for i, row in enumerate(rows):
        ids = model.token_ids(row.text, special=True)
        content = np.array([token not in model.codec.special_ids for token in ids])
        for j, layer in enumerate((2, 0)):
            states = plain_states(model, ids, layer)
            np.testing.assert_allclose(last[i, j], states[-1], atol=2e-4)
            np.testing.assert_allclose(mean[i, j], states[content].mean(axis=0), atol=2e-4)


def test_the_mean_leaves_special_tokens_out(llama: SteeredModel) -> None:
    ids = llama.token_ids(TEXT, special=True)
    assert ids[0] in llama.codec.special_ids
    states = plain_states(llama, ids, 1)
    mean = llama.capture([TextRow(TEXT)], [1], reduce="mean")[0, 0]
    assert np.abs(mean - states.mean(axis=0)).max() > 1e-2


def test_scopes_choose_the_tokens(llama: SteeredModel) -> None:
    whole = llama.capture([TextRow(TEXT)], [1], reduce="none")[0]
    assert whole.shape == (len(llama.token_ids(TEXT, special=True)), 1, llama.width)
    phrase = llama.capture([TextRow(TEXT)], [1], TokenScope("phrase", PHRASE), reduce="none")[0]
    positions = [i for i, state in enumerate(whole) if any(np.array_equal(state, one) for one in phrase)]
    assert PHRASE in llama.codec.decode([llama.token_ids(TEXT, special=True)[i] for i in positions])
    assert len(positions) == len(phrase) < len(whole)
    assert np.array_equal(llama.capture([TextRow(TEXT)], [1], TokenScope("last-prompt"), reduce="none")[0], whole[-1:])


@pytest.mark.parametrize("site", ["input", "attention", "heads", "mlp"])
def test_sites_within_a_block(model: SteeredModel, site: Site) -> None:
    """Adding at a site moves what is read there by exactly that; later blocks follow."""
    width = model.layout.site_width(1, site)
    plan = SteerPlan((add(model, 1, site=site),))
    base, moved = (
        model.capture([TextRow(TEXT, p)], [1], reduce="none", site=site)[0][:, 0] for p in (SteerPlan(), plan)
    )
    np.testing.assert_allclose(moved - base, np.broadcast_to(vector(width, 0, 20.0), base.shape), atol=1e-4)
    blocks = [model.capture([TextRow(TEXT, p)], [0, 1])[0] for p in (SteerPlan(), plan)]
    assert np.array_equal(blocks[0][0], blocks[1][0])
    assert np.abs(blocks[0][1] - blocks[1][1]).max() > 0.1


def test_nothing_to_read(llama: SteeredModel) -> None:
    assert llama.capture([], [0, 1]).shape == (0, 2, llama.width)
    with pytest.raises(UsageError, match="Layer 9 is out of range"):
        llama.capture([TextRow(TEXT)], [9])
    with pytest.raises(UsageError, match="No token of the text"):
        llama.capture([TextRow(TEXT)], [0], TokenScope("generated"))
    with pytest.raises(UsageError, match="No token of the text '' is in the scope 'all'"):
        llama.capture([TextRow(TEXT), TextRow("")], [0], reduce="mean")
