"""What a fitted method is: arrays and the facts about how they came to be.

On disk one safetensors file; the facts travel as JSON in its header. Nothing is pickled.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from valuebench_harness.engine.arrays import FrozenArray
from valuebench_harness.errors import IncompleteError, UsageError

FORMAT = "vharness-artifact-1"


class ArtifactMeta(BaseModel):
    """Facts about a fitted method.

    Attributes:
        method: name of the steerer or gate.
        value: id of the value.
        model: name of the model it was fitted on.
        fingerprint: of that model's weights.
        n_layers: depth of that model.
        width: of its residual stream.
        layers: layers the method steers.
        data_hash: of the training texts.
        settings: the method's settings.
        accuracy: held-out accuracy by layer, where the method has a classifier.
        seed: of the fit.
        seconds: wall time of the fit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    value: str
    model: str
    fingerprint: str
    n_layers: int
    width: int
    layers: tuple[int, ...]
    data_hash: str
    settings: dict[str, JsonValue] = {}
    accuracy: dict[int, float] = {}
    seed: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class Artifact:
    """Named float32 arrays with their facts."""

    meta: ArtifactMeta
    arrays: dict[str, np.ndarray]
    _frozen: dict[tuple[str, int], FrozenArray] = field(default_factory=dict, repr=False)

    def frozen(self, name: str, layer: int) -> FrozenArray:
        """Row ``layer`` of an array as a parameter of interventions; made once, so that plans share it."""
        key = (name, layer)
        if key not in self._frozen:
            self._frozen[key] = FrozenArray(self.arrays[name][layer])
        return self._frozen[key]

    @cached_property
    def digest(self) -> str:
        """Hash of all that changes what the artifact does (not of how long fitting took)."""
        h = hashlib.sha256(self.meta.model_dump_json(exclude={"seconds", "model"}).encode())
        for name in sorted(self.arrays):
            a = np.ascontiguousarray(self.arrays[name], dtype=np.float32)
            h.update(f"{name}{a.shape}".encode())
            h.update(a.tobytes())
        return h.hexdigest()

    def save(self, path: Path) -> None:
        """Writes the artifact; the file appears whole or not at all.

        Raises:
            IncompleteError: where the disk is full or the folder cannot be written.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import save_file

        temporary = path.with_name(path.name + ".part")
        arrays = {k: np.ascontiguousarray(v, dtype=np.float32) for k, v in self.arrays.items()}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            save_file(arrays, temporary, metadata={"format": FORMAT, "meta": self.meta.model_dump_json()})
            temporary.replace(path)
        except (OSError, SafetensorError) as error:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise IncompleteError(
                f"The artifact {path} cannot be written: {error}. Make room, or choose another folder."
            ) from error

    @classmethod
    def load(cls, path: Path) -> Artifact:
        """Reads an artifact.

        Raises:
            UsageError: where the file is missing or not an artifact.
        """
        from safetensors import SafetensorError, safe_open

        if not path.is_file():
            raise UsageError(f"No artifact at {path}. Make one with 'vharness fit'.")
        try:
            with safe_open(path, framework="np") as f:
                header = f.metadata() or {}
                if header.get("format") != FORMAT:
                    raise UsageError(
                        f"{path} is a safetensors file but no vharness artifact; 'vharness fit' makes them."
                    )
                arrays = {k: np.asarray(f.get_tensor(k)) for k in f.keys()}  # noqa: SIM118 - not a dict
            return cls(ArtifactMeta.model_validate_json(header["meta"]), arrays)
        except (SafetensorError, ValidationError, json.JSONDecodeError, KeyError) as error:
            raise UsageError(f"{path} cannot be read as an artifact ({type(error).__name__}); fit it again.") from error

    def check_model(self, *, name: str, fingerprint: str, n_layers: int, width: int) -> None:
        """Raises ``UsageError`` where the artifact belongs to another model, naming both sides."""
        m = self.meta
        if (m.n_layers, m.width) != (n_layers, width):
            raise UsageError(
                f"The '{m.method}' artifact for {m.value} was fitted on {m.model} ({m.n_layers} layers, "
                f"width {m.width}), but {name} has {n_layers} layers, width {width}. Fit it on this model."
            )
        if m.fingerprint != fingerprint:
            raise UsageError(
                f"The '{m.method}' artifact for {m.value} was fitted on {m.model} with other weights "
                f"({m.fingerprint[:12]}) than those of {name} ({fingerprint[:12]}). Fit it on this model."
            )


def is_artifact(path: Path) -> bool:
    """Whether a file is an artifact of this harness rather than other safetensors, or none at all."""
    from safetensors import SafetensorError, safe_open

    if path.suffix != ".safetensors" or not path.is_file():
        return False
    try:
        with safe_open(path, framework="np") as f:
            return (f.metadata() or {}).get("format") == FORMAT
    except SafetensorError:
        return False


def texts_hash(*groups: list[str]) -> str:
    """Hash of groups of training texts, in their order."""
    return hashlib.sha256(json.dumps(groups, ensure_ascii=False).encode()).hexdigest()
