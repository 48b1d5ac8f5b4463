"""Fewer bits a weight: real 8- and 4-bit models on the CPU, and libraries that are not there."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.support.checkpoints import build_checkpoint
from tests.support.plans import add, prompts, vector
from valuebench_harness.engine.loading import load
from valuebench_harness.engine.model import SteeredModel
from valuebench_harness.engine.plan import SteerPlan
from valuebench_harness.engine.rows import GenerationRow, TextRow
from valuebench_harness.errors import UsageError

WITH_BITSANDBYTES = pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None, reason="the quantization extra is not installed"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_checkpoint(tmp_path_factory.mktemp("quantised"), width=64)


@pytest.fixture(scope="module")
def whole(folder: Path) -> SteeredModel:
    return load(str(folder), device="cpu")


@WITH_BITSANDBYTES
@pytest.mark.parametrize(
    ("quantization", "layer", "error"), [("8bit", "Linear8bitLt", 0.05), ("4bit", "Linear4bit", 0.6)]
)
def test_quantised_while_loading(
    quantization: str, layer: str, error: float, folder: Path, whole: SteeredModel
) -> None:
    model = load(str(folder), device="cpu", quantization=quantization)
    assert type(model.layout.heads[0]).__name__ == layer
    assert model.dtype == f"float32+{quantization}"
    assert any("8bit" in note for note in model.notes) == (quantization == "8bit")
    rows = [TextRow(text) for text in prompts(20)]
    close, exact = model.capture(rows, [0], reduce="mean"), whole.capture(rows, [0], reduce="mean")
    # NF4 moves a weight by about 9%, which random attention heads enlarge; states of another model are 1.4 away.
    assert np.linalg.norm(close - exact) / np.linalg.norm(exact) < error
    assert not np.array_equal(close, exact)


@WITH_BITSANDBYTES
def test_quantised_models_are_steered(folder: Path) -> None:
    model = load(str(folder), device="cpu", quantization="4bit")
    text, plan = prompts(2)[1], SteerPlan((add(model, 1),))
    moved = model.capture([TextRow(text, plan)], [0, 1]) - model.capture([TextRow(text)], [0, 1])
    assert not moved[0, 0].any()
    np.testing.assert_allclose(moved[0, 1], vector(model.width, 0, 20.0), atol=1e-3)
    base, steered = (
        dict(model.generate([GenerationRow(text, p, max_new_tokens=6)]))[0].token_ids for p in (SteerPlan(), plan)
    )
    assert base != steered


def test_bitsandbytes_is_missing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transformers.quantizers.quantizer_bnb_4bit.is_bitsandbytes_available", lambda: False)
    with pytest.raises(UsageError, match=r"cannot be loaded in 4bit: .*requires bitsandbytes: `pip install"):
        load(str(folder), device="cpu", quantization="4bit")


@pytest.mark.skipif(importlib.util.find_spec("gptqmodel") is not None, reason="gptqmodel is installed")
@pytest.mark.parametrize("asked", ["awq", None])
def test_a_stored_quantisation_whose_library_is_missing(asked: str | None, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "awq")
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True}
    (tmp_path / "awq" / "config.json").write_text(json.dumps(config))
    with pytest.raises(UsageError, match=r"cannot be loaded in awq: .*`pip install gptqmodel`"):
        load(str(tmp_path / "awq"), device="cpu", quantization=asked)
    with pytest.raises(UsageError, match="is stored in awq already"):
        load(str(tmp_path / "awq"), device="cpu", quantization="8bit")


def test_names_that_do_not_fit(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"Unknown quantization '3bit'"):
        load(str(folder), device="cpu", quantization="3bit")
    with pytest.raises(UsageError, match=r"is not stored in gptq \(but unquantised\)"):
        load(str(folder), device="cpu", quantization="gptq")
