"""steer(...) around calls that are not the engine's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.support.plans import PHRASE, add, plain_greedy, prompts, shift, vector
from valuebench_harness.engine.arrays import FrozenArray
from valuebench_harness.engine.intervention import Intervention, TokenScope
from valuebench_harness.engine.model import SteeredModel
from valuebench_harness.engine.plan import SteerPlan
from valuebench_harness.engine.rows import GenerationRow
from valuebench_harness.engine.steer import steer
from valuebench_harness.errors import UsageError

TEXTS = prompts(6)


def engine(model: SteeredModel, plan: SteerPlan, n: int = 10) -> list[list[int]]:
    rows = [GenerationRow(text, plan, max_new_tokens=n) for text in TEXTS]
    found = dict(model.generate(rows))
    return [list(found[i].token_ids) for i in range(len(rows))]


def own_generate(model: SteeredModel, **settings: Any) -> list[list[int]]:
    batch = model.tokenizer(TEXTS, padding=True, padding_side="left", return_tensors="pt")
    generate: Any = model.model.generate
    out = generate(
        batch["input_ids"], attention_mask=batch["attention_mask"], max_new_tokens=10, do_sample=False, **settings
    )
    texts = []
    for row in out[:, batch["input_ids"].shape[1] :].tolist():
        ends = [i for i, token in enumerate(row) if token in model.codec.eos_ids]
        texts.append(row[: ends[0] + 1] if ends else row)
    return texts


SCOPES = [TokenScope("all"), TokenScope("prompt"), TokenScope("generated"), TokenScope("last-prompt")]


@pytest.mark.parametrize("scope", SCOPES, ids=lambda scope: scope.kind)
@pytest.mark.parametrize("settings", [{}, {"use_cache": False}, {"cache_implementation": "static"}], ids=str)
def test_it_equals_the_engine(model: SteeredModel, scope: TokenScope, settings: dict[str, Any]) -> None:
    plan = SteerPlan((add(model, 1, scope=scope), shift(model, 2), shift(model, 3, kind="minimal-shift-prompt")))
    base = own_generate(model)
    with steer(model.model, plan):
        steered = own_generate(model, **settings)
    assert steered == engine(model, plan)
    assert steered != base
    assert own_generate(model) == base


def test_beams_are_steered_from_the_right_position(llama: SteeredModel) -> None:
    """A beam is a row that may change places with others of its prompt; with or without a cache."""
    plan = SteerPlan((add(llama, 1, scope=TokenScope("generated")), shift(llama, 2, kind="minimal-shift-prompt")))
    base = own_generate(llama, num_beams=3)
    with steer(llama, plan):
        cached = own_generate(llama, num_beams=3)
        uncached = own_generate(llama, num_beams=3, use_cache=False)
    assert cached == uncached
    assert cached != base
    assert cached != engine(llama, plan)


def test_several_calls_in_one_block_each_start_with_their_prompt(llama: SteeredModel) -> None:
    plan = SteerPlan((add(llama, 1, scope=TokenScope("prompt")),))
    with steer(llama, plan) as module:
        assert module is llama.model
        first, second = own_generate(llama), own_generate(llama)
    assert first == second == engine(llama, plan)


def test_phrases_are_found_in_the_ids(llama: SteeredModel) -> None:
    text = TEXTS[1]
    ids = llama.token_ids(text, special=True)
    plan = SteerPlan((add(llama, 1, scope=TokenScope("phrase", PHRASE)),))
    values = vector(llama.width, 0, 20.0)
    ends = [len(llama.codec.decode(ids[: i + 1])) for i in range(len(ids))]
    start = llama.codec.decode(ids).index(PHRASE)
    inside = {i for i, end in enumerate(ends) if end > start and (ends[i - 1] if i else 0) < start + len(PHRASE)}
    assert len(inside) >= 2
    expected = plain_greedy(llama, ids, 10, layer=1, vector=values, steers=inside.__contains__)
    with steer(llama, plan), torch.no_grad():
        generate: Any = llama.model.generate
        out = generate(torch.tensor([ids]), max_new_tokens=10, do_sample=False)
    assert out[0, len(ids) :].tolist() == expected
    with steer(llama.model, plan), pytest.raises(UsageError, match="tokenizer="):
        own_generate(llama)
    with steer(llama, plan), pytest.raises(UsageError, match="is not in every prompt"):
        llama.model(input_ids=torch.tensor([llama.token_ids("no such words", special=True)]))


def test_right_padding_is_not_steered(llama: SteeredModel) -> None:
    plan = SteerPlan((add(llama, 1, scope=TokenScope("last-prompt")),))
    batch = llama.tokenizer(TEXTS, padding=True, padding_side="right", return_tensors="pt")
    with torch.no_grad(), steer(llama, plan):
        logits = llama.model(**batch).logits
        for i, text in enumerate(TEXTS):
            alone = llama.model(input_ids=torch.tensor([llama.token_ids(text, special=True)])).logits[0]
            np.testing.assert_allclose(logits[i, : len(alone)], alone, atol=1e-3)


def test_nested_blocks_both_apply(llama: SteeredModel) -> None:
    one, two = add(llama, 1, seed=1), add(llama, 2, seed=2)
    with steer(llama, SteerPlan((one,))), steer(llama, SteerPlan((two,))):
        nested = own_generate(llama)
    assert nested == engine(llama, SteerPlan((one, two)))
    assert nested != engine(llama, SteerPlan((two,)))


def test_an_exception_inside_the_block_leaves_no_trace(llama: SteeredModel) -> None:
    base = own_generate(llama)
    steered: list[list[int]] = []

    def fail() -> None:
        with steer(llama, SteerPlan((add(llama, 1),))):
            steered.extend(own_generate(llama))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert steered != base
    assert own_generate(llama) == base


def test_a_model_without_known_blocks_needs_their_name(llama: SteeredModel) -> None:
    class Odd(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            # Fewer than the configuration has layers, so that they do not look like all of the decoder's blocks.
            self.trunk = torch.nn.ModuleDict({"parts": llama.model.model.layers[:3]})
            self.config = llama.model.config

    plan = SteerPlan((Intervention("add", 0, {"vector": FrozenArray(np.ones(llama.width))}),))
    with pytest.raises(UsageError, match=r"--blocks model.layers; its module lists: trunk.parts"), steer(Odd(), plan):  # type: ignore[arg-type]
        pass
