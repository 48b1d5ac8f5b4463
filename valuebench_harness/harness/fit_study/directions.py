"""A fitted method's direction by layer, and the tokens it stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from valuebench_harness.engine.arrays import FrozenArray
from valuebench_harness.engine.plan import Message
from valuebench_harness.harness.fit_study.records import CosineMap, DecodedTokens
from valuebench_harness.steerers.base import ModelShape, Steerer, SteerRequest

if TYPE_CHECKING:
    from valuebench_harness.data.values import Value
    from valuebench_harness.engine.model import SteeredModel
    from valuebench_harness.steerers.artifact import Artifact

TOP = 10
"""Tokens shown of each side, as in ConVA's Table 3."""

PARAMETERS = ("vector", "w")
"""Names under which kinds of interventions take their direction."""

NORMS = ("norm", "ln_f", "final_layer_norm", "final_layernorm", "norm_f", "final_norm")
"""Names of the norm between the last block and the unembedding, beside the blocks."""

Directions = Mapping[int, NDArray[np.float64]]


def directions(steerer: Steerer[Any], artifact: Artifact, value: Value) -> Directions:
    """Unit vectors in the residual stream, by layer; none where the method has no direction there.

    Taken from what the method plans in the positive direction, and for layers that it does not
    steer from an array with one row a layer, where the artifact keeps one.
    """
    meta = artifact.meta
    shape = ModelShape(meta.model, meta.n_layers, meta.width)
    strength = steerer.default_strength
    planned = steerer.plan(SteerRequest((Message("user", "?"),), value, "positive", strength, shape), artifact)
    found: dict[int, NDArray[np.float64]] = {}
    for one in planned.plan.active:
        vector = next((one.params[name] for name in PARAMETERS if name in one.params), None)
        if one.site == "block" and isinstance(vector, FrozenArray) and vector.array.size == meta.width:
            found[one.layer] = np.sign(one.coefficient) * vector.array.reshape(-1).astype(np.float64)
    if found:
        for array in artifact.arrays.values():
            if array.shape == (meta.n_layers, meta.width):
                found = {**dict(enumerate(array.astype(np.float64))), **found}
                break
    norms = {layer: float(np.linalg.norm(vector)) for layer, vector in found.items()}
    return {layer: found[layer] / norms[layer] for layer in sorted(found) if norms[layer] > 0}


def cosine_maps(by_value: Sequence[Directions], steered: Sequence[Sequence[int]]) -> tuple[CosineMap, ...]:
    """Cosines between all values at every layer at which all of them have a direction.

    Args:
        by_value: directions of each value.
        steered: layers at which each value is steered.
    """
    if len(by_value) < 2:
        return ()
    shared = sorted(set.intersection(*(set(one) for one in by_value)))
    maps = []
    for layer in shared:
        units = np.stack([one[layer] for one in by_value])
        cosines = np.clip(units @ units.T, -1, 1)
        n = sum(layer in layers for layers in steered)
        maps.append(CosineMap(layer=layer, steered_by=n, cosines=tuple(tuple(row) for row in cosines.tolist())))
    return tuple(maps)


@torch.no_grad()
def decoded(model: SteeredModel, found: Directions) -> DecodedTokens | None:
    """The tokens that the last direction and its opposite raise most, through final norm and unembedding."""
    head = model.model.get_output_embeddings()  # type: ignore[no-untyped-call]
    if not found or not isinstance(head, torch.nn.Module):
        return None
    layer = max(found)
    parameter = next(head.parameters())
    units = torch.from_numpy(np.stack([found[layer], -found[layer]])).to(parameter.device, parameter.dtype)
    norm = _final_norm(model)
    # As long as a state is wide, so that a norm's epsilon does not count.
    states = units * model.width**0.5
    logits = head(norm(states) if norm is not None else states).float().cpu()
    towards, away = (
        tuple(model.codec.decode([int(i)], skip_special=False) for i in row) for row in logits.topk(TOP).indices
    )
    return DecodedTokens(layer=layer, towards=towards, away=away)


def _final_norm(model: SteeredModel) -> torch.nn.Module | None:
    holder: Any = model.model
    for name in model.layout.path.split(".")[:-1]:
        holder = getattr(holder, name)
    return next((norm for name in NORMS if isinstance(norm := getattr(holder, name, None), torch.nn.Module)), None)
