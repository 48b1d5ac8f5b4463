from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.steerers.states import context, request
from valuebench_harness.errors import UsageError
from valuebench_harness.steerers.registry import make_steerer


def fit(settings: dict[str, Any] | None = None, **more: Any) -> Any:
    artifact = make_steerer("ablate", settings).fit(context(**more))
    assert artifact is not None
    return artifact


def test_the_direction_is_the_mean_difference_of_the_best_layer() -> None:
    artifact = fit(n=100, gap=[0, 0, 0, 6, 0, 0, 0, 9])
    assert artifact.meta.settings["source"] == 3, "layer 7 is among the last fifth, which the paper leaves out"
    assert set(artifact.meta.accuracy) == set(range(6))
    assert artifact.meta.accuracy[3] > 0.9 > max(artifact.meta.accuracy[layer] for layer in (0, 1, 2, 4, 5))
    positive, negative = context(n=100, gap=[0, 0, 0, 6, 0, 0, 0, 9]).labelled_states()
    gap = (positive[:, 3] - negative[:, 3]).astype(float).mean(axis=0)
    unit = gap / np.linalg.norm(gap)
    assert artifact.arrays["direction"] == pytest.approx(unit[None], abs=1e-5)
    middle = (positive.mean(axis=0) + negative.mean(axis=0)) @ unit / 2
    assert artifact.arrays["middle"] == pytest.approx(middle, abs=1e-4)


def test_another_source_and_fewer_layers() -> None:
    artifact = fit({"source": 6}, layers=(2, 4))
    assert artifact.meta.settings["source"] == 6
    assert artifact.meta.layers == (2, 4)
    assert fit().meta.layers == tuple(range(8)), "everywhere, as in the paper"
    with pytest.raises(UsageError, match="Layer 8 is out of range"):
        fit({"source": 8})
    with pytest.raises(UsageError, match="at least 2 pairs of security, there are 1"):
        fit(n=1)


def test_removing_the_value_is_the_papers_operation() -> None:
    steerer, artifact = make_steerer("ablate"), fit(layers=(2, 5))
    steps = steerer.plan(request(0.5, "negative"), artifact).plan.interventions
    assert [(s.layer, s.site) for s in steps] == [
        (layer, site) for layer in (2, 5) for site in ("input", "attention", "mlp")
    ]
    for step in steps:
        assert (step.kind, step.coefficient, step.scope.kind) == ("ablate", 0.5, "all")
        assert (step.params["offset"], step.params["side"]) == (0.0, 0.0)


def test_the_positive_direction_removes_what_leans_against_the_value() -> None:
    steerer, artifact = make_steerer("ablate"), fit(layers=(2, 5))
    steps = steerer.plan(request(1.0), artifact).plan.interventions
    assert [(s.layer, s.site, s.params["side"]) for s in steps] == [(2, "block", -1.0), (5, "block", -1.0)]
    assert [s.params["offset"] for s in steps] == [artifact.arrays["middle"][2], artifact.arrays["middle"][5]]


def test_the_affine_form_leaves_the_middle() -> None:
    steerer, artifact = make_steerer("ablate", {"center": True}), fit({"center": True}, layers=(2, 5))
    steps = steerer.plan(request(1.0, "negative"), artifact).plan.interventions
    assert [(s.layer, s.site, s.params["side"]) for s in steps] == [(2, "block", 0.0), (5, "block", 0.0)]
    assert [s.params["offset"] for s in steps] == [artifact.arrays["middle"][2], artifact.arrays["middle"][5]]


def test_more_than_all_cannot_be_removed() -> None:
    steerer = make_steerer("ablate")
    steerer.check_strength(1.0)
    with pytest.raises(UsageError, match=r"Strength 1\.5 of 'ablate' must be between 0 .* and 1"):
        steerer.check_strength(1.5)
