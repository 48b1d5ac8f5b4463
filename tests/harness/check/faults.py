"""An honest steerer, and what goes wrong with steerers: one fault a class.

Read as a user's file, ``faults.py:Class``.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from valuebench_harness.engine.arrays import FrozenArray
from valuebench_harness.engine.intervention import Intervention, TokenScope
from valuebench_harness.engine.kinds import register
from valuebench_harness.engine.plan import Message, SteerPlan
from valuebench_harness.steerers import base
from valuebench_harness.steerers.artifact import Artifact
from valuebench_harness.steerers.base import FitContext, Steered, Steerer, SteerRequest


class Settings(base.Settings):
    """``scope``: the tokens that are steered."""

    scope: Literal["all", "prompt", "generated"] = "all"


class Honest(Steerer[Settings]):
    """Adds the mean difference at two layers."""

    name = "honest"
    source = "this test"
    settings_type = Settings
    kind: ClassVar[str] = "add"
    layers: ClassVar[tuple[int, ...]] = (1, 2)

    def fit(self, context: FitContext) -> Artifact | None:
        positive, negative = context.labelled_states()
        vectors = (positive - negative).mean(axis=0, dtype=np.float64)
        return context.artifact(self.name, {"vectors": self.learned(vectors, context)}, layers=self.layers)

    def learned(self, vectors: np.ndarray, context: FitContext) -> np.ndarray:
        return vectors.astype(np.float32)

    def plan(self, request: SteerRequest, artifact: Artifact | None) -> Steered:
        if request.strength == 0 or not request.gate_open:
            return Steered(request.messages)
        return self.steer(request, artifact)

    def steer(self, request: SteerRequest, artifact: Artifact | None) -> Steered:
        assert artifact is not None
        return Steered(request.messages, SteerPlan(tuple(self.one(request, artifact, x) for x in self.layers)))

    def one(self, request: SteerRequest, artifact: Artifact, layer: int) -> Intervention:
        return Intervention(
            self.kind,
            layer,
            {"vector": self.vector(artifact, layer)},
            scope=TokenScope(self.settings.scope),
            coefficient=self.coefficient(request),
        )

    def vector(self, artifact: Artifact, layer: int) -> FrozenArray:
        return artifact.frozen("vectors", layer)

    def coefficient(self, request: SteerRequest) -> float:
        return request.sign * request.strength


class SteersAtZero(Honest):
    def plan(self, request: SteerRequest, artifact: Artifact | None) -> Steered:
        return self.steer(request, artifact) if request.gate_open else Steered(request.messages)

    def coefficient(self, request: SteerRequest) -> float:
        return request.sign * (0.1 + request.strength)


class RewritesAtZero(Steerer[base.Settings]):
    name = "rewrites-at-zero"
    source = "this test"
    strengths = "switch"

    def plan(self, request: SteerRequest, artifact: Artifact | None) -> Steered:
        if not request.gate_open:
            return Steered(request.messages)
        return Steered((Message("user", f"{request.messages[-1].content} "),))


class IgnoresTheGate(Honest):
    def plan(self, request: SteerRequest, artifact: Artifact | None) -> Steered:
        return self.steer(request, artifact) if request.strength else Steered(request.messages)


class DrawsInPlan(Honest):
    def vector(self, artifact: Artifact, layer: int) -> FrozenArray:
        noise = np.random.default_rng().normal(size=artifact.meta.width, scale=0.01)
        return FrozenArray(artifact.arrays["vectors"][layer] + noise)


class CountsPlans(Honest):
    n = 0

    def coefficient(self, request: SteerRequest) -> float:
        self.n += 1
        return request.sign * request.strength * (1 + 0.001 * self.n)


class DrawsInFit(Honest):
    def learned(self, vectors: np.ndarray, context: FitContext) -> np.ndarray:
        return (vectors + np.random.default_rng().normal(size=vectors.shape, scale=1e-3)).astype(np.float32)


class KeepsItToItself(Honest):
    mine: np.ndarray

    def learned(self, vectors: np.ndarray, context: FitContext) -> np.ndarray:
        self.mine = vectors
        return np.zeros(1, dtype=np.float32)

    def vector(self, artifact: Artifact, layer: int) -> FrozenArray:
        return FrozenArray(self.mine[layer])


class WritesIntoItsArtifact(Honest):
    def vector(self, artifact: Artifact, layer: int) -> FrozenArray:
        vector = artifact.frozen("vectors", layer)
        artifact.arrays["vectors"][layer] *= 0.5
        return vector


class LearnsInDoublePrecision(Honest):
    def learned(self, vectors: np.ndarray, context: FitContext) -> np.ndarray:
        return vectors


class OneLayerOff(Honest):
    def one(self, request: SteerRequest, artifact: Artifact, layer: int) -> Intervention:
        return super().one(request, artifact, layer + 1)


class SaysAllSteersThePrompt(Honest):
    def one(self, request: SteerRequest, artifact: Artifact, layer: int) -> Intervention:
        return replace(super().one(request, artifact, layer), scope=TokenScope("prompt"))


class NumbersOfNumpy(Honest):
    def one(self, request: SteerRequest, artifact: Artifact, layer: int) -> Intervention:
        scope: Any = np.int64(1)
        return replace(super().one(request, artifact, layer), scope=TokenScope("position", position=scope))


class RegistersInPlan(Honest):
    kind = "test-closure"

    def vector(self, artifact: Artifact, layer: int) -> FrozenArray:
        vector = artifact.frozen("vectors", layer)
        tensor = torch.from_numpy(vector.array.copy())

        @register("test-closure", vectors=("vector",))
        def closure(h: Tensor, params: Mapping[str, Tensor]) -> Tensor:
            return h + params["coefficient"] * tensor.to(h.device)

        return vector


class Clips(Honest):
    def coefficient(self, request: SteerRequest) -> float:
        return request.sign * min(request.strength, 1.0)


class TakesTheRoot(Honest):
    def coefficient(self, request: SteerRequest) -> float:
        return request.sign * 1 / request.strength


class ConfusesTheSides(Honest):
    def learned(self, vectors: np.ndarray, context: FitContext) -> np.ndarray:
        return -vectors.astype(np.float32)


class ForgetsTheSign(Honest):
    def coefficient(self, request: SteerRequest) -> float:
        return request.strength


class DoesNothing(Honest):
    def learned(self, vectors: np.ndarray, context: FitContext) -> np.ndarray:
        return np.zeros_like(vectors, dtype=np.float32)


@register("test-batch-mean", vectors=("vector",))
def batch_mean(h: Tensor, params: Mapping[str, Tensor]) -> Tensor:
    """Mixes the mean of all tokens of the pass in."""
    return h + params["coefficient"] * (params["vector"] + 0.2 * h.mean(dim=0))


class TakesTheBatchMean(Honest):
    kind = "test-batch-mean"


@register("test-prefill-only", vectors=("vector",))
def prefill_only(h: Tensor, params: Mapping[str, Tensor]) -> Tensor:
    """Takes one token for a decode step, and leaves it alone."""
    return h if len(h) == 1 else h + params["coefficient"] * params["vector"]


class MissesCachedSteps(Honest):
    kind = "test-prefill-only"


@register("test-half", vectors=("vector",))
def divides(h: Tensor, params: Mapping[str, Tensor]) -> Tensor:
    """Divides by what bfloat16 rounds away, which is nothing in bfloat16 itself."""
    rounded = (h - h.bfloat16().float()).abs().sum(dim=-1, keepdim=True)
    return h + params["coefficient"] * params["vector"] * (rounded / rounded)


class DividesByRounding(Honest):
    kind = "test-half"


class LeaksInFit(Honest):
    def fit(self, context: FitContext) -> Artifact | None:
        assert context.model is not None
        context.model.layout.blocks[0].register_forward_hook(lambda *_: None)
        return super().fit(context)


class LeaksInPlan(Honest):
    block: ClassVar[torch.nn.Module | None] = None

    def fit(self, context: FitContext) -> Artifact | None:
        assert context.model is not None
        type(self).block = context.model.layout.blocks[0]
        return super().fit(context)

    def vector(self, artifact: Artifact, layer: int) -> FrozenArray:
        vector = artifact.frozen("vectors", layer)
        shift = torch.from_numpy(vector.array.copy())
        if self.block is not None:  # a new process has not fitted
            self.block.register_forward_hook(
                lambda _, __, out: (out[0] + shift, *out[1:]) if isinstance(out, tuple) else out + shift
            )
        return vector


class WritesIntoWeights(Honest):
    def fit(self, context: FitContext) -> Artifact | None:
        assert context.model is not None
        artifact = super().fit(context)
        next(context.model.layout.blocks[1].parameters()).data.mul_(1.01)
        return artifact


class ReplacesForward(Honest):
    def fit(self, context: FitContext) -> Artifact | None:
        assert context.model is not None
        block: Any = context.model.layout.blocks[1]
        block.forward = functools.partial(block.forward)
        return super().fit(context)


class RaisesInFit(Honest):
    def learned(self, vectors: np.ndarray, context: FitContext) -> np.ndarray:
        return np.asarray(vectors[context.shape.n_layers])


class RaisesInPlan(Honest):
    def steer(self, request: SteerRequest, artifact: Artifact | None) -> Steered:
        raise RuntimeError("no plan today")


class LearnsNothing(Honest):
    def fit(self, context: FitContext) -> Artifact | None:
        return None


class PlansAList(Honest):
    def steer(self, request: SteerRequest, artifact: Artifact | None) -> Steered:
        plans: Any = [request.messages]
        return plans  # type: ignore[no-any-return]


class AnotherWidth(Honest):
    def vector(self, artifact: Artifact, layer: int) -> FrozenArray:
        return FrozenArray(artifact.arrays["vectors"][layer][:-1])


@register("test-fragile", vectors=("vector",))
def fragile(h: Tensor, params: Mapping[str, Tensor]) -> Tensor:
    """Breaks where it is applied."""
    raise ValueError("cannot be applied")


class BreaksWhenApplied(Honest):
    kind = "test-fragile"
