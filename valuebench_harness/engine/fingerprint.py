"""What identifies a checkpoint: artifacts and caches must not cross models."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from valuebench_harness.errors import UsageError

_VOLATILE = {"_name_or_path", "transformers_version", "torch_dtype", "dtype"}
_SAMPLE = 1024


def fingerprint(folder: Path) -> str:
    """SHA-256 over configuration, tensor names and shapes, and a sample of every tensor.

    Read from the files, so it depends neither on the dtype nor on the devices that the
    model is loaded to.

    Args:
        folder: of a checkpoint with safetensors.

    Raises:
        UsageError: a weights file is malformed.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config = {key: value for key, value in config.items() if key not in _VOLATILE}
    tensors: dict[str, str] = {}
    for path in sorted(weight_files(folder)):
        tensors.update(_tensors(path))
    record = json.dumps([config, sorted(tensors.items())], sort_keys=True)
    return hashlib.sha256(record.encode()).hexdigest()


def weight_files(folder: Path) -> list[Path]:
    """The safetensors of a checkpoint: those that its index names, or its only one.

    Others in the folder, such as Mistral's second copy of its weights, are not loaded.

    Raises:
        UsageError: the index is malformed.
    """
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return [path for path in [folder / "model.safetensors"] if path.is_file()]
    try:
        return [folder / name for name in set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{index} is no index of weights ({error!r}). Download or save the checkpoint again."
        ) from None


def _tensors(path: Path) -> dict[str, str]:
    """Name to digest of dtype, shape and sampled bytes (start, middle, end) of each tensor in a file."""
    found: dict[str, str] = {}
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header: dict[str, Any] = json.loads(file.read(size))
            header.pop("__metadata__", None)
            for name, entry in header.items():
                start, end = entry["data_offsets"]
                digest = hashlib.sha256(json.dumps([entry["dtype"], entry["shape"]]).encode())
                for offset in (start, (start + end) // 2, max(start, end - _SAMPLE)):
                    file.seek(8 + size + offset)
                    digest.update(file.read(min(_SAMPLE, end - offset)))
                found[name] = digest.hexdigest()
    except (ValueError, KeyError, TypeError, OverflowError, MemoryError) as error:
        raise UsageError(
            f"{path} is no readable safetensors file ({error}). Download or save the checkpoint again."
        ) from None
    return found
