r"""Contrastive activation addition (CAA).

Rimsky et al., ACL 2024 ("Steering Llama 2 via Contrastive Activation Addition"): with
:math:`h_l(t)` the residual stream after block :math:`l` at the last token of text :math:`t`,

.. math:: v_l = \frac{1}{n} \sum_i \bigl( h_l(t_i^+) - h_l(t_i^-) \bigr)

is added with a coefficient at every token. The paper steers one layer, 13 of Llama 2 7B's 32;
other depths take the same share of the model (0.4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from valuebench_harness.engine.intervention import TokenScope
from valuebench_harness.steerers import base
from valuebench_harness.steerers.addition import add_vectors

if TYPE_CHECKING:
    from valuebench_harness.steerers.artifact import Artifact


class Settings(base.Settings):
    """``scope``: the tokens the vector is added at."""

    scope: Literal["all", "prompt", "generated", "last-prompt"] = "all"


class CAA(base.Steerer[Settings]):
    """Adds the mean difference of contrastive pairs. Strength is the coefficient."""

    name = "caa"
    source = "Rimsky et al., ACL 2024"
    settings_type = Settings
    tuning_depths = (0.25, 0.55, 0.7)

    def fit(self, context: base.FitContext) -> Artifact:
        """One mean difference a layer; all layers are kept, so that another can be steered without a new fit."""
        positive, negative = context.labelled_states()
        vectors = (positive - negative).mean(axis=0, dtype=np.float64).astype(np.float32)
        layers = context.layers or (round(0.4 * context.shape.n_layers),)
        return context.artifact(self.name, {"vectors": vectors}, layers=layers, settings=self.settings)

    def plan(self, request: base.SteerRequest, artifact: Artifact | None) -> base.Steered:
        """Adds ``sign * strength * v_l`` at each of the artifact's layers."""
        assert artifact is not None
        return add_vectors(request, artifact, TokenScope(self.settings.scope))
