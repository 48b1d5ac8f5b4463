from __future__ import annotations

import subprocess
import sys
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from valuebench_harness.engine.adapter import Adapter, LowRankUpdate, ScaledAdapter
from valuebench_harness.engine.arrays import FrozenArray
from valuebench_harness.engine.intervention import Intervention, ScopeKind, Site, TokenScope
from valuebench_harness.engine.plan import EMPTY, SteerPlan
from valuebench_harness.errors import UsageError

finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
arrays = npst.arrays(np.float32, npst.array_shapes(max_dims=2, max_side=5), elements=finite).map(FrozenArray)
kinds: st.SearchStrategy[ScopeKind] = st.sampled_from(["all", "prompt", "generated", "last-prompt"])
phrases = st.text(min_size=1).map(lambda text: TokenScope("phrase", text))
positions = st.integers(0, 99).map(lambda number: TokenScope("position", position=number))
scopes = kinds.map(TokenScope) | phrases | positions
interventions = st.builds(
    Intervention,
    kind=st.sampled_from(["add", "minimal-shift"]),
    layer=st.integers(0, 99),
    params=st.dictionaries(st.sampled_from("abc"), arrays | finite, max_size=3),
    site=st.sampled_from(get_args(Site)),
    scope=scopes,
    coefficient=finite,
)
matrices = npst.arrays(np.float32, (2, 2), elements=finite).map(FrozenArray)
adapters = st.builds(
    ScaledAdapter,
    st.builds(Adapter, st.text(), st.tuples(st.builds(LowRankUpdate, st.text(), matrices, matrices))),
    finite,
)
plans = st.builds(SteerPlan, st.lists(interventions, max_size=3).map(tuple), st.lists(adapters, max_size=2).map(tuple))


@given(plans)
def test_a_plan_survives_json(plan: SteerPlan) -> None:
    again = SteerPlan.from_json(plan.to_json())
    assert again == plan
    assert hash(again) == hash(plan)
    assert again.digest == plan.digest


@given(plans, plans)
def test_digests_tell_plans_apart(one: SteerPlan, other: SteerPlan) -> None:
    assert (one.digest == other.digest) == (one == other)


def test_the_order_of_parameters_does_not_matter_and_later_changes_do_not_reach_a_plan() -> None:
    values = np.ones(3, dtype=np.float32)
    one = Intervention("add", 0, {"a": 1.0, "b": FrozenArray(values)})
    other = Intervention("add", 0, {"b": FrozenArray(values), "a": 1.0})
    assert one == other
    assert one.digest == other.digest
    values[0] = 9
    assert one == other
    array = one.params["b"]
    assert isinstance(array, FrozenArray)
    with pytest.raises(ValueError, match="read-only"):
        array.array[0] = 9


def test_shape_is_part_of_an_array() -> None:
    assert FrozenArray(np.array([[1.0, 2.0]])) != FrozenArray([1.0, 2.0])


def test_coefficient_0_and_scale_0_are_empty() -> None:
    zero = SteerPlan((Intervention("add", 0, {}, coefficient=0.0),))
    assert EMPTY.is_empty
    assert zero.is_empty
    adapter = Adapter("lora", (LowRankUpdate("q", FrozenArray(np.ones((1, 1))), FrozenArray(np.ones((1, 1)))),))
    assert SteerPlan(adapters=(ScaledAdapter(adapter, 0.0),)).is_empty
    assert not SteerPlan(adapters=(ScaledAdapter(adapter, 0.5),)).is_empty


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FrozenArray([1.0, float("nan")]), "not finite"),
        (lambda: FrozenArray(["a"]), "no array of numbers"),  # type: ignore[list-item]
        (lambda: Intervention("add", -1, {}), "Layer -1"),
        (lambda: Intervention("add", 0, {}, site="head"), "Unknown site 'head'"),  # type: ignore[arg-type]
        (lambda: Intervention("add", 0, {}, coefficient=float("inf")), "not finite"),
        (lambda: Intervention("add", 0, {"b": float("nan")}), "Parameter 'b'"),
        (lambda: TokenScope("everything"), "Unknown token scope"),  # type: ignore[arg-type]
        (lambda: TokenScope("phrase"), "'phrase' needs one"),
        (lambda: TokenScope("all", "x"), "'phrase' needs one"),
        (lambda: TokenScope("position"), "'position' needs a number >= 0"),
        (lambda: TokenScope("position", position=-1), "'position' needs a number >= 0"),
        (lambda: TokenScope("prompt", position=1), "others take none"),
        (lambda: SteerPlan.from_json("{"), "no JSON"),
        (lambda: SteerPlan.from_json("{}"), "malformed"),
        (lambda: SteerPlan.from_json('{"interventions": [{"kind": "add"}], "adapters": []}'), "malformed"),
    ],
)
def test_bad_input_is_named(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(UsageError, match=message):
        make()


def test_plans_and_rows_are_data_and_import_no_torch() -> None:
    code = (
        "import sys, valuebench_harness.engine as e\n"
        "e.SteerPlan, e.Intervention, e.FrozenArray, e.GenerationRow\n"
        "print([m for m in ('torch', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_negative_zero_is_zero() -> None:
    """Equal plans have one digest, whatever the sign of a zero."""
    one, other = (Intervention("add", 0, {"a": zero}, coefficient=zero) for zero in (0.0, -0.0))
    assert one == other
    assert one.digest == other.digest
