r"""Any steering vector from a file.

Safetensors (one tensor a layer, names ending in the layer's number), GGUF (control vectors of llama.cpp and
repeng), lm-eval's ``.pt`` steering files (read without unpickling), and artifacts of this harness whose method
adds vectors. :math:`s\, v_l` is added to the output of block :math:`l` at every token; strength :math:`s` is the
coefficient. ``{value}`` in the file's name stands for the value, where each has a file of its own.
"""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Literal

import numpy as np

from valuebench_harness.engine.intervention import TokenScope
from valuebench_harness.errors import UsageError
from valuebench_harness.steerers import base
from valuebench_harness.steerers.addition import add_vectors
from valuebench_harness.steerers.artifact import Artifact, is_artifact
from valuebench_harness.steerers.vectors import check_shape, read_vectors
from valuebench_harness.steerers.vectors.static import static_vectors


class Settings(base.Settings):
    """Which file, and where it is added.

    Attributes:
        file: path; ``{value}`` in it is replaced by the id of the value.
        scope: the tokens the vectors are added at.
    """

    file: str = ""
    scope: Literal["all", "prompt", "generated", "last-prompt"] = "all"


class Vector(base.Steerer[Settings]):
    """Adds the vectors of a file. Strength is the coefficient."""

    name = "vector"
    source = "a file"
    settings_type = Settings
    uses_pairs = False

    @property
    def reads(self) -> tuple[Path, ...]:
        """The file, or those of all values."""
        pattern = "*".join(map(glob.escape, self.settings.file.split("{value}")))
        return tuple(Path(path) for path in sorted(glob.glob(pattern)))  # noqa: PTH207 - pathlib globs no absolute ones

    def fit(self, context: base.FitContext) -> Artifact:
        """Reads the file and checks it against the model.

        Raises:
            UsageError: no file is named, it holds no vectors, or those of another model or of other layers.
        """
        if not self.settings.file:
            raise UsageError("'vector' needs a file: --set file=path/to/vectors.gguf (or .safetensors, .pt).")
        path = Path(self.settings.file.replace("{value}", context.value.id))
        vectors = _from_artifact(path, context) if is_artifact(path) else read_vectors(path)
        check_shape(vectors, context.shape, path)
        layers = base.check_layers(context.layers or tuple(vectors), context.shape)
        for layer in layers:
            if layer not in vectors:
                known = ", ".join(map(str, vectors))
                raise UsageError(f"{path} has no vector for layer {layer}; it has layers {known} (--layers).")
        table = np.zeros((context.shape.n_layers, context.shape.width), dtype=np.float32)
        for layer, vector in vectors.items():
            table[layer] = vector
        return context.artifact(self.name, {"vectors": table}, layers=layers, settings=self.settings)

    def plan(self, request: base.SteerRequest, artifact: Artifact | None) -> base.Steered:
        """Adds ``sign * strength * v_l`` at each of the file's layers."""
        assert artifact is not None
        return add_vectors(request, artifact, TokenScope(self.settings.scope))


def _from_artifact(path: Path, context: base.FitContext) -> dict[int, np.ndarray]:
    """What the method of an artifact adds; the artifact must be this model's and this value's."""
    from valuebench_harness.steerers.registry import make_steerer

    artifact = Artifact.load(path)
    meta, shape = artifact.meta, context.shape
    artifact.check_model(
        name=shape.name, fingerprint=context.states.fingerprint, n_layers=shape.n_layers, width=shape.width
    )
    return static_vectors(make_steerer(meta.method, meta.settings), artifact, context.value)
