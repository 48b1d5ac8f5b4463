"""What identifies a checkpoint: artifacts and caches must not cross models."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from valuebench_harness.errors import UsageError

_VOLATILE = {"_name_or_path", "transformers_version", "torch_dtype", "dtype"}
_SAMPLE = 1024

_TOKENIZER_FILES = ("added_tokens.json", "merges.txt", "tokenizer.json", "tokenizer.model", "vocab.json")
_NOT_TOKENS = {"chat_template", "name_or_path", "tokenizer_file", "transformers_version"}
"""Settings of a tokenizer that do not change how a rendered text becomes ids."""


def fingerprint(folder: Path) -> str:
    """SHA-256 over configuration, tensor names and shapes, a sample of every tensor, and the tokenizer.

    Of weights that are no safetensors, which cannot be read in part, every megabyte is sampled instead.

    The tokenizer counts because states and answers depend on the ids that a text becomes; its chat
    template does not, since caches hold the rendered prompt. All is read from the files, so it depends
    neither on the dtype nor on the devices that the model is loaded to.

    Args:
        folder: of a checkpoint.

    Raises:
        UsageError: a weights file is malformed.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config = {key: value for key, value in config.items() if key not in _VOLATILE}
    tensors: dict[str, str] = {}
    for path in sorted(weight_files(folder)):
        tensors.update(_tensors(path) if path.suffix == ".safetensors" else {path.name: _file(path)})
    record = json.dumps([config, sorted(tensors.items()), _tokens(folder)], sort_keys=True)
    return hashlib.sha256(record.encode()).hexdigest()


def weight_files(folder: Path) -> list[Path]:
    """The weights of a checkpoint: the safetensors that its index names, or its only one; else the same of ``.bin``.

    Others in the folder, such as Mistral's second copy of its weights, are not loaded.

    Raises:
        UsageError: the index is malformed.
    """
    return _named_or_only(folder, "model.safetensors") or _named_or_only(folder, "pytorch_model.bin")


def has_safetensors(folder: Path) -> bool:
    """Whether the weights are safetensors; else they are files of torch, which are read as tensors only."""
    return any(path.is_file() for path in _named_or_only(folder, "model.safetensors"))


def _named_or_only(folder: Path, name: str) -> list[Path]:
    index = folder / f"{name}.index.json"
    if not index.is_file():
        return [path for path in [folder / name] if path.is_file()]
    try:
        return [folder / name for name in set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{index} is no index of weights ({error!r}). Download or save the checkpoint again."
        ) from None


def _tokens(folder: Path) -> dict[str, Any]:
    """What turns text into ids and ends an answer: tokenizer files, their settings, end-of-text ids."""
    found: dict[str, Any] = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in _TOKENIZER_FILES
        if (folder / name).is_file()
    }
    settings = _json(folder / "tokenizer_config.json")
    found["settings"] = {key: value for key, value in settings.items() if key not in _NOT_TOKENS}
    found["eos"] = _json(folder / "generation_config.json").get("eos_token_id")
    return found


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{path} is not valid JSON ({error}). Download or save the checkpoint again.") from None
    return content if isinstance(content, dict) else {}


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


def _file(path: Path) -> str:
    """Digest of the length of a file and of samples from every megabyte and from its end."""
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for offset in (*range(0, size, 2**20), max(0, size - _SAMPLE)):
            file.seek(offset)
            digest.update(file.read(_SAMPLE))
    return digest.hexdigest()
