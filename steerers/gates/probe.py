r"""A linear probe as gate: does the unsteered model itself read a value in the prompt?

ConVA gates with a DeBERTa value detector (Jin et al., ACL 2025, Section 4.1); this gate needs no
second model. It is a logistic regression on the mean state of the prompt in the middle of the
model, fitted on the value's training texts (both sides: what matters is whether the value is
at stake) against neutral texts. Nothing of the exam that later measures it enters the fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field
from scipy.special import expit

from valuebench_harness.errors import UsageError
from valuebench_harness.steerers import base
from valuebench_harness.steerers.gates.base import Gate, GateDecision, GatePrompt
from valuebench_harness.steerers.probe import LinearProbe, fit_probe

if TYPE_CHECKING:
    from valuebench_harness.steerers.artifact import Artifact
    from valuebench_harness.steerers.states import States


class Settings(base.Settings):
    """``g0`` is the threshold on g(x), ``depth`` the share of the model at which states are read."""

    g0: float = Field(0.5, gt=0, lt=1)
    depth: float = Field(0.5, ge=0, le=1)
    c: float = Field(0.01, gt=0)


class ProbeGate(Gate[Settings]):
    """Logistic regression on prompt-mean states."""

    name = "probe"
    settings_type = Settings

    def fit(self, context: base.FitContext) -> Artifact:
        """Fits value texts against neutral texts.

        Raises:
            UsageError: where the data set has too few neutral texts.
        """
        if len(context.neutral) < 10:
            raise UsageError(
                f"The probe gate for {context.value.id} needs at least 10 neutral texts, the data set has "
                f"{len(context.neutral)} (neutral.jsonl). Add some, or run with --gate none."
            )
        shape = context.shape
        layer = min(round(self.settings.depth * shape.n_layers), shape.n_layers - 1)
        texts = [t for p in context.pairs for t in (p.positive, p.negative)]
        probe = fit_probe(
            context.states.message_mean(texts, layer),
            context.states.message_mean(context.neutral, layer),
            c=self.settings.c,
            standardize=True,
            train_share=0.7,
            seed=context.seed,
            paired=False,
        )
        arrays = {"w": probe.w, "b": np.array([probe.b], dtype=np.float32)}
        return context.artifact(
            f"gate-{self.name}", arrays, layers=(layer,), settings=self.settings, accuracy={layer: probe.accuracy}
        )

    def decide(self, prompts: Sequence[GatePrompt], artifact: Artifact, states: States) -> list[GateDecision]:
        """Scores rendered prompts in one unsteered pass."""
        (layer,) = artifact.meta.layers
        probe = LinearProbe(artifact.arrays["w"], float(artifact.arrays["b"][0]), artifact.meta.accuracy[layer])
        scores = expit(probe.logits(states.prompt_mean([p.rendered for p in prompts], layer)))
        return [GateDecision(float(s), bool(s > self.settings.g0)) for s in scores]
