"""Files of steering vectors: one vector a layer, added to the output of that block at every token.

Three formats, told apart by their suffix: safetensors, GGUF (llama.cpp, repeng) and lm-eval's ``.pt``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from valuebench_harness.errors import IncompleteError, UsageError, unknown_name

if TYPE_CHECKING:
    from valuebench_harness.steerers.base import ModelShape

Vectors = Mapping[int, np.ndarray]
"""Layer to vector ``[width]``, float32."""

FORMATS = {"safetensors": (".safetensors",), "gguf": (".gguf",), "pt": (".pt", ".pth")}
"""Names and suffixes; each has a module of that name here."""


@dataclass(frozen=True)
class Origin:
    """What a file says about its vectors, as far as its format can.

    Attributes:
        model: name of the model.
        model_type: of its configuration in transformers, such as ``llama``.
        blocks: dotted path of the decoder blocks in the model, such as ``model.layers``.
        method: name of the steerer.
        value: id of the value.
    """

    model: str
    model_type: str
    blocks: str
    method: str
    value: str


def format_of(path: Path) -> str:
    """The format of a file by its suffix.

    Raises:
        UsageError: it is none of ours.
    """
    for name, suffixes in FORMATS.items():
        if path.suffix.lower() in suffixes:
            return name
    known = ", ".join(suffix for suffixes in FORMATS.values() for suffix in suffixes)
    raise UsageError(f"{path} is no file of vectors by its name: the suffix must be one of {known}.")


def read_vectors(path: Path) -> dict[int, np.ndarray]:
    """Reads a file of vectors; nothing in it is run.

    Raises:
        UsageError: the file is missing or holds something else.
    """
    kind = format_of(path)
    if not path.is_file():
        raise UsageError(f"There is no file of vectors {path}.")
    read: Callable[[Path], dict[int, np.ndarray]] = import_module(f"{__name__}.{kind}").read
    found = read(path)
    if not found:
        raise UsageError(f"{path} holds no steering vector.")
    return {layer: _flat(vector, layer, path) for layer, vector in sorted(found.items())}


def write_vectors(path: Path, vectors: Vectors, origin: Origin) -> None:
    """Writes a file of vectors; it appears whole or not at all.

    Raises:
        UsageError: the format cannot hold them.
        IncompleteError: where the disk is full or the folder cannot be written.
    """
    write: Callable[[Path, Vectors, Origin], None] = import_module(f"{__name__}.{format_of(path)}").write
    temporary = path.with_name(f"{path.stem}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary, {layer: np.ascontiguousarray(v, dtype=np.float32) for layer, v in vectors.items()}, origin)
        temporary.replace(path)
    except OSError as error:
        raise IncompleteError(f"{path} cannot be written: {error}. Make room, or choose another folder.") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def check_formats(names: str) -> tuple[str, ...]:
    """The formats in a list with commas.

    Raises:
        UsageError: one is unknown.
    """
    found = tuple(dict.fromkeys(name.strip().lower() for name in names.split(",")))
    for name in found:
        if name not in FORMATS:
            raise unknown_name("format of vectors", name, FORMATS)
    return found


def check_shape(vectors: Vectors, shape: ModelShape, source: Path) -> None:
    """Raises ``UsageError`` where vectors do not fit a model, naming both sides."""
    for layer, vector in vectors.items():
        if vector.size != shape.width:
            raise UsageError(
                f"{source} was made for a model of width {vector.size} (layer {layer}), "
                f"but {shape.name} has width {shape.width}. Give a file made for this model."
            )
    if max(vectors) >= shape.n_layers:
        raise UsageError(
            f"{source} has a vector for layer {max(vectors)}, but {shape.name} has {shape.n_layers} layers, "
            f"0 to {shape.n_layers - 1}. Give a file made for this model."
        )


def layer_in(name: str) -> int | None:
    """The layer at the end of a tensor's or a module's name, such as ``direction.13``; None without one."""
    _, _, last = f".{name}".rpartition(".")
    return int(last) if last.isascii() and last.isdigit() else None


def _flat(vector: np.ndarray, layer: int, path: Path) -> np.ndarray:
    flat = np.asarray(vector, dtype=np.float32)
    if flat.size != max(flat.shape, default=0):
        raise UsageError(f"{path}: layer {layer} has the shape {list(flat.shape)}; a vector was expected.")
    if not np.isfinite(flat).all():
        raise UsageError(f"{path}: the vector of layer {layer} holds values that are not finite numbers.")
    return flat.reshape(-1)
