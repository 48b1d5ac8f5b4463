"""The engine's promises, on every architecture."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.plans import add, mixed_plans, plain_greedy, prompts, vector
from valuebench_harness.engine.arrays import FrozenArray
from valuebench_harness.engine.intervention import Intervention, ScopeKind, TokenScope
from valuebench_harness.engine.model import SteeredModel
from valuebench_harness.engine.plan import EMPTY, Message, SteerPlan
from valuebench_harness.engine.rows import Generation, GenerationRow, LoglikelihoodRow, TextRow
from valuebench_harness.engine.scopes import Columns
from valuebench_harness.engine.steer import steer


def mixed_rows(model: SteeredModel, n: int, **settings: Any) -> list[GenerationRow]:
    plans = mixed_plans(model)
    return [
        replace(GenerationRow(text, plans[i % len(plans)], max_new_tokens=12), **settings)
        for i, text in enumerate(prompts(n))
    ]


def generate(model: SteeredModel, rows: list[GenerationRow], batch_size: int = 64) -> list[Generation]:
    found = dict(model.generate(rows, batch_size=batch_size))
    return [found[i] for i in range(len(rows))]


def question(model: SteeredModel) -> str:
    """A prompt that also the built-in model, which knows its chat format only, answers in several tokens."""
    return model.render([Message("user", prompts(2)[1])])


def hooks(model: SteeredModel) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.model.modules())


def all_logits(model: SteeredModel, text: str) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = model.model(input_ids=torch.tensor([model.token_ids(text, special=True)])).logits
    return logits


class TestBatches:
    """Invariant 1: a row's result does not depend on the rest of its batch."""

    def test_greedy_tokens_are_the_same_in_any_batch(self, model: SteeredModel) -> None:
        rows = mixed_rows(model, 70)
        alone, sevens, many = (generate(model, rows, size) for size in (1, 7, 64))
        assert sevens == alone
        assert many == alone

    def test_plans_did_something(self, model: SteeredModel) -> None:
        """Else the test above would hold for an engine that steers nothing."""
        rows = [LoglikelihoodRow(prompts(2)[1], " Perhaps we should wait.", plan) for plan in mixed_plans(model)]
        scores = dict(model.loglikelihoods(rows))
        for i in range(1, len(rows)):
            assert abs(scores[i].logprob - scores[0].logprob) > 0.01, rows[i].plan

    def test_samples_are_the_same_in_any_batch(self, model: SteeredModel) -> None:
        rows = [replace(row, seed=i) for i, row in enumerate(mixed_rows(model, 21, temperature=1.0, top_p=0.9))]
        rows += mixed_rows(model, 4)
        assert generate(model, rows, 1) == generate(model, rows, 25)

    def test_scores_are_the_same_in_any_batch(self, model: SteeredModel) -> None:
        plans = mixed_plans(model)
        rows = [LoglikelihoodRow(text, " Maybe not.", plans[i % len(plans)]) for i, text in enumerate(prompts(20))]
        alone = dict(model.loglikelihoods(rows, batch_size=1))
        together = dict(model.loglikelihoods(rows, batch_size=20))
        for i in range(len(rows)):
            assert together[i].logprob == pytest.approx(alone[i].logprob, abs=1e-3)
            assert together[i].is_greedy == alone[i].is_greedy


class TestIdentity:
    """Invariant 2: no plan, no change; and no trace afterwards."""

    def test_strength_0_is_bit_identical(self, model: SteeredModel) -> None:
        text = prompts(2)[1]
        plain = all_logits(model, text)
        for plan in (EMPTY, SteerPlan((add(model, 1, coefficient=0.0),))):
            with steer(model, plan):
                assert torch.equal(all_logits(model, text), plain)

    def test_unsteered_rows_are_bit_identical_beside_steered_ones(self, model: SteeredModel) -> None:
        text = prompts(2)[1]
        ids = torch.tensor([model.token_ids(text, special=True)] * 2)
        with torch.no_grad():
            plain = model.model(input_ids=ids).logits
        columns = Columns(ids, torch.ones_like(ids, dtype=torch.bool), torch.tensor([ids.shape[1]] * 2))
        with model.steered([EMPTY, SteerPlan((add(model, 1),))], columns), torch.no_grad():
            mixed = model.model(input_ids=ids).logits
        assert torch.equal(mixed[0], plain[0])
        assert not torch.equal(mixed[1], plain[1])

    def test_steering_leaves_no_trace(self, model: SteeredModel) -> None:
        text = question(model)
        plan = SteerPlan((add(model, 1, norm=40.0),))
        plain, n_hooks = all_logits(model, text), hooks(model)
        base, steered = generate(model, [GenerationRow(text)]), generate(model, [GenerationRow(text, plan)])
        assert steered != base
        assert hooks(model) == n_hooks
        assert torch.equal(all_logits(model, text), plain)
        assert generate(model, [GenerationRow(text)]) == base

    def test_steering_leaves_no_trace_after_an_exception(self, model: SteeredModel) -> None:
        text = question(model)
        plain, n_hooks = all_logits(model, text), hooks(model)
        calls = 0

        def interrupt(*_: object) -> None:
            nonlocal calls
            calls += 1
            if calls == 2:
                raise KeyboardInterrupt

        handle = model.layout.blocks[-1].register_forward_hook(interrupt)
        try:
            with pytest.raises(KeyboardInterrupt):
                generate(model, [GenerationRow(text, SteerPlan((add(model, 1, norm=40.0),)))])
        finally:
            handle.remove()
        assert calls == 2
        assert hooks(model) == n_hooks
        assert torch.equal(all_logits(model, text), plain)

    def test_a_batch_without_plans_registers_no_hook(self, model: SteeredModel) -> None:
        seen: list[int] = []
        handle = model.model.get_input_embeddings().register_forward_hook(lambda *_: seen.append(hooks(model)))
        expected = hooks(model)
        generate(model, [GenerationRow("Yes", max_new_tokens=3)])
        handle.remove()
        assert set(seen) == {expected}


class TestLayers:
    """Invariant 3: layer i is the output of block i."""

    def test_capture_is_hidden_states_shifted_by_one(self, model: SteeredModel) -> None:
        text = prompts(2)[1]
        ids = torch.tensor([model.token_ids(text, special=True)])
        with torch.no_grad():
            states = model.model(input_ids=ids, output_hidden_states=True).hidden_states
        captured = model.capture([TextRow(text)], range(model.n_layers), reduce="none")[0]
        for layer in range(model.n_layers - 1):
            np.testing.assert_allclose(captured[:, layer], states[layer + 1][0].numpy(), atol=1e-5)

    def test_the_last_layer_is_read_before_the_final_norm(self, model: SteeredModel) -> None:
        text = prompts(2)[1]
        ids = torch.tensor([model.token_ids(text, special=True)])
        read: list[torch.Tensor] = []
        handle = model.layout.blocks[-1].register_forward_hook(
            lambda _, __, out: read.append(out[0] if isinstance(out, tuple) else out)
        )
        with torch.no_grad():
            normed = model.model(input_ids=ids, output_hidden_states=True).hidden_states[-1]
        handle.remove()
        captured = model.capture([TextRow(text)], [model.n_layers - 1], reduce="none")[0][:, 0]
        np.testing.assert_allclose(captured, read[0][0].numpy(), atol=1e-5)
        assert np.abs(captured - normed[0].numpy()).max() > 0.1

    def test_adding_at_a_layer_moves_that_state_and_later_ones_only(self, model: SteeredModel) -> None:
        text, layer = prompts(2)[1], 2
        values = vector(model.width, 0, 20.0)
        base = model.capture([TextRow(text)], range(model.n_layers), reduce="none")[0]
        plan = SteerPlan((Intervention("add", layer, {"vector": FrozenArray(values)}),))
        steered = model.capture([TextRow(text, plan)], range(model.n_layers), reduce="none")[0]
        assert np.array_equal(steered[:, :layer], base[:, :layer])
        np.testing.assert_allclose(steered[:, layer], base[:, layer] + values, atol=1e-4)
        assert all(np.abs(steered[:, i] - base[:, i]).max() > 0.1 for i in range(layer, model.n_layers))

    def test_output_hidden_states_shows_the_steered_states(self, model: SteeredModel) -> None:
        ids = torch.tensor([model.token_ids(prompts(2)[1], special=True)])
        plan = SteerPlan((add(model, 2),))
        with torch.no_grad():
            before = model.model(input_ids=ids, output_hidden_states=True).hidden_states
            with steer(model, plan):
                after = model.model(input_ids=ids, output_hidden_states=True).hidden_states
        moved = (after[3] - before[3])[0].numpy()
        np.testing.assert_allclose(moved, np.broadcast_to(vector(model.width, 0, 20.0), moved.shape), atol=1e-4)


class TestPositions:
    """Invariant 4: prompt and generated tokens are told apart by position."""

    @pytest.mark.parametrize("scope", ["all", "prompt", "generated", "last-prompt"])
    @pytest.mark.parametrize("prompt", ["Y", "If you were in my place, what would you do?"])
    def test_each_scope_steers_its_positions(self, model: SteeredModel, scope: ScopeKind, prompt: str) -> None:
        ids = model.token_ids(prompt, special=False)
        assert (len(ids) == 1) == (prompt == "Y")
        end = len(ids)
        covers = {
            "all": lambda _: True,
            "prompt": lambda position: position < end,
            "generated": lambda position: position >= end,
            "last-prompt": lambda position: position == end - 1,
        }[scope]
        values = vector(model.width, 0, 20.0)
        expected = plain_greedy(model, ids, 8, layer=1, vector=values, steers=covers)
        plan = SteerPlan((add(model, 1, scope=TokenScope(scope)),))
        rows = [GenerationRow(text, plan, max_new_tokens=8, special=False) for text in (prompt, prompts(5)[4])]
        for batch_size in (1, 2):  # alone, a prompt of one token is a first pass of length 1
            assert list(generate(model, rows, batch_size)[0].token_ids) == expected

    def test_scopes_differ(self, model: SteeredModel) -> None:
        """By likelihoods: a model of random weights may repeat one token whatever is done to it."""
        prompt = question(model)
        plans = [
            SteerPlan((add(model, 1, norm=40.0, scope=TokenScope(kind)),))
            for kind in ("all", "prompt", "generated", "last-prompt")
        ]
        scores = model.loglikelihoods([LoglikelihoodRow(prompt, " yes it is so", plan) for plan in plans])
        assert len({round(score.logprob, 3) for _, score in scores}) == len(plans)

    def test_cached_decoding_equals_recomputation(self, model: SteeredModel) -> None:
        rows = mixed_rows(model, 20)
        cached = generate(model, rows)
        model.use_cache = False
        try:
            assert generate(model, rows) == cached
        finally:
            model.use_cache = True


class TestPadding:
    """Invariant 6: padding never enters anything."""

    def test_what_stands_on_padding_is_never_read(self, model: SteeredModel) -> None:
        """Hidden states, scores and text stay the same when the padding id changes."""
        texts = prompts(6)
        plans = mixed_plans(model)
        rows = [GenerationRow(text, plan) for text, plan in zip(texts, plans, strict=False)]
        reads = [TextRow(text, plan) for text, plan in zip(texts, plans, strict=False)]
        before = generate(model, rows), model.capture(reads, [1, 3], reduce="mean")
        old, model.codec.pad_id = model.codec.pad_id, 17
        try:
            after = generate(model, rows), model.capture(reads, [1, 3], reduce="mean")
        finally:
            model.codec.pad_id = old
        assert after[0] == before[0]
        assert np.array_equal(after[1], before[1])

    @pytest.mark.parametrize("reduce", ["last", "mean", "none"])
    def test_states_are_those_of_the_row_alone(self, model: SteeredModel, reduce: Any) -> None:
        rows = [TextRow(text) for text in prompts(8)]
        layers = [0, model.n_layers - 1]
        together = model.capture(rows, layers, reduce=reduce)
        # Linear attention solves a system for each chunk of 64 tokens, and padding moves the chunks' borders.
        linear = "linear_attention" in (getattr(model.model.config, "layer_types", None) or ())
        tolerance = 5e-3 if linear else 2e-4
        for i, row in enumerate(rows):
            alone = model.capture([row], layers, reduce=reduce)[0]
            np.testing.assert_allclose(together[i], alone, atol=tolerance)
