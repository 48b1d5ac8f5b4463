"""Fits methods and gates, or finds them fitted already."""

from __future__ import annotations

import hashlib
import inspect
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from valuebench_harness.data.sources import home
from valuebench_harness.errors import IncompleteError, UsageError
from valuebench_harness.harness.cache import content_key
from valuebench_harness.harness.records import FitRecord
from valuebench_harness.steerers.artifact import Artifact, texts_hash
from valuebench_harness.steerers.base import FitContext, ModelShape, Steerer
from valuebench_harness.steerers.states import States

if TYPE_CHECKING:
    from valuebench_harness.engine.model import SteeredModel
    from valuebench_harness.harness.family import Family
    from valuebench_harness.steerers.gates.base import Gate


Fittable: TypeAlias = "Steerer[Any] | Gate[Any]"


@dataclass(frozen=True)
class Fitter:
    """Fits on one model and data set.

    Attributes:
        model: to read states from.
        family: whose pairs and neutral texts are learned from.
        states: of that model, shared by all fits.
        controlled: learn from context-controlled pairs or from straightforward ones.
        seed: of splits.
    """

    model: SteeredModel
    family: Family
    states: States
    controlled: bool
    seed: int

    @property
    def shape(self) -> ModelShape:
        """What methods may know of the model."""
        return ModelShape(self.model.name, self.model.n_layers, self.model.width)

    def context(self, value: str, layers: Sequence[int] | None = None) -> FitContext:
        """What a method may learn from for one value."""
        data = self.family.data
        return FitContext(
            shape=self.shape,
            states=self.states,
            value=data.system.get(value),
            pairs=data.pairs(value, controlled=self.controlled),
            neutral=[n.text for n in data.neutral()] if data.has("neutral") else [],
            layers=tuple(layers) if layers is not None else None,
            seed=self.seed,
        )

    def fit(
        self, method: Fittable, identity: str, value: str, layers: Sequence[int] | None = None
    ) -> tuple[Artifact | None, FitRecord | None]:
        """Fits a method for a value, or loads the same fit from the cache.

        Args:
            method: a steerer or a gate.
            identity: of its code, see :func:`code_identity`.
            value: id of the value.
            layers: asked for by the user.
        """
        if not learns(method):
            return None, None
        context = self.context(value, layers)
        key = content_key(
            "artifact",
            identity=identity,
            settings=method.settings.model_dump(mode="json"),
            fingerprint=self.model.fingerprint,
            value=value,
            data=texts_hash(
                [p.positive for p in context.pairs], [p.negative for p in context.pairs], list(context.neutral)
            ),
            layers=context.layers,
            seed=self.seed,
        )
        path = home() / "artifacts" / f"{key}.safetensors"
        if path.is_file():
            with suppress(UsageError):  # a damaged file in the cache is made again
                artifact = Artifact.load(path)
                # The name a model goes by is not part of the key: it may have been another one.
                artifact = replace(artifact, meta=artifact.meta.model_copy(update={"model": self.model.name}))
                return artifact, _record(artifact, cached=True)
        start = time.perf_counter()
        fitted = method.fit(context)
        if fitted is None:
            return None, None
        seconds = round(time.perf_counter() - start, 3)
        fitted = replace(fitted, meta=fitted.meta.model_copy(update={"seconds": seconds}))
        with suppress(IncompleteError):  # a cache that cannot be written costs a later fit, not this run
            fitted.save(path)
        return fitted, _record(fitted, cached=False)


def learns(method: Fittable) -> bool:
    """Whether there is something to fit."""
    return not isinstance(method, Steerer) or type(method).fit is not Steerer.fit


def code_identity(method: Fittable) -> str:
    """What the method's code is known by: this package's version and the hash of the file its class stands in."""
    from valuebench_harness import __version__

    source = inspect.getsourcefile(type(method))
    code = Path(source).read_bytes() if source else b""
    return f"{method.name}/{__version__}/{hashlib.sha256(code).hexdigest()}"


def _record(artifact: Artifact, *, cached: bool) -> FitRecord:
    m = artifact.meta
    return FitRecord(
        method=m.method,
        value=m.value,
        digest=artifact.digest,
        layers=m.layers,
        accuracy=m.accuracy,
        seconds=m.seconds,
        cached=cached,
    )
