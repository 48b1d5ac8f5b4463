"""A real model to fit on, with what a fit may learn from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.steerers.states import pairs, value
from tests.support.checkpoints import build_checkpoint
from valuebench_harness.engine.loading import load
from valuebench_harness.engine.model import SteeredModel
from valuebench_harness.steerers.base import FitContext, ModelShape
from valuebench_harness.steerers.states import States


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_checkpoint(tmp_path_factory.mktemp("checkpoint") / "llama", "llama")


@pytest.fixture(scope="session")
def model(checkpoint: Path) -> SteeredModel:
    return load(str(checkpoint), device="cpu")


@pytest.fixture(scope="session")
def real_context(model: SteeredModel) -> Callable[..., FitContext]:
    """Makes a context of texts that the model reads itself."""

    def make(layers: tuple[int, ...] | None = None, **wording: str) -> FitContext:
        return FitContext(
            shape=ModelShape("tiny", model.n_layers, model.width),
            states=States(model),
            value=value(),
            pairs=pairs(12),
            neutral=[],
            layers=layers,
            model=model,
            wording=wording,
        )

    return make
