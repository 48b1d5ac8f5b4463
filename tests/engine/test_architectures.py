"""The engine's promises in a cheap form on every architecture it names, and in full behind the slow mark."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.engine import test_invariants as invariants
from tests.support.architectures import HEADS, LAYERS, MORE, NAMED, RECURRENT, WIDTH, build_architecture
from tests.support.plans import add, logit_p0, mixed_plans, plain_greedy, prompts, shift, vector
from valuebench_harness.engine.arrays import FrozenArray
from valuebench_harness.engine.intervention import Intervention, Site
from valuebench_harness.engine.loading import load
from valuebench_harness.engine.model import SteeredModel
from valuebench_harness.engine.plan import EMPTY, SteerPlan
from valuebench_harness.engine.rows import Generation, GenerationRow, LoglikelihoodRow, TextRow
from valuebench_harness.engine.scopes import Columns
from valuebench_harness.errors import UsageError

WITHOUT_HEADS = {"bamba", "granitemoehybrid", "jamba", "jetmoe", "lfm2", "qwen3_next"}
"""Some blocks of these have a mixer without heads, or mix experts in their output projection."""


@pytest.fixture(
    scope="module", params=[*NAMED, *(pytest.param(name, marks=pytest.mark.slow) for name in MORE)], name="model"
)
def _model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SteeredModel:
    return load(str(build_architecture(tmp_path_factory.mktemp(request.param), request.param)), device="cpu")


def generate(model: SteeredModel, rows: list[GenerationRow], batch_size: int) -> list[Generation]:
    found = dict(model.generate(rows, batch_size=batch_size))
    return [found[i] for i in range(len(rows))]


def rows_of(model: SteeredModel) -> list[GenerationRow]:
    plans = mixed_plans(model)
    return [GenerationRow(text, plan, max_new_tokens=5) for text, plan in zip(prompts(len(plans)), plans, strict=True)]


def test_blocks_and_parts_are_found(model: SteeredModel) -> None:
    layout = model.layout
    assert (layout.n_layers, layout.width, layout.n_heads) == (LAYERS, WIDTH, HEADS)
    for layer in range(LAYERS):
        modules = {layout.module(layer, site) for site in ("block", "attention", "mlp")}
        assert len(modules) == 3


def test_heads_are_what_the_output_projection_reads(model: SteeredModel) -> None:
    layout = model.layout
    if str(model.model.config.model_type) in WITHOUT_HEADS:
        assert not all(layout.heads)
        return
    read: dict[int, torch.Tensor] = {}
    handles = [
        layout.module(layer, "heads").register_forward_pre_hook(
            lambda _, args, layer=layer: read.update({layer: args[0]})
        )
        for layer in range(LAYERS)
    ]
    ids = torch.tensor([model.token_ids(prompts(2)[1], special=True)])
    with torch.no_grad():
        model.model(input_ids=ids)
    for handle in handles:
        handle.remove()
    for layer in range(LAYERS):
        assert read[layer].shape[-1] == layout.site_width(layer, "heads") == HEADS * layout.head_width(layer)


def test_attention_and_mlp_are_added_to_the_residual_stream(model: SteeredModel) -> None:
    """A change there moves the block's own output, in every row by itself, and it can be read back."""
    rows = [TextRow(text) for text in prompts(3)]
    base = model.capture(rows, [1], reduce="last")
    sites: tuple[Site, ...] = ("attention", "mlp")
    for site in sites:
        plan = SteerPlan((add(model, 1, site=site),))
        steered = [rows[0], TextRow(rows[1].text, plan), rows[2]]
        moved = np.abs(model.capture(steered, [1], reduce="last") - base).max(axis=(1, 2))
        assert moved[1] > 0.1
        np.testing.assert_allclose(moved[[0, 2]], 0, atol=1e-5)
        before, after = (model.capture(r, [1], reduce="last", site=site) for r in (rows, steered))
        np.testing.assert_allclose(after[1, 0] - before[1, 0], vector(model.width, 0, 20.0), atol=1e-3)


def test_rows_do_not_depend_on_their_batch(model: SteeredModel) -> None:
    rows = rows_of(model)
    alone = generate(model, rows, 1)
    assert generate(model, rows, len(rows)) == alone
    assert len({row.token_ids for row in alone}) > 3


def test_every_plan_does_something(model: SteeredModel) -> None:
    rows = [LoglikelihoodRow(prompts(2)[1], " Perhaps we should wait.", plan) for plan in mixed_plans(model)]
    scores = dict(model.loglikelihoods(rows))
    assert all(abs(scores[i].logprob - scores[0].logprob) > 1e-3 for i in range(1, len(rows)))


def test_unsteered_rows_are_left_alone_and_no_trace_stays(model: SteeredModel) -> None:
    ids = torch.tensor([model.token_ids(prompts(2)[1], special=True)] * 2)
    columns = Columns(ids, torch.ones_like(ids, dtype=torch.bool), torch.tensor([ids.shape[1]] * 2))
    with torch.no_grad():
        plain = model.model(input_ids=ids).logits
        for plan in (EMPTY, SteerPlan((add(model, 1, coefficient=0.0),))):
            with model.steered([plan, plan], columns):
                assert torch.equal(model.model(input_ids=ids).logits, plain)
        with model.steered([EMPTY, SteerPlan((add(model, 1),))], columns):
            mixed = model.model(input_ids=ids).logits
        assert torch.equal(model.model(input_ids=ids).logits, plain)
    torch.testing.assert_close(mixed[0], plain[0], atol=1e-4, rtol=0)  # experts sum in the order of their tokens
    assert not torch.equal(mixed[1], plain[1])


def test_layer_i_is_the_output_of_block_i(model: SteeredModel) -> None:
    text, layer = prompts(2)[1], 1
    ids = torch.tensor([model.token_ids(text, special=True)])
    with torch.no_grad():
        states = model.model(input_ids=ids, output_hidden_states=True).hidden_states
    base = model.capture([TextRow(text)], range(LAYERS), reduce="none")[0]
    for i in range(LAYERS - 1):
        np.testing.assert_allclose(base[:, i], states[i + 1][0].numpy(), atol=1e-4)
    values = vector(model.width, 0, 20.0)
    plan = SteerPlan((Intervention("add", layer, {"vector": FrozenArray(values)}),))
    moved = model.capture([TextRow(text, plan)], range(LAYERS), reduce="none")[0] - base
    assert not moved[:, :layer].any()
    np.testing.assert_allclose(moved[:, layer], np.broadcast_to(values, moved[:, layer].shape), atol=1e-3)
    assert all(np.abs(moved[:, i]).max() > 0.1 for i in range(layer, LAYERS))


def test_generated_tokens_are_told_from_the_prompt(model: SteeredModel) -> None:
    """Cached, padded decoding of a mixed batch equals plain recomputation of one row."""
    ids = model.token_ids("Y", special=False)
    end = len(ids)
    expected = plain_greedy(
        model, ids, 5, layer=1, vector=vector(model.width, 0, 20.0), steers=lambda position: position >= end
    )
    plan = next(p for p in mixed_plans(model) if p.interventions and p.interventions[0].scope.kind == "generated")
    steered = SteerPlan((Intervention("add", 1, plan.interventions[0].params, scope=plan.interventions[0].scope),))
    rows = [GenerationRow(text, steered, max_new_tokens=5, special=False) for text in ("Y", prompts(5)[4])]
    assert list(generate(model, rows, 2)[0].token_ids) == expected


def test_minimal_shifts_reach_their_side_layer_after_layer(model: SteeredModel) -> None:
    layers = range(LAYERS - 1)
    plan = SteerPlan(tuple(shift(model, layer, seed=layer) for layer in layers))
    states = model.capture([TextRow(prompts(2)[1], plan)], layers, reduce="none")[0]
    for layer in layers:
        logits = states[:, layer] @ vector(model.width, layer) + 0.1
        assert logits.min() > logit_p0(3) - 1e-3


def test_padding_is_never_read(model: SteeredModel) -> None:
    rows = rows_of(model)
    before = generate(model, rows, len(rows))
    old, model.codec.pad_id = model.codec.pad_id, 17
    try:
        assert generate(model, rows, len(rows)) == before
    finally:
        model.codec.pad_id = old


@pytest.mark.parametrize("name", RECURRENT)
def test_recurrent_models_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is recurrent and cannot be steered row by row"):
        load(str(build_architecture(tmp_path, name)), device="cpu")


@pytest.mark.slow
class TestBatches(invariants.TestBatches):
    def test_plans_did_something(self, model: SteeredModel) -> None:
        """Told above, with a bound that suits every architecture."""


@pytest.mark.slow
class TestLayers(invariants.TestLayers):
    pass


@pytest.mark.slow
class TestPositions(invariants.TestPositions):
    pass


@pytest.mark.slow
class TestPadding(invariants.TestPadding):
    pass
