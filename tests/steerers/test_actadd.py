from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from tests.steerers.states import request
from tests.support.numpy_models import Array, numpy_logits
from valuebench_harness.engine.intervention import Site
from valuebench_harness.engine.model import SteeredModel
from valuebench_harness.engine.steer import steer
from valuebench_harness.errors import UsageError
from valuebench_harness.steerers.actadd import aligned
from valuebench_harness.steerers.base import FitContext
from valuebench_harness.steerers.registry import make_steerer

Contexts = Callable[..., FitContext]
LONG, SHORT = "Power is pleasant and heavy", "Power is rare"


def states_of(model: SteeredModel, text: str, layer: int) -> Array:
    seen: list[Array] = []

    def read(here: int, site: Site, states: Array) -> Array:
        if (here, site) == (layer, "block"):
            seen.append(states)
        return states

    numpy_logits(model, model.token_ids(text, special=True), read)
    return seen[0]


def test_each_row_is_added_to_its_own_token(model: SteeredModel, real_context: Contexts) -> None:
    """Algorithm 1 of Turner et al. in numpy: pad with spaces, subtract, add to the first tokens of the prompt."""
    layer, padded = 1, SHORT
    while len(model.token_ids(padded, special=True)) < len(model.token_ids(LONG, special=True)):
        padded += " "
    rows = states_of(model, LONG, layer) - states_of(model, padded, layer)
    steerer = make_steerer("actadd", {"positive": LONG, "negative": SHORT})
    artifact = steerer.fit(real_context(layers=(layer,)))
    plan = steerer.plan(request(3.0), artifact).plan
    ids = model.token_ids("They asked whether the old custom should be kept or dropped.", special=True)
    assert len(ids) > len(rows)

    def change(here: int, site: Site, states: Array) -> Array:
        moved = states.copy()
        if (here, site) == (layer, "block"):
            moved[: len(rows)] += 3.0 * rows
        return moved

    with torch.no_grad(), steer(model, plan) as module:
        steered = module(input_ids=torch.tensor([ids])).logits[0].double().numpy()
    np.testing.assert_allclose(steered, numpy_logits(model, ids, change), atol=2e-3)
    assert np.abs(steered - numpy_logits(model, ids, lambda _, __, states: states)).max() > 0.1
    positions = [step.scope.position for step in plan.interventions]
    assert 0 not in positions, "both prompts start with the same BOS: nothing to add there"
    assert positions == sorted(int(i) for i in np.flatnonzero(np.abs(rows).max(axis=1) > 1e-9))


def test_the_mean_of_the_rows_that_differ_everywhere(model: SteeredModel, real_context: Contexts) -> None:
    steerer = make_steerer("actadd", {"positive": LONG, "negative": SHORT, "placement": "mean"})
    ctx = real_context(layers=(2, 1))
    artifact = steerer.fit(ctx)
    longer, shorter = aligned(ctx.states, LONG, SHORT)
    rows = (longer - shorter)[:, 2]
    differing = rows[np.abs(longer - shorter).max(axis=(1, 2)) > 0]
    first, second = steerer.plan(request(2, "negative"), artifact).plan.interventions
    assert (first.layer, second.layer, second.coefficient, second.scope.kind) == (1, 2, -2.0, "all")
    vector: Any = second.params["vector"]
    assert vector.array == pytest.approx(differing.mean(axis=0), abs=1e-5)


def test_padding_makes_the_prompts_even(model: SteeredModel, real_context: Contexts) -> None:
    states = real_context().states
    for one, two in ((LONG, SHORT), (SHORT, LONG), (SHORT, SHORT)):
        a, b = aligned(states, one, two)
        assert a.shape == b.shape == (len(model.token_ids(LONG if LONG in (one, two) else SHORT, special=True)), 5, 32)


def test_where_the_prompts_come_from(model: SteeredModel, real_context: Contexts) -> None:
    def vectors(settings: dict[str, Any], **wording: str) -> np.ndarray:
        artifact = make_steerer("actadd", settings).fit(real_context(**wording))
        assert artifact is not None
        assert artifact.meta.layers == (0,), "6 of 48 layers' input is the output of the one before"
        return artifact.arrays["vectors"]

    default = vectors({})
    assert np.array_equal(default, vectors({"positive": "I love {name}", "negative": "I hate security"}))
    lent = vectors({}, positive="Weigh safety.", negative="Weigh nothing.")
    assert np.array_equal(lent, vectors({"positive": "Weigh safety.", "negative": "Weigh nothing."}))
    assert not np.array_equal(lent, default)


def test_prompts_that_are_one_are_an_error(real_context: Contexts) -> None:
    with pytest.raises(UsageError, match="the prompts 'Yes' and 'Yes' are the same to tiny"):
        make_steerer("actadd", {"positive": "Yes", "negative": "Yes"}).fit(real_context())
