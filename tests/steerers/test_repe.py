from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import PCA

from tests.steerers.states import context, request
from valuebench_harness.engine.intervention import TokenScope
from valuebench_harness.steerers.registry import make_steerer
from valuebench_harness.steerers.repe import principal_direction


@pytest.mark.parametrize("center", [False, True])
def test_the_direction_is_scikit_learns_component(center: bool) -> None:
    """Off centre, that of differences in both orders: as many times plus as minus, so their mean is 0."""
    positive, negative = context(n=50, gap=2.0).labelled_states()
    for layer in range(8):
        differences = positive[:, layer] - negative[:, layer]
        cloud = differences if center else np.concatenate([differences, -differences])
        peer = PCA(n_components=1, svd_solver="full").fit(cloud).components_[0]
        found = principal_direction(positive[:, layer], negative[:, layer], center=center)
        assert abs(found @ peer) > 0.99999
        assert np.mean(positive[:, layer] @ found > negative[:, layer] @ found) >= 0.5


def test_swapped_sides_turn_the_direction() -> None:
    positive, negative = context(n=21, gap=1.0).labelled_states()
    there = principal_direction(positive[:, 0], negative[:, 0], center=False)
    back = principal_direction(negative[:, 0], positive[:, 0], center=False)
    assert there == pytest.approx(-back)


def test_the_majority_of_pairs_decides_the_sign() -> None:
    """Two pairs of three point up; the third points down further than both together."""
    positive = np.array([[1.0, 0], [1, 0], [-9, 0]])
    assert principal_direction(positive, np.zeros((3, 2)), center=False) == pytest.approx([1, 0])


def test_scales() -> None:
    ctx = context(n=50)
    positive, negative = ctx.labelled_states()
    unit = make_steerer("repe", {"scale": "unit"}).fit(ctx)
    scaled = make_steerer("repe").fit(ctx)
    assert unit is not None
    assert scaled is not None
    norms = np.linalg.norm(unit.arrays["vectors"], axis=1)
    assert norms == pytest.approx(np.ones(8), abs=1e-5)
    gaps = (positive - negative).mean(axis=0)
    for layer in range(8):
        u = unit.arrays["vectors"][layer]
        assert scaled.arrays["vectors"][layer] == pytest.approx((gaps[layer] @ u) * u, abs=1e-4)


@pytest.mark.parametrize(("n_layers", "first", "last"), [(32, 15, 27), (5, 2, 4), (12, 6, 10), (1, 0, 0)])
def test_layers_are_the_papers_share(n_layers: int, first: int, last: int) -> None:
    artifact = make_steerer("repe").fit(context(n=4, n_layers=n_layers, width=4))
    assert artifact is not None
    assert artifact.meta.layers == tuple(range(first, last + 1))


def test_the_plan() -> None:
    steerer = make_steerer("repe", {"scope": "generated"})
    artifact = steerer.fit(context(layers=(5, 2)))
    assert artifact is not None
    steps = steerer.plan(request(2.5, "negative"), artifact).plan.interventions
    assert [(s.kind, s.layer, s.coefficient) for s in steps] == [("add", 2, -2.5), ("add", 5, -2.5)]
    for step in steps:
        vector: Any = step.params["vector"]
        assert np.array_equal(vector.array, artifact.arrays["vectors"][step.layer])
        assert step.scope == TokenScope("generated")
