"""GGUF control vectors, as llama.cpp and repeng read and write them: tensors ``direction.{layer}``.

``direction.N`` is added to the output of block N, counted from 0 as here. llama.cpp refuses N = 0.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np

from valuebench_harness.errors import UsageError
from valuebench_harness.steerers.vectors import Origin, Vectors

ARCHITECTURE = "controlvector"
PREFIX = "direction."


def read(path: Path) -> dict[int, np.ndarray]:
    """Vectors by layer; tensors of other names are left out, as the peers do.

    Raises:
        UsageError: no GGUF, one that is no control vector, or the package ``gguf`` is missing.
    """
    gguf = _package()
    try:
        reader = gguf.GGUFReader(path)
        architecture = reader.get_field("general.architecture")
        name = str(architecture.contents()) if architecture is not None else "none"
        found = {
            tensor.name: np.array(gguf.quants.dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)
            for tensor in reader.tensors
            if name == ARCHITECTURE and tensor.name.startswith(PREFIX)
        }
    except Exception as error:  # the reader trusts offsets and counts, and fails in many ways where they are wrong
        raise UsageError(f"{path} is no readable GGUF file: {type(error).__name__}: {error}") from None
    if name != ARCHITECTURE:
        raise UsageError(f"{path} is a GGUF file of the architecture '{name}', not of a control vector.")
    return {_layer(path, key): vector for key, vector in found.items()}


def _layer(path: Path, name: str) -> int:
    number = name.removeprefix(PREFIX)
    if not (number.isascii() and number.isdigit()):
        raise UsageError(f"{path}: the tensor '{name}' names no layer; control vectors are called 'direction.13'.")
    return int(number)


def write(path: Path, vectors: Vectors, origin: Origin) -> None:
    """A control vector for llama.cpp.

    Raises:
        UsageError: there is a vector for layer 0, or the package ``gguf`` is missing.
    """
    gguf = _package()
    if 0 in vectors:
        raise UsageError(
            "A GGUF control vector cannot hold layer 0: llama.cpp refuses it. "
            "Steer other layers with --layers, or export safetensors or pt."
        )
    writer = gguf.GGUFWriter(path, ARCHITECTURE)
    writer.add_string(f"{ARCHITECTURE}.model_hint", origin.model_type)
    writer.add_uint32(f"{ARCHITECTURE}.layer_count", len(vectors))
    for layer, vector in vectors.items():
        writer.add_tensor(f"{PREFIX}{layer}", vector)
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()


def _package() -> ModuleType:
    try:
        import gguf
    except ImportError:
        raise UsageError("GGUF files need the package 'gguf': pip install 'valuebench-harness[gguf]'.") from None
    return gguf
