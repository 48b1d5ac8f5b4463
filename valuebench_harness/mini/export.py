"""Writes a trained ``mini`` as a Hugging Face checkpoint, its planted directions beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save_file
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from valuebench_harness.data.grammar.acts import VALUES
from valuebench_harness.mini.architecture import PLANTED_SCALE, config, planted_directions

PLANTED_BLOCK = 1
"""Block after which the planted directions are meant to be added, as most often in training: blocks 0 to 3 all work."""


def export(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
    training: Mapping[str, int],
) -> None:
    """Saves model (bfloat16), tokenizer, chat template and ``planted.safetensors``.

    Args:
        model: the trained model; it is not changed.
        tokenizer: its tokenizer.
        folder: where to; made if missing.
        training: seed and steps, noted in ``planted.safetensors``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    copy = LlamaForCausalLM(config())
    copy.load_state_dict(model.state_dict())
    copy = copy.bfloat16()
    copy.generation_config.max_new_tokens = 32
    copy.generation_config.do_sample = False
    copy.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    metadata = {
        "values": json.dumps(VALUES),
        "block": str(PLANTED_BLOCK),
        "scale": str(PLANTED_SCALE),
        **{key: str(x) for key, x in training.items()},
    }
    save_file({"directions": planted_directions()}, folder / "planted.safetensors", metadata=metadata)
    for file in folder.glob("*.safetensors"):
        file.chmod(0o644)  # safetensors writes them for the owner alone, and a wheel keeps that
