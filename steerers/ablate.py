r"""Directional ablation: one direction is taken out of everything the model computes.

Arditi et al., NeurIPS 2024 ("Refusal in Language Models Is Mediated by a Single Direction"). The
difference of both sides' mean states at the last token, at one source layer, gives a unit vector
:math:`\hat r`; its share is removed from every token (Eq. 4):

.. math:: x' = x - s\, \hat r\, \hat r^\top x

at the input of every block and at the output of its attention and its MLP, as in the published code,
so that no part of the model reads or writes the direction. Strength :math:`s` runs from 0 to 1, the
paper's.

Taking a direction away can only *lower* what it stands for: the paper's operation is the **negative**
direction here. The **positive** direction is the mirror that the operation allows, and not the
paper's: what leans *against* the value is taken away. With :math:`m_l` the middle between both sides'
means along :math:`\hat r`, a token after block :math:`l` with :math:`\hat r^\top x < m_l` loses the
share :math:`s` of what it lacks to :math:`m_l`; all others are left alone.

``center=True`` takes away only what exceeds :math:`m_l` in the negative direction as well, whatever its sign:
the affine form (Marshall et al., 2024, "Refusal in LLMs is an Affine Function"), for directions along which
0 is not in the middle. It acts after every block, where the middle is known.

The paper chooses its source layer by the effect on refusals, among the first 80% of the layers. Here it is
the one that separates held-out pairs best, among the same; ``--set source=N`` names another. ``--layers``
restricts where the direction is removed, which is everywhere in the paper.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from valuebench_harness.engine.intervention import Intervention, Param, Site
from valuebench_harness.engine.plan import SteerPlan
from valuebench_harness.errors import UsageError
from valuebench_harness.steerers import base

if TYPE_CHECKING:
    from collections.abc import Iterator

    from valuebench_harness.engine.arrays import FrozenArray
    from valuebench_harness.steerers.artifact import Artifact

WRITTEN_AND_READ: tuple[Site, ...] = ("input", "attention", "mlp")
SOURCES = 0.8


class Settings(base.Settings):
    """Where the direction comes from.

    Attributes:
        source: the layer whose states give the direction; ``None`` for the best on held-out pairs.
        center: leave the middle of both sides' means in place of 0 (negative direction).
        train_share: share of the pairs that gives the directions to choose from; the rest chooses.
    """

    source: int | None = Field(None, ge=0)
    center: bool = False
    train_share: float = Field(0.7, gt=0, lt=1)


class Ablate(base.Steerer[Settings]):
    """Projects the mean difference's direction out of all states. Strength is the share removed."""

    name = "ablate"
    source = "Arditi et al., NeurIPS 2024"
    settings_type = Settings
    tuning_grid = (0.25, 0.5, 0.75, 1.0)

    def check_strength(self, strength: float) -> None:
        """Raises ``UsageError`` for a strength outside of 0 to 1."""
        super().check_strength(strength)
        if strength > 1:
            raise UsageError(
                f"Strength {strength:g} of 'ablate' must be between 0 (off) and 1 (all of the direction is removed)."
            )

    def fit(self, context: base.FitContext) -> Artifact:
        """Chooses the source layer, and measures the direction's middle at every layer.

        Raises:
            UsageError: for a source layer that the model does not have, or too few pairs.
        """
        positive, negative = context.labelled_states()
        accuracy = self._separation(positive, negative, context)
        if self.settings.source is not None:
            (source,) = base.check_layers([self.settings.source], context.shape)
        else:
            source = max(accuracy, key=lambda layer: accuracy[layer])
        gap = (positive[:, source] - negative[:, source]).mean(axis=0, dtype=np.float64)
        unit = gap / np.linalg.norm(gap)
        middle = (positive.mean(axis=0, dtype=np.float64) + negative.mean(axis=0, dtype=np.float64)) @ unit / 2
        arrays = {"direction": unit[None].astype(np.float32), "middle": middle.astype(np.float32)}
        return context.artifact(
            self.name,
            arrays,
            layers=context.layers or tuple(range(context.shape.n_layers)),
            settings=self.settings.model_copy(update={"source": source}),
            accuracy=accuracy,
        )

    def _separation(self, positive: np.ndarray, negative: np.ndarray, context: base.FitContext) -> dict[int, float]:
        """Held-out accuracy of each candidate layer's direction, cut at its own middle."""
        n = len(positive)
        if n < 2:
            raise UsageError(f"'ablate' needs at least 2 pairs of {context.value.id}, there are {n}. Give more pairs.")
        order = np.random.default_rng(context.seed).permutation(n)
        cut = min(max(1, round(self.settings.train_share * n)), n - 1)
        found = {}
        for layer in range(max(1, int(SOURCES * context.shape.n_layers))):
            above, below = positive[:, layer].astype(np.float64), negative[:, layer].astype(np.float64)
            means = above[order[:cut]].mean(axis=0), below[order[:cut]].mean(axis=0)
            direction = means[0] - means[1]
            middle = (means[0] + means[1]) @ direction / 2
            right = np.mean(above[order[cut:]] @ direction > middle), np.mean(below[order[cut:]] @ direction <= middle)
            found[layer] = float(sum(right) / 2)
        return found

    def plan(self, request: base.SteerRequest, artifact: Artifact | None) -> base.Steered:
        """Removes the direction, or what leans against it, at the artifact's layers."""
        assert artifact is not None
        if request.strength == 0 or not request.gate_open:
            return base.Steered(request.messages)
        vector, middle = artifact.frozen("direction", 0), artifact.arrays["middle"]
        steps: list[Intervention] = []
        for layer in artifact.meta.layers:
            if request.direction == "negative" and not self.settings.center:
                steps.extend(_remove(layer, vector, request.strength))
            else:
                side = -1.0 if request.direction == "positive" else 0.0
                params: dict[str, Param] = {"vector": vector, "offset": float(middle[layer]), "side": side}
                steps.append(Intervention("ablate", layer, params, coefficient=request.strength))
        return base.Steered(request.messages, SteerPlan(tuple(steps)))


def _remove(layer: int, vector: FrozenArray, strength: float) -> Iterator[Intervention]:
    for site in WRITTEN_AND_READ:
        params: dict[str, Param] = {"vector": vector, "offset": 0.0, "side": 0.0}
        yield Intervention("ablate", layer, params, site=site, coefficient=strength)
