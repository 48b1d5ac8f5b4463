"""Fitted vectors for other tools: safetensors, llama.cpp's GGUF, lm-eval's ``.pt``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from valuebench_harness.steerers.vectors import Origin, write_vectors
from valuebench_harness.steerers.vectors.static import static_vectors

if TYPE_CHECKING:
    from valuebench_harness.data.values import Value
    from valuebench_harness.engine.model import SteeredModel
    from valuebench_harness.steerers.artifact import Artifact
    from valuebench_harness.steerers.base import Steerer


def export_vectors(
    steerer: Steerer[Any], artifact: Artifact, value: Value, model: SteeredModel, formats: Sequence[str], path: Path
) -> list[Path]:
    """Writes the vectors that a fitted method adds, one file a format.

    Args:
        steerer: the method.
        artifact: its fit on `model` for `value`.
        value: that was fitted.
        model: names the blocks and the architecture that the files speak of.
        formats: names in :data:`valuebench_harness.steerers.vectors.FORMATS`.
        path: of the artifact; the files stand beside it as ``{stem}.vectors.{format}``.

    Returns:
        The files.

    Raises:
        UsageError: the method does more than add vectors, or a format cannot hold them.
        IncompleteError: a file cannot be written.
    """
    if not formats:
        return []
    vectors = static_vectors(steerer, artifact, value)
    origin = Origin(
        model=artifact.meta.model,
        model_type=str(model.model.config.get_text_config().model_type),
        blocks=model.layout.path,
        method=artifact.meta.method,
        value=value.id,
    )
    written = []
    for name in formats:
        target = path.with_name(f"{path.stem}.vectors.{name}")
        write_vectors(target, vectors, origin)
        written.append(target)
    return written
