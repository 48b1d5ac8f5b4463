r"""Representation engineering (RepE): the main axis along which the two sides of pairs differ.

Zou et al., 2023 ("Representation Engineering", Section 3.1, linear artificial tomography). With
:math:`d_i = h_l(t_i^+) - h_l(t_i^-)` the difference of a pair's last-token states after block
:math:`l`, the direction :math:`u_l` is the first principal component of the :math:`d_i`, turned so
that most pairs have the larger projection on their positive side. Control adds
:math:`\pm s\, c_l u_l` at every token.

Decisions where the sources differ:

- The paper orders each pair's texts by chance before it takes differences and their mean off, so that
  the mean is about 0. The same axis without the chance is the first right singular vector of the
  differences as they are: ``center=False``, and repeng's ``pca_center``. ``center=True`` takes the
  mean difference off, which is most of what tells the sides apart: repeng's ``pca_diff``.
- The paper's coefficients are for unit vectors of one model. Here :math:`c_l` is the length of the mean
  difference along :math:`u_l`, so that strength 1 means the same as for ``caa``; ``scale="unit"`` is
  the paper's and repeng's.
- Layers are those of the paper's honesty control, blocks 15 to 27 of 32, as a share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from valuebench_harness.engine.intervention import TokenScope
from valuebench_harness.steerers import base
from valuebench_harness.steerers.addition import add_vectors

if TYPE_CHECKING:
    from valuebench_harness.steerers.artifact import Artifact

FIRST, LAST = 15 / 32, 27 / 32


class Settings(base.Settings):
    """How the axis is found and added.

    Attributes:
        center: take the mean difference off before the components are computed.
        scale: ``difference``, the pairs' mean difference along the axis; or ``unit``.
        scope: the tokens the vector is added at.
    """

    center: bool = False
    scale: Literal["difference", "unit"] = "difference"
    scope: Literal["all", "prompt", "generated", "last-prompt"] = "all"


def principal_direction(positive: np.ndarray, negative: np.ndarray, *, center: bool) -> np.ndarray:
    """The unit vector of the first principal component of paired differences, towards the positive side.

    Args:
        positive: states ``[n_pairs, width]``.
        negative: of the same pairs.
        center: take the mean difference off first.

    Returns:
        ``[width]``, float64.
    """
    differences = positive.astype(np.float64) - negative.astype(np.float64)
    cloud = differences - differences.mean(axis=0) if center else differences
    direction: np.ndarray = np.linalg.svd(cloud, full_matrices=False)[2][0]
    sides = np.sign(differences @ direction)
    # A majority of pairs decides, as in the paper; the mean difference, where they are even.
    vote = sides.sum() or (differences @ direction).sum()
    return direction if vote >= 0 else -direction


class RepE(base.Steerer[Settings]):
    """Adds the first principal component of the pairs' differences. Strength is the coefficient."""

    name = "repe"
    source = "Zou et al., 2023"
    settings_type = Settings

    def fit(self, context: base.FitContext) -> Artifact:
        """One vector a layer; all layers are kept, so that others can be steered without a new fit."""
        positive, negative = context.labelled_states()
        vectors = np.zeros(positive.shape[1:], dtype=np.float32)
        for layer in range(context.shape.n_layers):
            u = principal_direction(positive[:, layer], negative[:, layer], center=self.settings.center)
            gap = (positive[:, layer] - negative[:, layer]).mean(axis=0, dtype=np.float64) @ u
            vectors[layer] = u if self.settings.scale == "unit" else gap * u
        n = context.shape.n_layers
        layers = context.layers or tuple(range(round(FIRST * n), min(n - 1, round(LAST * n)) + 1))
        return context.artifact(self.name, {"vectors": vectors}, layers=layers, settings=self.settings)

    def plan(self, request: base.SteerRequest, artifact: Artifact | None) -> base.Steered:
        """Adds ``sign * strength * v_l`` at each of the artifact's layers."""
        assert artifact is not None
        return add_vectors(request, artifact, TokenScope(self.settings.scope))
