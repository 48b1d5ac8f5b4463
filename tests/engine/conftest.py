"""Models the engine's invariants are tested on."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
import torch

from tests.support.checkpoints import Arch, build_checkpoint
from valuebench_harness.engine.loading import load
from valuebench_harness.engine.model import SteeredModel

ARCHS: tuple[Arch, ...] = ("llama", "gpt2", "gemma2")


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("checkpoints")
    return {arch: build_checkpoint(root / arch, arch) for arch in ARCHS}


@pytest.fixture(scope="session", params=[*ARCHS, "mini"])
def model(request: pytest.FixtureRequest, folders: dict[str, Path]) -> SteeredModel:
    """Every architecture in turn, and the built-in model."""
    if request.param != "mini":
        return load(str(folders[request.param]), device="cpu")
    weights = Path(str(files("valuebench_harness.mini"))) / "weights"
    if not (weights / "model.safetensors").is_file():
        pytest.skip("the built-in model's weights are not in this checkout")
    return load(str(weights), device="cpu")


@pytest.fixture(scope="session")
def llama(folders: dict[str, Path]) -> SteeredModel:
    """One model, where the architecture does not matter."""
    return load(str(folders["llama"]), device="cpu")
