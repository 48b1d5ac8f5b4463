"""Weight adapters as data: low-rank updates of a model's linear maps. No torch."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from valuebench_harness.engine.arrays import FrozenArray
from valuebench_harness.errors import UsageError


@dataclass(frozen=True)
class LowRankUpdate:
    """What is added to one linear map: ``y + up (down x)`` (LoRA, Hu et al., ICLR 2022, Section 4.1).

    Attributes:
        module: dotted path of the linear map in the model.
        down: LoRA's A, ``[rank, n_inputs]``.
        up: LoRA's B times its alpha / rank, ``[n_outputs, rank]``.
    """

    module: str
    down: FrozenArray
    up: FrozenArray

    def __post_init__(self) -> None:
        down, up = self.down.shape, self.up.shape
        if len(down) != 2 or len(up) != 2 or down[0] != up[1]:
            raise UsageError(f"The low-rank update of '{self.module}' has shapes {down} and {up}; the rank must agree.")

    @property
    def rank(self) -> int:
        """The rank of the update."""
        return self.down.shape[0]


@dataclass(frozen=True, eq=False)
class Adapter:
    """A named set of updates, with value semantics; plans that share one hold the same object.

    Attributes:
        name: what errors and reports call it.
        updates: at most one a module.
    """

    name: str
    updates: tuple[LowRankUpdate, ...]

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the updates, in hex; the name is not part of it."""
        record = [[u.module, u.down.digest, u.up.digest] for u in self.updates]
        return hashlib.sha256(json.dumps(record).encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Adapter) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def to_dict(self) -> dict[str, Any]:
        """A JSON value from which `from_dict` makes an equal adapter."""
        updates = [{"module": u.module, "down": u.down.to_dict(), "up": u.up.to_dict()} for u in self.updates]
        return {"name": self.name, "updates": updates}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Adapter:
        """Reads what `to_dict` wrote.

        Raises:
            UsageError: the record is malformed.
        """
        try:
            updates = tuple(
                LowRankUpdate(u["module"], FrozenArray.from_dict(u["down"]), FrozenArray.from_dict(u["up"]))
                for u in data["updates"]
            )
            return cls(data["name"], updates)
        except (KeyError, TypeError) as error:
            raise UsageError(f"A stored weight adapter is malformed: {error!r}.") from None


@dataclass(frozen=True)
class ScaledAdapter:
    """An adapter switched on for a row.

    Attributes:
        adapter: the updates.
        scale: they are multiplied by; 0 is the identity, 1 what was trained.
    """

    adapter: Adapter
    scale: float = 1.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.scale):
            raise UsageError(f"Scale {self.scale} of adapter '{self.adapter.name}' is not finite.")
        object.__setattr__(self, "scale", float(self.scale) + 0.0)
