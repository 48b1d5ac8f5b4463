"""Fits methods and gates, or finds them fitted already."""

from __future__ import annotations

import hashlib
import inspect
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from valuebench_harness.data.sources import home
from valuebench_harness.errors import IncompleteError, UsageError
from valuebench_harness.harness.cache import content_key
from valuebench_harness.harness.own_code import told
from valuebench_harness.harness.records import FitRecord
from valuebench_harness.steerers.artifact import Artifact
from valuebench_harness.steerers.base import FitContext, ModelShape, Steerer
from valuebench_harness.steerers.states import States

if TYPE_CHECKING:
    from valuebench_harness.data.datasets import DataSet
    from valuebench_harness.data.schemas import ContrastivePair
    from valuebench_harness.engine.model import SteeredModel
    from valuebench_harness.harness.config import RunConfig
    from valuebench_harness.harness.family import Family
    from valuebench_harness.steerers.gates.base import Gate


Fittable: TypeAlias = "Steerer[Any] | Gate[Any]"


class CannotFitError(UsageError):
    """A method says that it cannot be fitted on what there is to learn from."""


@dataclass(frozen=True)
class Fitter:
    """Fits on one model and data set.

    Attributes:
        model: to read states from.
        family: whose pairs and neutral texts are learned from.
        states: of that model, shared by all fits.
        controlled: learn from context-controlled pairs or from straightforward ones.
        seed: of splits.
        n_pairs: learn from so many pairs of each value only; ``None`` for all.
    """

    model: SteeredModel
    family: Family
    states: States
    controlled: bool
    seed: int
    n_pairs: int | None = None

    @classmethod
    def of(cls, config: RunConfig, family: Family, model: SteeredModel, states: States | None = None) -> Fitter:
        """The fitter of a configuration.

        Args:
            config: says which pairs are learned from.
            family: that holds them.
            model: to read states from.
            states: of that model, where some were read already.
        """
        shared = states if states is not None else States(model, config.batch_size)
        return cls(model, family, shared, config.context_controlled, config.seed, config.pairs)

    @property
    def shape(self) -> ModelShape:
        """What methods may know of the model."""
        return ModelShape(self.model.name, self.model.n_layers, self.model.width)

    def context(self, value: str, layers: Sequence[int] | None = None) -> FitContext:
        """What a method may learn from for one value.

        Raises:
            UsageError: for more pairs than there are.
        """
        data = self.family.data
        return FitContext(
            shape=self.shape,
            states=self.states,
            value=data.system.get(value),
            pairs=training_pairs(data, value, self.n_pairs, controlled=self.controlled, seed=self.seed),
            neutral=[n.text for n in data.neutral()] if data.has("neutral") else [],
            layers=tuple(layers) if layers is not None else None,
            seed=self.seed,
            wording=self.family.wording(data.system.get(value)),
            model=self.model,
            demonstrations=data.demonstrations(value) if data.has("demonstrations", value) else [],
        )

    def fit(
        self, method: Fittable, value: str, layers: Sequence[int] | None = None
    ) -> tuple[Artifact | None, tuple[FitRecord, ...]]:
        """Fits a method for a value, or loads the same fit from the cache.

        Args:
            method: a steerer or a gate; the parts of one that is made of others are fitted one by one.
            value: id of the value.
            layers: asked for by the user.

        Returns:
            The artifact, where there is something to learn, and what was fitted.

        Raises:
            UsageError: the method cannot be fitted.
            IncompleteError: a user's own method raised.
        """
        if isinstance(method, Steerer) and method.parts:
            fits = [self.fit(part, value, layers) for part in method.parts]
            return method.join([artifact for artifact, _ in fits]), tuple(r for _, records in fits for r in records)
        if not learns(method):
            return None, ()
        context = self.context(value, layers)
        key = content_key(
            "artifact",
            identity=code_identity(method),
            settings=method.settings.model_dump(mode="json"),
            fingerprint=self.model.fingerprint,
            value=value,
            data=context.data_hash,
            layers=context.layers,
            seed=self.seed,
        )
        path = home() / "artifacts" / f"{key}.safetensors"
        if path.is_file():
            with suppress(UsageError):  # a damaged file in the cache is made again
                artifact = Artifact.load(path)
                # The name a model goes by is not part of the key: it may have been another one.
                artifact = replace(artifact, meta=artifact.meta.model_copy(update={"model": self.model.name}))
                return artifact, (_record(artifact, cached=True),)
        start = time.perf_counter()
        fitted = self._fit(method, context)
        if fitted is None:
            return None, ()
        seconds = round(time.perf_counter() - start, 3)
        fitted = replace(fitted, meta=fitted.meta.model_copy(update={"seconds": seconds}))
        with suppress(IncompleteError):  # a cache that cannot be written costs a later fit, not this run
            fitted.save(path)
        return fitted, (_record(fitted, cached=False),)

    def _fit(self, method: Fittable, context: FitContext) -> Artifact | None:
        try:
            if not isinstance(method, Steerer):
                return method.fit(context)
            with told(method, f"fitting '{context.value.id}'"):
                return method.fit(context)
        except UsageError as error:
            raise CannotFitError(str(error)) from error


def training_pairs(
    data: DataSet, value: str, n: int | None, *, controlled: bool, seed: int
) -> Sequence[ContrastivePair]:
    """The pairs of a value, or some of them.

    Args:
        data: that holds them.
        value: id of the value.
        n: how many; ``None`` for all.
        controlled: context-controlled pairs or straightforward ones.
        seed: of the draw.

    Raises:
        UsageError: for more than there are.
    """
    pairs = data.pairs(value, controlled=controlled)
    if n is None:
        return pairs
    if n > len(pairs):
        raise UsageError(f"--pairs {n}: there are {len(pairs)} training pairs of '{value}'. Name at most so many.")
    return some_pairs(pairs, n, seed)


def some_pairs(pairs: Sequence[ContrastivePair], n: int, seed: int) -> list[ContrastivePair]:
    """``n`` of the pairs, in their order; those of a smaller number are among those of a larger one."""
    order = np.random.default_rng(seed).permutation(len(pairs))
    return [pairs[i] for i in sorted(order[:n])]


def learns(method: Fittable) -> bool:
    """Whether there is something to fit."""
    if not isinstance(method, Steerer):
        return True
    return any(map(learns, method.parts)) if method.parts else type(method).fit is not Steerer.fit


def learns_from_pairs(method: Steerer[Any]) -> bool:
    """Whether the number of training pairs matters to it."""
    if method.parts:
        return any(map(learns_from_pairs, method.parts))
    return learns(method) and method.uses_pairs


def check_pairs(config: RunConfig, steerer: Steerer[Any], family: Family, values: Sequence[str]) -> None:
    """Looks for the number of training pairs that a configuration names, before a model is loaded.

    Raises:
        UsageError: there are fewer, or the method does not use them.
    """
    if config.pairs is None:
        return
    if not learns_from_pairs(steerer):
        raise UsageError(f"--pairs {config.pairs}: '{steerer.name}' does not learn from training pairs.")
    for value in values:
        training_pairs(family.data, value, config.pairs, controlled=config.context_controlled, seed=config.seed)


def code_identity(method: Fittable) -> str:
    """What a method is known by: this package's version, its class's file, and the files of the user's it reads."""
    from valuebench_harness import __version__

    source = inspect.getsourcefile(type(method))
    code = hashlib.sha256(Path(source).read_bytes() if source else b"")
    for path in method.reads:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                code.update(file_hash(file).encode())
    own = f"{method.name}/{__version__}/{code.hexdigest()}"
    parts = method.parts if isinstance(method, Steerer) else ()
    return " ".join((own, *map(code_identity, parts)))


def file_hash(path: Path) -> str:
    """SHA-256 of a file, read once for as long as it does not change."""
    state = path.stat()
    return _hash_of(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=256)
def _hash_of(path: Path, modified: int, size: int) -> str:  # noqa: ARG001 - parts of the key
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
