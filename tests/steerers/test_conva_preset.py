"""ConVA with the thresholds that its paper publishes."""

from __future__ import annotations

import math
from typing import Any

import pytest
from scipy.special import logit

from tests.steerers.states import context, request, value
from valuebench_harness.data.values import load_value_system
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.conditions import shipped_strength
from valuebench_harness.harness.config import make_config
from valuebench_harness.harness.plan import make_method, make_plan
from valuebench_harness.steerers.base import Steerer
from valuebench_harness.steerers.conva import logit_p0
from valuebench_harness.steerers.registry import make_steerer
from valuebench_harness.steerers.table16 import TABLE_16

PRESET = {"preset": "table16"}


def test_the_table_covers_the_ten_values() -> None:
    assert set(TABLE_16) == set(load_value_system("schwartz").ids)
    assert all(0.88 <= row.p0 <= 0.975 and 0.007 <= row.g0 <= 0.6 for row in TABLE_16.values())


@pytest.mark.parametrize("name", TABLE_16)
def test_a_strength_is_the_published_p0(name: str) -> None:
    conva: Steerer[Any] = make_steerer("conva", PRESET)
    strength = conva.preset_strength(name)
    assert strength is not None
    assert 1 - 0.1**strength == pytest.approx(TABLE_16[name].p0, abs=1e-12)
    assert logit_p0(strength) == pytest.approx(float(logit(TABLE_16[name].p0)), rel=1e-9)


def test_interventions_aim_at_the_published_p0() -> None:
    conva: Steerer[Any] = make_steerer("conva", PRESET)
    artifact = conva.fit(context())
    strength = conva.preset_strength(value().id)
    assert strength is not None
    plan = conva.plan(request(strength), artifact).plan
    assert plan.interventions
    for intervention in plan.interventions:
        assert intervention.params["logit_p0"] == pytest.approx(math.log(0.975 / 0.025), rel=1e-9)


def test_the_preset_goes_before_shipped_strengths_and_a_named_one_before_it() -> None:
    conva: Steerer[Any] = make_steerer("conva", PRESET)
    for model in ("mini", "llama2"):
        assert shipped_strength(model, conva, "security") == TABLE_16["security"].strength
        assert (
            shipped_strength(model, make_steerer("ica-negative+conva", PRESET), "power") == TABLE_16["power"].strength
        )
    plan = make_plan(make_config(steerer="conva", settings=PRESET, gate="none", values=("power", "hedonism"), limit=1))
    assert {c.value: c.strength for c in plan.conditions if c.value} == {
        name: TABLE_16[name].strength for name in ("power", "hedonism")
    }
    named = make_plan(make_config(steerer="conva", settings=PRESET, values=("power",), strength="3", limit=1))
    assert {c.strength for c in named.conditions if c.value} == {3.0}


def test_the_preset_brings_the_papers_gate() -> None:
    assert make_method(make_config(steerer="conva", settings=PRESET)).gate == "deberta"
    assert make_method(make_config(steerer="conva", settings=PRESET, gate="probe")).gate == "probe"
    assert make_method(make_config(steerer="conva")).gate == "probe"


def test_what_the_table_lacks_is_an_error_in_words() -> None:
    conva: Steerer[Any] = make_steerer("conva", PRESET)
    with pytest.raises(UsageError, match=r"Unknown value of ConVA's Table 16 'thrift'.*name a --strength"):
        conva.preset_strength("thrift")
    with pytest.raises(UsageError, match="preset"):
        make_steerer("conva", {"preset": "table17"})
