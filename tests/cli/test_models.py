"""Options that choose and load a model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command


@pytest.fixture(autouse=True)
def _own_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpoint: Path) -> None:
    """A file of short names in which `mine` is a small checkpoint, and no hub."""
    path = tmp_path / "models.yaml"
    path.write_text(f"mine: {{id: {checkpoint}, parameters: 50000, about: ours}}")
    monkeypatch.setenv("VHARNESS_MODELS", str(path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


def test_short_names_are_listed_with_their_memory(vharness: Command, checkpoint: Path) -> None:
    found = {m["name"]: m for m in json.loads(vharness("ls", "models", "--format", "json").out)}
    assert found["llama2"]["id"] == "meta-llama/Llama-2-7b-chat-hf"
    assert found["llama2"]["bytes"] == 2 * 6_738_415_616
    assert found["llama2"]["folder"] is None
    assert found["mine"]["folder"] == str(checkpoint)
    text = vharness("ls", "models", "--long").out
    assert "13.5 GB" in text
    assert "to be downloaded" in text
    assert "ours" in text


def test_a_name_of_ones_own_answers(vharness: Command) -> None:
    done = vharness("try", "Should I wait?", "--value", "security", "--model", "mine", "--steerer", "ica")
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--model", "llama2"], "'meta-llama/Llama-2-7b-chat-hf' was not found locally"),
        (["--model", "lama2"], "Did you mean 'llama2'?"),
        (["--quantization", "3bit"], "'quantization': Input should be '8bit', '4bit', 'awq' or 'gptq'"),
        (["--quantization", "awq"], "is not stored in awq"),
        (["--steerer", "conva", "--gate", "deberta"], "A copy is named with --gate-set detector=FOLDER"),
        (["--steerer", "conva", "--set", "preset=table16"], "--gate probe needs none"),
        (["--steerer", "conva", "--gate", "debert"], "Did you mean 'deberta'?"),
        (["--steerer", "conva", "--gate", "deberta", "--gate-set", "g0=2"], "'g0' of gate 'deberta' must be between"),
    ],
)
def test_what_cannot_be_loaded_is_told_in_a_line(options: list[str], said: str, vharness: Command) -> None:
    done = vharness("eval", "--values", "security", "--limit", "1", *options)
    assert done.code == 2
    assert said in done.err


def test_a_library_that_is_missing(vharness: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transformers.quantizers.quantizer_bnb_8bit.is_bitsandbytes_available", lambda: False)
    done = vharness("eval", "--model", "mine", "--quantization", "8bit", "--values", "security", "--limit", "1")
    assert done.code == 2
    assert "pip install" in done.err
    assert "bitsandbytes" in done.err
