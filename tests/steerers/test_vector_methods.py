"""What holds for every method that steers by vectors, on real forward passes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.steerers.states import pairs, request, value
from tests.support.checkpoints import build_checkpoint
from valuebench_harness.engine.loading import load
from valuebench_harness.engine.model import SteeredModel
from valuebench_harness.engine.plan import EMPTY, SteerPlan
from valuebench_harness.engine.rows import GenerationRow
from valuebench_harness.steerers.artifact import Artifact
from valuebench_harness.steerers.base import FitContext, ModelShape
from valuebench_harness.steerers.registry import make_steerer
from valuebench_harness.steerers.states import States
from valuebench_harness.steerers.vectors import Origin, write_vectors

STRENGTHS = {
    "caa": 8.0,
    "repe": 4.0,
    "iti": 15.0,
    "actadd": 5.0,
    "ablate": 1.0,
    "vector": 1.0,
    "random:caa": 8.0,
    "random:conva": 3.0,
    "random:ablate": 1.0,
}
"""Methods, and strengths that change the text of small models with random weights."""

PROMPTS = ("Yes", "Should I leave the village?", "Power is pleasant, power is heavy, and power is rarely shared.")


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def tiny(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SteeredModel:
    return load(str(build_checkpoint(tmp_path_factory.mktemp("tiny") / request.param, request.param)), device="cpu")


@pytest.fixture(scope="module")
def context(tiny: SteeredModel) -> FitContext:
    return FitContext(
        shape=ModelShape("tiny", tiny.n_layers, tiny.width),
        states=States(tiny),
        value=value(),
        pairs=pairs(12),
        neutral=[],
        model=tiny,
    )


def settings(name: str, folder: Path) -> dict[str, object]:
    if name == "random:conva":
        return {"conva.min_accuracy": 0.0}
    if name != "vector":
        return {}
    path = folder / "v.safetensors"
    vectors = {layer: 20 * np.random.default_rng(layer).normal(size=32).astype(np.float32) for layer in (1, 3)}
    write_vectors(path, vectors, Origin("tiny", "llama", "model.layers", "own", "security"))
    return {"file": str(path)}


def answers(model: SteeredModel, plan: SteerPlan, batch_size: int = 3) -> list[tuple[int, ...]]:
    rows = [GenerationRow(prompt, plan, max_new_tokens=8) for prompt in PROMPTS]
    found = dict(model.generate(rows, batch_size=batch_size))
    return [found[i].token_ids for i in range(len(rows))]


@pytest.mark.parametrize("name", STRENGTHS)
def test_a_method_keeps_the_engines_promises(
    tiny: SteeredModel, context: FitContext, tmp_path: Path, name: str
) -> None:
    """Off is off; on, the text changes, whatever the batch and with or without a cache; afterwards nothing is left."""
    steerer = make_steerer(name, settings(name, tmp_path))
    steerer.check_strength(STRENGTHS[name])
    artifact = steerer.fit(context)
    assert artifact is not None
    for off in (request(0.0), request(STRENGTHS[name], gate_open=False)):
        steered = steerer.plan(off, artifact)
        assert steered.messages == off.messages
        assert steered.plan.is_empty
    base = answers(tiny, EMPTY)
    for direction in ("positive", "negative"):
        plan = steerer.plan(request(STRENGTHS[name], direction), artifact).plan
        found = answers(tiny, plan)
        assert found != base
        assert answers(tiny, plan, batch_size=1) == found
        tiny.use_cache = False
        try:
            assert answers(tiny, plan) == found
        finally:
            tiny.use_cache = True
    assert answers(tiny, EMPTY) == base


@pytest.mark.parametrize("name", STRENGTHS)
def test_fits_and_plans_are_reproducible_and_survive_a_file(context: FitContext, tmp_path: Path, name: str) -> None:
    def fit() -> Artifact:
        found = make_steerer(name, settings(name, tmp_path)).fit(context)
        assert found is not None
        return found

    first = fit()
    assert fit().digest == first.digest
    first.save(tmp_path / "fit.safetensors")
    back = Artifact.load(tmp_path / "fit.safetensors")
    steerer = make_steerer(name, settings(name, tmp_path))
    digests = set()
    for direction in ("positive", "negative"):
        for share in (0.5, 1.0):
            asked = request(share * STRENGTHS[name], direction)
            plan = steerer.plan(asked, first).plan
            assert steerer.plan(asked, back).plan.digest == plan.digest
            assert SteerPlan.from_json(plan.to_json()) == plan
            digests.add(plan.digest)
    assert len(digests) == 4
