"""Which vectors a fitted method adds, where that is all it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from valuebench_harness.engine.arrays import FrozenArray
from valuebench_harness.engine.plan import Message
from valuebench_harness.errors import UsageError
from valuebench_harness.steerers.base import ModelShape, Steerer, SteerRequest

if TYPE_CHECKING:
    from valuebench_harness.data.values import Value
    from valuebench_harness.steerers.artifact import Artifact


def static_vectors(steerer: Steerer[Any], artifact: Artifact, value: Value) -> dict[int, np.ndarray]:
    """What a method adds to the output of each block at every token, in the positive direction at strength 1.

    Args:
        steerer: any method.
        artifact: its fit.
        value: that the fit is for.

    Returns:
        Layer to vector ``[width]``, float32.

    Raises:
        UsageError: the method does something else: it rewrites prompts, changes weights, reads the state first,
            acts inside a block, or at some tokens only.
    """
    shape = ModelShape(artifact.meta.model, artifact.meta.n_layers, artifact.meta.width)
    messages = (Message("user", ""),)
    steered = steerer.plan(SteerRequest(messages, value, "positive", 1.0, shape), artifact)
    found: dict[int, np.ndarray] = {}
    reasons = ["rewrites prompts"] if steered.messages != messages else []
    reasons += ["changes weights"] if steered.plan.adapters else []
    for step in steered.plan.active:
        if step.kind != "add" or step.site != "block" or step.scope.kind != "all":
            reasons.append(f"does '{step.kind}' at site '{step.site}', tokens '{step.scope.kind}'")
            continue
        vector = step.params["vector"]
        assert isinstance(vector, FrozenArray)
        found[step.layer] = found.get(step.layer, np.float32(0)) + np.float32(step.coefficient) * vector.array
    if reasons or not found:
        raise UsageError(
            f"'{steerer.name}' cannot be written as a file of vectors: it {reasons[0] if reasons else 'adds nothing'}. "
            "Only what is added to the output of blocks at every token can, as caa and repe do."
        )
    return found
