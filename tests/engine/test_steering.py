"""The compiled batch against one token at a time."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from valuebench_harness.engine.arrays import FrozenArray
from valuebench_harness.engine.intervention import Intervention, Param, ScopeKind, TokenScope
from valuebench_harness.engine.layout import Layout
from valuebench_harness.engine.plan import EMPTY, SteerPlan
from valuebench_harness.engine.scopes import Columns
from valuebench_harness.engine.steering import Steering, Target, Window
from valuebench_harness.errors import UsageError

WIDTH = 4
BLOCKS = tuple(nn.Identity() for _ in range(3))
LAYOUT = Layout("blocks", BLOCKS, (None,) * 3, BLOCKS, (None,) * 3, WIDTH, None)

kinds: st.SearchStrategy[ScopeKind] = st.sampled_from(["all", "prompt", "generated", "last-prompt"])
scopes = kinds.map(TokenScope)
vectors = st.integers(0, 3).map(lambda seed: FrozenArray(np.random.default_rng(seed).normal(size=WIDTH)))
additions = st.builds(
    lambda vector, scope, c: Intervention("add", 1, {"vector": vector}, scope=scope, coefficient=c),
    vectors,
    scopes,
    st.sampled_from([-2.0, 0.0, 0.5, 1.0]),
)
shifts = st.builds(
    lambda w, scope, kind: Intervention(kind, 1, {"w": w, "b": 0.1, "logit_p0": 1.0, "sign": 1.0}, scope=scope),
    vectors,
    scopes,
    st.sampled_from(["minimal-shift", "minimal-shift-prompt"]),
)
plans = st.lists(additions | shifts, max_size=4).map(lambda found: SteerPlan(tuple(found)))
rows = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 4), plans), min_size=1, max_size=5)


def values(item: Intervention, name: str) -> np.ndarray:
    array = item.params[name]
    assert isinstance(array, FrozenArray)
    return array.array


def one_by_one(states: np.ndarray, plan: SteerPlan, n_prompt: int) -> np.ndarray:
    """One row without padding: every intervention in turn, every token in turn."""
    states = states.astype(np.float64)
    for item in plan.interventions:
        anchor = states[n_prompt - 1].copy()
        for position in range(len(states)):
            covered = {
                "all": True,
                "prompt": position < n_prompt,
                "generated": position >= n_prompt,
                "last-prompt": position == n_prompt - 1,
            }[item.scope.kind]
            if not covered or item.coefficient == 0:
                continue
            if item.kind == "add":
                states[position] += item.coefficient * values(item, "vector")
                continue
            w = values(item, "w").astype(np.float64)
            source = states[position] if item.kind == "minimal-shift" else anchor
            missing = 1.0 - (w @ source + 0.1)
            if missing > 0:
                states[position] += missing / (w @ w) * w
    return states


@settings(deadline=None)
@given(rows, st.integers(0, 3), st.integers(1, 3), st.integers(0, 2**31))
def test_any_batch_in_any_passes_equals_one_token_at_a_time(
    shapes: list[tuple[int, int, SteerPlan]], n_decoded: int, stride: int, seed: int
) -> None:
    """A first pass, then decoding in strides, of rows with different prompts, lengths and plans."""
    columns = Columns.left_padded([[5] * (p + g) for p, g, _ in shapes], [g for _, g, _ in shapes], pad=0)
    total = columns.width + n_decoded
    states = np.random.default_rng(seed).normal(size=(len(shapes), total, WIDTH)).astype(np.float32)
    steering = Steering([plan for _, _, plan in shapes], columns, LAYOUT)
    target = Target(1, "block")
    out = torch.from_numpy(states.copy())
    bounds = [0, *range(columns.width, total, stride), total]
    for start, end in pairwise(bounds):
        steering.window = Window(start, end - start)
        if target in steering.targets:
            given_states = out[:, start:end].clone()
            out[:, start:end] = steering.apply(target, given_states)
            assert torch.equal(given_states, torch.from_numpy(states[:, start:end])), "the argument was changed"
    for row, (p, g, plan) in enumerate(shapes):
        pad = columns.width - p - g
        assert np.array_equal(out[row, :pad].numpy(), states[row, :pad]), "padding was changed"
        np.testing.assert_allclose(out[row, pad:].numpy(), one_by_one(states[row, pad:], plan, p), atol=1e-4)
        if plan.is_empty:
            assert np.array_equal(out[row].numpy(), states[row])


def steering_of(*interventions: Intervention) -> Steering:
    return Steering([SteerPlan(interventions)], Columns.left_padded([[1, 2, 3]], [0], pad=0), LAYOUT)


def test_states_that_overflow_are_an_error() -> None:
    steering = steering_of(Intervention("add", 1, {"vector": FrozenArray([7e4] * WIDTH)}))
    steering.apply(Target(1, "block"), torch.zeros(1, 3, WIDTH, dtype=torch.bfloat16))
    steering.check_finite()
    steering.apply(Target(1, "block"), torch.zeros(1, 3, WIDTH, dtype=torch.float16))
    with pytest.raises(UsageError, match=r"range of float16 at layer 1 \(block\).* --dtype float32"):
        steering.check_finite()
    steering = steering_of(Intervention("add", 1, {"vector": FrozenArray([3e38] * WIDTH)}))
    steering.apply(Target(1, "block"), torch.full((1, 3, WIDTH), 3e38))
    with pytest.raises(UsageError, match=r"range of float32 at layer 1 \(block\). Lower the strength.$"):
        steering.check_finite()


def test_half_precision_is_computed_in_single() -> None:
    """256 + 0.5 is not a bfloat16, and 256 + 0.5 - 256 is not 0.5 if every step rounds."""
    states = torch.full((1, 3, WIDTH), 1.0, dtype=torch.bfloat16)
    w = FrozenArray([1000.0, 0, 0, 0])
    steering = steering_of(Intervention("minimal-shift", 1, {"w": w, "b": -999.0, "logit_p0": 2.0, "sign": 1.0}))
    out = steering.apply(Target(1, "block"), states)
    assert out.dtype == torch.bfloat16
    assert torch.equal(out, states)  # 1.001 rounds back to 1; in bfloat16 the logit 1000 - 999 would be 0 or 4.


def test_the_anchor_needs_the_whole_prompt_in_one_pass() -> None:
    params: dict[str, Param] = {"w": FrozenArray([1.0] * WIDTH), "b": 0.0, "logit_p0": 1.0, "sign": 1.0}
    steering = steering_of(Intervention("minimal-shift-prompt", 1, params))
    steering.window = Window(0, 2)
    with pytest.raises(UsageError, match="whole prompt in one forward pass"):
        steering.apply(Target(1, "block"), torch.zeros(1, 2, WIDTH))


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (SteerPlan((Intervention("ad", 0, {}),)), "Unknown intervention kind 'ad'. Did you mean 'add'"),
        (SteerPlan((Intervention("add", 3, {"vector": FrozenArray([0.0] * 4)}),)), "Layer 3 is out of range"),
        (SteerPlan((Intervention("add", 0, {"vector": FrozenArray([0.0] * 5)}),)), "has 5 values, the model takes 4"),
        (SteerPlan((Intervention("add", 0, {"w": FrozenArray([0.0] * 4)}),)), r"takes the parameters \['vector'\]"),
        (
            SteerPlan((Intervention("add", 0, {"vector": FrozenArray([0.0] * 4)}, site="attention"),)),
            "no 'attention' module",
        ),
    ],
)
def test_a_plan_that_does_not_fit_is_an_error(plan: SteerPlan, message: str) -> None:
    columns = Columns.left_padded([[1], [1]], [0, 0], pad=0)
    with pytest.raises(UsageError, match=message):
        Steering([EMPTY, plan], columns, LAYOUT)
