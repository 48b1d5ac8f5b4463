"""lm-eval's steering files (``--model steered``): a dictionary from hookpoints to vectors, saved by torch.

lm-eval 0.4.13 unpickles them freely; here nothing but tensors, numbers and strings is read. A hookpoint is a
module's name within the base model, such as ``layers.13``; its vector times its coefficient is added to that
module's output at every token.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from valuebench_harness.errors import UsageError
from valuebench_harness.steerers.vectors import Origin, Vectors, layer_in


def read(path: Path) -> dict[int, np.ndarray]:
    """Vectors times their coefficients, by layer.

    Raises:
        UsageError: no such file, or one that does more than add to the outputs of blocks.
    """
    import torch

    try:
        with warnings.catch_warnings(action="ignore"):  # torch warns of old formats before it refuses them
            hookpoints = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises what its readers of three formats raise
        reason = (str(error).strip().splitlines() or [""])[0][:160]
        raise UsageError(
            f"{path} is no steering file of tensors and numbers, and nothing else is loaded ({reason})."
        ) from None
    if not isinstance(hookpoints, dict):
        raise UsageError(f"{path} holds a {type(hookpoints).__name__}, not lm-eval's dictionary of hookpoints.")
    found: dict[int, np.ndarray] = {}
    for name, entry in hookpoints.items():
        layer = layer_in(str(name))
        if layer is None or layer in found:
            raise UsageError(
                f"{path}: the hookpoint '{name}' is no block of its own; 'vector' reads one vector a block, "
                "such as 'layers.13'."
            )
        found[layer] = _vector(entry, f"{path}, hookpoint '{name}'")
    return found


def _vector(entry: Any, where: str) -> np.ndarray:
    import torch

    if not isinstance(entry, dict) or not isinstance(entry.get("steering_vector"), torch.Tensor):
        raise UsageError(f"{where}: there is no tensor 'steering_vector'.")
    if entry.get("action", "add") != "add" or entry.get("head_index") is not None:
        raise UsageError(f"{where}: only the action 'add' to the whole state can be read, not clamping or one head.")
    coefficient = entry.get("steering_coefficient", 1.0)
    if not isinstance(coefficient, int | float):
        raise UsageError(f"{where}: 'steering_coefficient' is {coefficient!r}, not a number.")
    vector: np.ndarray = entry["steering_vector"].float().numpy() * np.float32(coefficient)
    return vector


def write(path: Path, vectors: Vectors, origin: Origin) -> None:
    """What ``lm_eval --model steered --model_args steer_path=...`` reads."""
    import torch

    _, _, blocks = origin.blocks.partition(".")  # lm-eval names modules from the base model on
    entries = {
        f"{blocks or origin.blocks}.{layer}": {
            "steering_vector": torch.from_numpy(vector.copy()),
            "steering_coefficient": 1.0,
            "action": "add",
            "bias": None,
            "head_index": None,
        }
        for layer, vector in vectors.items()
    }
    torch.save(entries, path)
