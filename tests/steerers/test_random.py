from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.steerers.states import context, request, value
from tests.steerers.test_iti import heads_context
from valuebench_harness.engine.intervention import Intervention
from valuebench_harness.engine.model import SteeredModel
from valuebench_harness.engine.plan import SteerPlan
from valuebench_harness.engine.rows import TextRow
from valuebench_harness.errors import UsageError
from valuebench_harness.steerers.base import FitContext, Steered, Steerer
from valuebench_harness.steerers.random import Random, Settings, random_like
from valuebench_harness.steerers.registry import make_steerer


def plans(name: str, settings: dict[str, Any] | None = None, strength: float = 1.0) -> tuple[SteerPlan, SteerPlan]:
    """The plan of a method and of the random one that stands in for it."""
    inner, control = make_steerer(name), make_steerer(f"random:{name}", settings)
    artifact = inner.fit(heads_context() if name == "iti" else context(gap=8.0))
    asked = request(strength)
    return inner.plan(asked, artifact).plan, control.plan(asked, artifact).plan


def vector(step: Intervention, name: str) -> np.ndarray:
    found: Any = step.params[name]
    array: np.ndarray = found.array
    return array


@pytest.mark.parametrize("name", ["caa", "repe", "iti"])
def test_same_places_tokens_norms_another_direction(name: str) -> None:
    inner, control = plans(name, strength=2.5)
    assert len(inner.interventions) == len(control.interventions) > 0
    for own, other in zip(inner.interventions, control.interventions, strict=True):
        assert replace(other, params=own.params) == own
        a, b = vector(own, "vector"), vector(other, "vector")
        assert np.linalg.norm(b) == pytest.approx(np.linalg.norm(a), rel=1e-6)
        assert np.array_equal(a != 0, b != 0), "a vector that touches some heads only is replaced on those"
        assert abs(a @ b) < 0.95 * np.linalg.norm(a) ** 2


def test_one_vector_at_several_scopes_is_replaced_by_one() -> None:
    """`iti` adds the same shift at the last prompt token and at every generated one."""
    _, control = plans("iti")
    for _, group in itertools.groupby(control.interventions, key=lambda step: step.layer):
        assert len({step.params["vector"] for step in group}) == 1


@pytest.mark.parametrize(("name", "kind"), [("conva", "minimal-shift-along"), ("ablate", "ablate-along")])
def test_steps_that_depend_on_the_state_are_copied(name: str, kind: str) -> None:
    inner, control = plans(name)
    for own, other in zip(inner.interventions, control.interventions, strict=True):
        assert other.kind == kind
        assert {k: v for k, v in other.params.items() if k != "along"} == dict(own.params)


def test_beside_conva_each_tokens_epsilon(model: SteeredModel, real_context: Callable[..., FitContext]) -> None:
    """At the first steered layer, where both start from the same states, every token moves equally far."""
    inner, control = (make_steerer(n, {"conva.min_accuracy": 0.0}) for n in ("conva", "random:conva"))
    artifact = inner.fit(real_context(layers=(1,)))
    text = "Nobody told the children that the bridge was closed."
    before, own, other = (
        model.capture([TextRow(text, plan)], [1], reduce="none")[0][:, 0].astype(float)
        for plan in (SteerPlan(), *(s.plan(request(3.0), artifact).plan for s in (inner, control)))
    )
    steps = np.linalg.norm(own - before, axis=1)
    assert (steps > 1e-3).sum() > 2
    assert np.linalg.norm(other - before, axis=1) == pytest.approx(steps, abs=1e-4)
    moved = (other - before)[steps > 1e-3]
    unit = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    assert np.abs(unit @ unit[0]) == pytest.approx(1, abs=1e-4)


def test_draws() -> None:
    caa = make_steerer("caa")
    artifact, asked = caa.fit(context()), request()

    def drawn(settings: dict[str, Any]) -> np.ndarray:
        control = Random(Settings(**settings), inner=caa)
        return vector(control.plan(asked, artifact).plan.interventions[0], "vector")

    assert np.array_equal(drawn({}), drawn({"draw": 0, "seed": 0}))
    many = np.stack([drawn({"draw": draw}) for draw in range(300)])
    many /= np.linalg.norm(many, axis=1, keepdims=True)
    cosines = (many @ many.T)[np.triu_indices(300, 1)]
    # Independent directions of 12 dimensions: the mean cosine is 0, its square 1/12.
    assert abs(cosines.mean()) < 0.01
    assert np.mean(cosines**2) == pytest.approx(1 / 12, rel=0.05)
    assert not np.array_equal(drawn({"seed": 1}), drawn({"draw": 1}))


def test_a_draw_depends_on_the_value_and_not_on_strength_or_direction() -> None:
    control = make_steerer("random:caa")
    artifact = control.fit(context())
    steps = [
        control.plan(asked, artifact).plan.interventions[0]
        for asked in (request(1), request(3), request(1, "negative"), replace(request(1), value=value("power")))
    ]
    assert [s.coefficient for s in steps] == [1, 3, -1, 1]
    assert steps[0].params == steps[1].params == steps[2].params != steps[3].params


def test_what_it_takes_over_from_the_method() -> None:
    control = make_steerer("random:ablate")
    assert control.name == "random:ablate"
    with pytest.raises(UsageError, match="between 0"):
        control.check_strength(2)
    conva = make_steerer("random:conva")
    assert (conva.default_strength, conva.default_gate) == (1.3, "probe")
    (part,) = conva.parts
    assert part.name == "conva"
    for off in (request(0.0), request(gate_open=False)):
        assert conva.plan(off, part.fit(context(gap=8.0))) == Steered(off.messages)


def test_a_clamped_feature_keeps_its_encoder() -> None:
    params: Any = {"encoder": [1.0, 0, 0], "decoder": [0.0, 3, 4], "bias": 0.0, "threshold": 0.0, "target": 9.0}
    frozen = {k: _frozen(v) if isinstance(v, list) else v for k, v in params.items()}
    clamp = Intervention("sae-clamp", 2, frozen, coefficient=0.5)
    (step,) = Random(inner=Planned(clamp)).plan(request(), None).plan.interventions
    assert {k: v for k, v in step.params.items() if k != "decoder"} == {
        k: v for k, v in frozen.items() if k != "decoder"
    }
    assert np.linalg.norm(vector(step, "decoder")) == pytest.approx(5.0)


def test_what_has_no_direction_to_replace() -> None:
    with pytest.raises(UsageError, match="'random:ica' does not exist: 'ica' rewrites the prompt"):
        make_steerer("random:ica")
    own = Intervention("my-kind/1", 0, {"direction": _frozen([1.0])})
    with pytest.raises(UsageError, match=r"'planned' steers by the kind 'my-kind/1'.*Known kinds: ablate, add"):
        Random(inner=Planned(own)).plan(request(), None)


def test_a_zero_vector_stays_zero() -> None:
    assert not random_like(_frozen([0.0, 0.0]), "any").array.any()


def _frozen(values: list[float]) -> Any:
    from valuebench_harness.engine.arrays import FrozenArray

    return FrozenArray(values)


class Planned(Steerer[Any]):
    """Does one given step."""

    name = "planned"
    source = "test"

    def __init__(self, step: Intervention) -> None:
        super().__init__()
        self.step = step

    def plan(self, request: Any, artifact: Any) -> Steered:
        return Steered(request.messages, SteerPlan((self.step,)))
