"""What a model needs, against what it takes when it is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import GPT2Config, LlamaConfig, MixtralConfig, PreTrainedConfig

from tests.support.checkpoints import build_model
from valuebench_harness.engine import loading, memory
from valuebench_harness.engine.loading import load
from valuebench_harness.engine.memory import DoesNotFitError, Size, check_fit, free_memory, size_of
from valuebench_harness.engine.model import SteeredModel
from valuebench_harness.errors import UsageError

CPU = torch.device("cpu")


@pytest.fixture
def gigabyte_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of which one gigabyte is free."""
    monkeypatch.setattr(memory, "_free_on_cpu", lambda: 10**9)


@pytest.mark.parametrize("arch", ["llama", "gpt2", "gemma2"])
def test_weights_are_counted_without_making_them(arch: str, llama: SteeredModel) -> None:
    model = build_model(arch, vocab_size=400)  # type: ignore[arg-type]
    size = size_of(model.config)
    assert size.parameters == model.num_parameters()
    assert size.bytes(torch.float32) == sum(p.numel() * p.element_size() for p in model.parameters())
    assert 0 < size.linear < size.parameters


def test_published_counts() -> None:
    """Llama-2-7b has 6,738,415,616 weights, of which 32,000 x 4,096 are embeddings and as many the head."""
    size = size_of(LlamaConfig())
    assert size.parameters == 6_738_415_616
    assert size.other == 2 * 32_000 * 4_096 + 65 * 4_096
    assert size_of(GPT2Config()).parameters == 124_439_808
    assert size_of(MixtralConfig()).parameters == pytest.approx(46.7e9, rel=0.01)


def test_bytes_by_hand() -> None:
    size = Size(linear=800, other=100)
    assert size.bytes(torch.float32) == 3600
    assert size.bytes(torch.bfloat16) == 1800
    assert size.bytes(torch.bfloat16, "8bit") == 800 + 200
    assert size.bytes(torch.bfloat16, "4bit") == 450 + 200


def test_free_memory_is_that_of_the_machine() -> None:
    free = free_memory(CPU, None)
    assert free is not None
    assert 10**7 < free < 10**14
    assert free_memory(CPU, {"": "cpu"}) is None


@pytest.mark.usefixtures("gigabyte_free")
class TestFit:
    def fit(self, parameters: int, **changes: object) -> str | None:
        arguments: dict[str, object] = {"dtype": torch.float32, "quantization": None, "device": CPU, "device_map": None}
        size = Size(linear=parameters, other=0)
        return check_fit("a-model", size, **{**arguments, **changes})  # type: ignore[arg-type]

    def test_what_fits_is_not_remarked_upon(self) -> None:
        assert self.fit(200_000_000) is None

    def test_what_fits_tightly_gives_a_note(self) -> None:
        note = self.fit(240_000_000)
        assert note is not None
        assert "0.24B weights and needs 1.0 GB in float32; cpu has 1.0 GB free" in note

    def test_what_does_not_fit_names_what_would(self) -> None:
        with pytest.raises(DoesNotFitError, match=r"needs 1\.2 GB") as error:
            self.fit(300_000_000)
        text = str(error.value)
        assert "--dtype bfloat16 (0.6 GB), --quantization 8bit (0.3 GB), --quantization 4bit (0.2 GB)" in text
        assert error.value.room == 10**9
        with pytest.raises(DoesNotFitError, match=r"What would fit: --quantization 4bit \(0\.6 GB\)\.$"):
            self.fit(1_100_000_000, dtype=torch.bfloat16)
        with pytest.raises(DoesNotFitError, match="Take a smaller model"):
            self.fit(9_000_000_000)

    def test_a_map_spelled_out_is_the_users_business(self) -> None:
        assert self.fit(9_000_000_000, device_map={"": "disk"}) is None

    def test_it_is_checked_before_weights_are_read(
        self, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(loading, "_LONG_LOAD", 0)
        monkeypatch.setattr(memory, "_free_on_cpu", lambda: 1000)
        monkeypatch.setattr(loading, "_model", lambda *_args, **_more: pytest.fail("weights were read"))
        with pytest.raises(DoesNotFitError, match=r"cpu has 0\.0 GB free"):
            load(str(folders["llama"]), device="cpu")


def test_a_configuration_that_makes_no_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "clip"}))
    config = PreTrainedConfig.from_pretrained(tmp_path)
    with pytest.raises(UsageError, match="No causal language model"):
        size_of(config)
