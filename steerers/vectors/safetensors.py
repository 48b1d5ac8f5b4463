"""Safetensors: one tensor a layer, its name ending in the layer's number (``direction.13``)."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from valuebench_harness.errors import UsageError
from valuebench_harness.steerers.vectors import Origin, Vectors, layer_in

if TYPE_CHECKING:
    from collections.abc import Iterator


def read(path: Path) -> dict[int, np.ndarray]:
    """Vectors by layer, whatever stands in front of the number in their names.

    Raises:
        UsageError: no safetensors, or a tensor without a layer in its name.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise UsageError(f"{path} is no readable safetensors file: {error}") from None
    return {layer: tensors[name].float().numpy() for name, layer in _layers(path, list(tensors))}


def _layers(path: Path, names: list[str]) -> Iterator[tuple[str, int]]:
    seen: set[int] = set()
    for name in names:
        layer = layer_in(name)
        if layer is None:
            raise UsageError(
                f"{path}: the tensor '{name}' names no layer. "
                "A file of vectors has one tensor a layer, its name ending in the number, such as 'direction.13'."
            )
        if layer in seen:
            raise UsageError(f"{path} has several tensors for layer {layer}; a file of vectors has one a layer.")
        seen.add(layer)
        yield name, layer


def write(path: Path, vectors: Vectors, origin: Origin) -> None:
    """``direction.{layer}``, with what is known of their origin in the header."""
    from safetensors.numpy import save_file

    # One entry, since safetensors writes several in an order of its own, another each time.
    facts = {"vharness-vectors": json.dumps(asdict(origin), sort_keys=True)}
    save_file({f"direction.{layer}": vector for layer, vector in vectors.items()}, path, metadata=facts)
