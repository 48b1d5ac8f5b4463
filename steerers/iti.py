r"""Inference-time intervention (ITI): a shift inside the attention heads that know best.

Li et al., NeurIPS 2023. A linear probe on every head's output at the last token of each text, before
the output projection; the :math:`K` heads with the best held-out accuracy are shifted (Eq. 2):

.. math:: x_{l+1} = x_l + \sum_h Q_l^h \bigl( \mathrm{Att}_l^h(P_l^h x_l) + \alpha\, \sigma_l^h\, \theta_l^h \bigr)

:math:`\theta_l^h` is a unit vector, by default the *mass mean shift* (the difference of both sides'
means), else the probe's normal; :math:`\sigma_l^h` is the standard deviation of the training states
along it. Strength is :math:`\alpha`. The paper's best on LLaMA-7B, :math:`K = 48` in 32 layers and
:math:`\alpha = 15`, are the defaults, the first as 1.5 heads a layer. The paper chose both for one model:
on others, ``--tune`` or ``--match-kl`` first.

The shift acts where the next token is predicted, as in the paper and its code: at the last token of the
prompt and at every generated one. ``scope="all"`` shifts the whole prompt as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from valuebench_harness.engine.intervention import TokenScope
from valuebench_harness.errors import UsageError
from valuebench_harness.steerers import base
from valuebench_harness.steerers.addition import add_vectors
from valuebench_harness.steerers.probe import LinearProbe, fit_probe

if TYPE_CHECKING:
    from valuebench_harness.steerers.artifact import Artifact

HEADS_A_LAYER = 48 / 32


class Settings(base.Settings):
    """Which heads are shifted, along what, and where.

    Attributes:
        heads: how many; ``None`` for the paper's 1.5 a layer.
        direction: ``mass-mean`` or ``probe``, both of unit length before they are scaled.
        scope: ``answer``: the last prompt token and all generated ones; or ``all``.
        c: inverse penalty of the probes' logistic regression.
        train_share: share of the pairs that trains; the rest measures accuracy.
    """

    heads: int | None = Field(None, ge=1)
    direction: Literal["mass-mean", "probe"] = "mass-mean"
    scope: Literal["answer", "all"] = "answer"
    c: float = Field(1.0, gt=0)
    train_share: float = Field(0.7, gt=0, lt=1)


class ITI(base.Steerer[Settings]):
    """Shifts the most accurate attention heads. Strength is alpha, in deviations of each head."""

    name = "iti"
    source = "Li et al., NeurIPS 2023"
    settings_type = Settings
    default_strength = 15.0
    tuning_grid = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)

    def fit(self, context: base.FitContext) -> Artifact:
        """Ranks all heads (of ``--layers``, where given) and keeps the shift of the best.

        Raises:
            UsageError: where the model's heads cannot be told apart, or there are fewer than asked for.
        """
        positive = context.states.heads([p.positive for p in context.pairs])
        negative = context.states.heads([p.negative for p in context.pairs])
        _, n_layers, n_heads, width = positive.shape
        candidates = [(layer, head) for layer in context.layers or range(n_layers) for head in range(n_heads)]
        probes = {
            (layer, head): fit_probe(
                positive[:, layer, head],
                negative[:, layer, head],
                c=self.settings.c,
                standardize=False,
                train_share=self.settings.train_share,
                seed=context.seed,
            )
            for layer, head in candidates
        }
        wanted = self.settings.heads or min(len(candidates), round(HEADS_A_LAYER * len(candidates) / n_heads))
        if wanted > len(candidates):
            raise UsageError(
                f"ITI is to shift {wanted} heads, but {context.shape.name} has {len(candidates)} to choose from. "
                "Lower --set heads=..., or name more layers with --layers."
            )
        best = sorted(candidates, key=lambda at: (-probes[at].accuracy, at))[:wanted]
        vectors = np.zeros((n_layers, n_heads, width), dtype=np.float32)
        accuracy: dict[int, float] = {}
        for layer, head in best:
            probe = probes[layer, head]
            vectors[layer, head] = self._shift(positive[:, layer, head], negative[:, layer, head], probe)
            accuracy[layer] = max(accuracy.get(layer, 0.0), probe.accuracy)
        return context.artifact(
            self.name,
            {"vectors": vectors.reshape(n_layers, n_heads * width)},
            layers=sorted(accuracy),
            settings=self.settings,
            accuracy=accuracy,
        )

    def _shift(self, positive: np.ndarray, negative: np.ndarray, probe: LinearProbe) -> np.ndarray:
        """``sigma * theta`` of one head, ``[head width]``."""
        states = np.concatenate([positive, negative]).astype(np.float64)
        mass_mean = positive.mean(axis=0, dtype=np.float64) - negative.mean(axis=0, dtype=np.float64)
        theta = mass_mean if self.settings.direction == "mass-mean" else probe.w.astype(np.float64)
        theta = theta / (np.linalg.norm(theta) or 1.0)
        return np.asarray((states @ theta).std() * theta)

    def plan(self, request: base.SteerRequest, artifact: Artifact | None) -> base.Steered:
        """Adds ``sign * alpha * sigma * theta`` to the chosen heads."""
        assert artifact is not None
        answer = (TokenScope("last-prompt"), TokenScope("generated"))
        scopes = answer if self.settings.scope == "answer" else (TokenScope("all"),)
        return add_vectors(request, artifact, *scopes, site="heads")
