"""Adding one fixed vector a layer: the plan that several methods share once they have their vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from valuebench_harness.engine.intervention import Intervention, Site, TokenScope
from valuebench_harness.engine.plan import SteerPlan
from valuebench_harness.steerers.base import Steered, SteerRequest

if TYPE_CHECKING:
    from valuebench_harness.steerers.artifact import Artifact


def add_vectors(request: SteerRequest, artifact: Artifact, *scopes: TokenScope, site: Site = "block") -> Steered:
    """Adds ``sign * strength * vectors[layer]`` at the layers of an artifact.

    Args:
        request: at strength 0, or with a closed gate, it comes back as it is.
        artifact: holds ``vectors``, ``[n_layers, width of the site]``.
        *scopes: tokens the vector is added at; they must not overlap.
        site: where in the block.
    """
    if request.strength == 0 or not request.gate_open:
        return Steered(request.messages)
    interventions = tuple(
        Intervention(
            kind="add",
            layer=layer,
            params={"vector": artifact.frozen("vectors", layer)},
            site=site,
            scope=scope,
            coefficient=request.sign * request.strength,
        )
        for layer in artifact.meta.layers
        for scope in scopes
    )
    return Steered(request.messages, SteerPlan(interventions))
