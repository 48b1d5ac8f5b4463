r"""Controlled value vector activation (ConVA).

Jin et al., ACL 2025. A logistic classifier :math:`P_V(e) = \sigma(w^\top e + b)` a layer (Eq. 1)
tells states of positive texts from those of negative ones; its normal :math:`v = w / \lVert w
\rVert` (Eq. 4) is the value vector. Where the gate is open, every token with :math:`P_V(e) < P_0`
is moved by the smallest step that reaches :math:`P_0` (Eq. 5 and 6):

.. math:: \epsilon = \frac{\mathrm{logit}(P_0) - w^\top e - b}{w^\top v}, \qquad e' = e + \epsilon v

layer after layer inside one forward pass, each layer seeing what the earlier ones changed.
Strength is the paper's :math:`x` in :math:`P_0 = 1 - 0.1^x` (Appendix I), so that
:math:`\mathrm{logit}(P_0) = x \ln 10 + \ln(1 - 10^{-x})`. The negative direction mirrors it: tokens
with :math:`P_V > 1 - P_0` are moved down to it.

Decisions where the paper is silent, with the published code's choice:

- States are those of a text's last token, 70% of the pairs train, 30% measure accuracy (as in the code).
- States are standardised and the penalty is strong (``c=0.01``); the weights are folded back, so that
  Eq. 1 holds on raw states. Raw states with ``c=1`` (``standardize=False, c=1.0``) are the code's.
- "Except the last five layers" is a share of a 32-layer model: ``max(1, round(5 L / 32))`` are left out.
- ``preset="table16"`` takes each value's published :math:`P_0` where no strength is given, and the published
  detector with its :math:`g_0` as gate (:mod:`.table16`).
- ``per="token"`` is the paper's equation; ``per="prompt"`` is the code's: one step a layer for all
  tokens, from the last token of the prompt.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from valuebench_harness.engine.intervention import Intervention
from valuebench_harness.engine.plan import SteerPlan
from valuebench_harness.errors import UsageError
from valuebench_harness.steerers import base
from valuebench_harness.steerers.probe import fit_probe
from valuebench_harness.steerers.table16 import published

if TYPE_CHECKING:
    from collections.abc import Sequence

    from valuebench_harness.steerers.artifact import Artifact


class Settings(base.Settings):
    """How classifiers are fitted and which layers are steered.

    Attributes:
        per: one step a token (the paper) or one a prompt (its code).
        min_accuracy: a layer is steered where its held-out accuracy is above this.
        skip_last: how many of the last layers are left out; ``None`` for the paper's share.
        standardize: fit on standardised states.
        c: inverse penalty of the logistic regression.
        train_share: share of the pairs that trains; the rest measures accuracy.
        preset: ``table16`` for the paper's P0 and g0 of each value, found on Llama-2-7b-chat.
    """

    per: Literal["token", "prompt"] = "token"
    min_accuracy: float = Field(0.9, ge=0, le=1)
    skip_last: int | None = Field(None, ge=0)
    standardize: bool = True
    c: float = Field(0.01, gt=0)
    train_share: float = Field(0.7, gt=0, lt=1)
    preset: Literal["table16"] | None = None


def logit_p0(strength: float) -> float:
    r"""``logit(1 - 0.1^x)``, finite for every ``x > 0`` (``P_0`` itself rounds to 1 from x = 8 in float32)."""
    x = strength * math.log(10)
    return x + math.log(-math.expm1(-x))  # log1p(-10^-x) in a form that holds for the smallest x as well


def skipped_layers(n_layers: int, skip_last: int | None) -> int:
    """How many of the last layers are left out."""
    return max(1, round(5 * n_layers / 32)) if skip_last is None else skip_last


class ConVA(base.Steerer[Settings]):
    """Minimal shift to the classifier's side, behind a gate. Strength is x in P0 = 1 - 0.1^x."""

    name = "conva"
    source = "Jin et al., ACL 2025"
    settings_type = Settings
    default_strength = 1.3  # P0 = 0.95, the middle of the paper's Table 16
    default_gate = "probe"
    tuning_grid = tuple(float(x) for x in range(1, 16))  # the paper's search (Appendix I)

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(settings)
        if self.settings.preset is not None:
            self.default_gate = "deberta"

    def preset_strength(self, value: str) -> float | None:
        """The strength of the value's published P0, where the preset is asked for."""
        if self.settings.preset is None:
            return None
        return published(value, "Leave --set preset out, or name a --strength.").strength

    def fit(self, context: base.FitContext) -> Artifact:
        """Fits a classifier a layer and chooses the layers to steer.

        Raises:
            UsageError: where no layer's classifier is accurate enough.
        """
        positive, negative = context.labelled_states()
        shape = context.shape
        probes = [
            fit_probe(
                positive[:, layer],
                negative[:, layer],
                c=self.settings.c,
                standardize=self.settings.standardize,
                train_share=self.settings.train_share,
                seed=context.seed,
            )
            for layer in range(shape.n_layers)
        ]
        accuracy = {layer: p.accuracy for layer, p in enumerate(probes)}
        arrays = {"w": np.stack([p.w for p in probes]), "b": np.array([p.b for p in probes], dtype=np.float32)}
        layers = self._choose(accuracy, context)
        return context.artifact(self.name, arrays, layers=layers, settings=self.settings, accuracy=accuracy)

    def _choose(self, accuracy: dict[int, float], context: base.FitContext) -> tuple[int, ...]:
        if context.layers is not None:
            return context.layers
        n = context.shape.n_layers
        last = n - skipped_layers(n, self.settings.skip_last)
        chosen = tuple(layer for layer in range(last) if accuracy[layer] > self.settings.min_accuracy)
        if not chosen:
            best = max(range(max(1, last)), key=lambda layer: accuracy[layer])
            raise UsageError(
                f"ConVA for {context.value.id}: no layer's classifier is above {self.settings.min_accuracy:g} held-out "
                f"accuracy on {context.shape.name} (best {accuracy[best]:.2f}, layer {best}). "
                "Give more pairs, lower it with --set min_accuracy=..., or name layers with --layers."
            )
        return chosen

    def plan(self, request: base.SteerRequest, artifact: Artifact | None) -> base.Steered:
        """One minimal shift at each of the artifact's layers."""
        assert artifact is not None
        if request.strength == 0 or not request.gate_open:
            return base.Steered(request.messages)
        return base.Steered(request.messages, SteerPlan(tuple(self._shifts(artifact, request.strength, request.sign))))

    def _shifts(self, artifact: Artifact, strength: float, sign: int) -> Sequence[Intervention]:
        kind = "minimal-shift" if self.settings.per == "token" else "minimal-shift-prompt"
        return [
            Intervention(
                kind=kind,
                layer=layer,
                params={
                    "w": artifact.frozen("w", layer),
                    "b": float(artifact.arrays["b"][layer]),
                    "logit_p0": logit_p0(strength),
                    "sign": float(sign),
                },
            )
            for layer in artifact.meta.layers
        ]
