r"""The control: another method's steps in a random direction.

An unrelated direction of the same norm moves a measured value as well; what a method does beyond it is
its own. ``random:caa`` is ``caa`` with every vector :math:`v` replaced by :math:`\lVert v \rVert\, u`, where
:math:`u` is drawn uniformly from the unit sphere: the same layers, sites, tokens, strengths and norms,
another direction. Where a method's step depends on the state, the random method takes as long a step
from where the token is: beside ``conva``, each token's epsilon (Jin et al., ACL 2025, Eq. 6) along the
random direction; beside ``ablate``, each token's projection; beside a clamped feature, the
difference to its target. Since a random direction does not satisfy the classifier, ``random:conva`` goes on
to move its tokens at later layers: its floor is a generous one.

A vector that touches some attention heads only (``iti``) is replaced on those heads.

Draws are seeded by ``seed``, ``draw``, the value, the layer and the site, so that a draw is the same for every
prompt, strength and direction: the negative direction mirrors the positive one. ``draw`` names one of
many: a floor is the spread over draws, not one of them.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from valuebench_harness.engine.arrays import FrozenArray
from valuebench_harness.engine.intervention import Intervention, Param
from valuebench_harness.engine.plan import SteerPlan
from valuebench_harness.errors import UsageError
from valuebench_harness.steerers import base

if TYPE_CHECKING:
    from collections.abc import Sequence

    from valuebench_harness.steerers.artifact import Artifact

REPLACED = {"add": "vector", "sae-clamp": "decoder"}
"""Kinds whose step is along one of their own vectors, and its name."""

ALONG = {
    "minimal-shift": ("minimal-shift-along", "w"),
    "minimal-shift-prompt": ("minimal-shift-prompt-along", "w"),
    "ablate": ("ablate-along", "vector"),
}
"""Kinds whose step's length is read along a vector that has to stay: their form that moves along another, and
that vector's name."""


class Settings(base.Settings):
    """Which draw.

    Attributes:
        draw: number of the draw, from 0.
        seed: of all draws.
    """

    draw: int = Field(0, ge=0)
    seed: int = Field(0, ge=0)


class Random(base.Steerer[Settings]):
    """Steers as another method does, in a random direction. Strength is the other method's.

    Args:
        settings: which draw.
        inner: the method it stands in for.

    Raises:
        UsageError: the other method rewrites prompts: there is no direction to replace.
    """

    name = "random"
    source = "control"
    settings_type = Settings

    def __init__(self, settings: Settings | None = None, *, inner: base.Steerer[Any]) -> None:
        super().__init__(settings)
        if inner.strengths == "switch":
            raise UsageError(
                f"'random:{inner.name}' does not exist: '{inner.name}' rewrites the prompt and moves no states. "
                "Name a method that does, such as random:caa."
            )
        self.inner = inner
        self.name = f"random:{inner.name}"
        self.default_strength = inner.default_strength
        self.default_gate = inner.default_gate
        self.tuning_grid = inner.tuning_grid
        self.tuning_depths = inner.tuning_depths

    @property
    def parts(self) -> tuple[base.Steerer[Any], ...]:
        """The method it stands in for, whose fit tells layers and norms."""
        return (self.inner,)

    def join(self, artifacts: Sequence[Artifact | None]) -> Artifact | None:
        """The other method's artifact."""
        (artifact,) = artifacts
        return artifact

    def check_strength(self, strength: float) -> None:
        """Raises ``UsageError`` for a strength that the other method cannot take."""
        self.inner.check_strength(strength)

    def fit(self, context: base.FitContext) -> Artifact | None:
        """Fits the other method."""
        return self.inner.fit(context)

    def plan(self, request: base.SteerRequest, artifact: Artifact | None) -> base.Steered:
        """The other method's plan, turned.

        Raises:
            UsageError: the other method changes more than states, or by a kind of intervention that is not known here.
        """
        steered = self.inner.plan(request, artifact)
        if steered.plan.adapters:
            raise UsageError(
                f"'{self.name}' does not exist: '{self.inner.name}' changes weights; there is no direction to replace."
            )
        draw = _Draw(f"{self.settings.seed}|{self.settings.draw}|{request.value.id}")
        turned = tuple(self._turn(intervention, draw) for intervention in steered.plan.interventions)
        return base.Steered(steered.messages, SteerPlan(turned))

    def _turn(self, intervention: Intervention, draw: _Draw) -> Intervention:
        params: dict[str, Param] = dict(intervention.params)
        if (name := REPLACED.get(intervention.kind)) is not None:
            params[name] = draw.instead_of(params[name], intervention)
            return replace(intervention, params=params)
        if (along := ALONG.get(intervention.kind)) is not None:
            kind, measured = along
            params["along"] = draw.instead_of(params[measured], intervention)
            return replace(intervention, kind=kind, params=params)
        raise UsageError(
            f"'{self.name}': '{self.inner.name}' steers by the kind '{intervention.kind}', of which no direction is "
            f"known to replace. Known kinds: {', '.join(sorted({*REPLACED, *ALONG}))}."
        )


class _Draw:
    """The random vectors of one plan: another for each vector at a place, the same wherever it comes again."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._met: dict[tuple[int, str], list[Param]] = {}

    def instead_of(self, vector: Param, intervention: Intervention) -> FrozenArray:
        assert isinstance(vector, FrozenArray)
        met = self._met.setdefault((intervention.layer, intervention.site), [])
        if vector not in met:
            met.append(vector)
        return random_like(vector, f"{self._key}|{intervention.layer}|{intervention.site}|{met.index(vector)}")


@lru_cache(maxsize=4096)  # a plan a prompt, the same few vectors in all of them
def random_like(vector: FrozenArray, key: str) -> FrozenArray:
    """A random vector of the same norm, on the same coordinates where the vector is not zero.

    Args:
        vector: what it stands in for.
        key: seeds the draw.
    """
    values = vector.array.astype(np.float64)
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
    drawn = np.random.default_rng(seed).normal(size=values.shape) * (values != 0)
    return FrozenArray(drawn * (np.linalg.norm(values) / (np.linalg.norm(drawn) or 1.0)))
