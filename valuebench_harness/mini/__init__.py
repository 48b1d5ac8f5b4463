"""The built-in model: a small chat model whose values follow a planted causal model."""

from __future__ import annotations

from pathlib import Path

NAME = "mini"


def weights_path() -> Path:
    """The folder of the shipped checkpoint: a Hugging Face model folder and ``planted.safetensors``."""
    return Path(__file__).parent / "weights"


def planted_path() -> Path:
    """The JSON file with the planted causal model."""
    return Path(__file__).parent / "planted.json"
