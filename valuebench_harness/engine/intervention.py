"""Interventions: frozen descriptions of one change to the hidden states of some tokens.

An intervention is data: hashable, serialisable, free of torch. What a kind does
to the states stands in `valuebench_harness.engine.kinds`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

from valuebench_harness.engine.arrays import FrozenArray
from valuebench_harness.errors import UsageError, unknown_name

Site = Literal["block", "input", "attention", "heads", "mlp"]
"""Where a state is read and changed: the output of the decoder block (the residual stream),
its input (for block 0 the embeddings, else the output of the block before), the output of its
self-attention module (after the output projection), that projection's input (the attention
heads side by side), or the output of its MLP."""

INPUT_SITES: tuple[Site, ...] = ("input", "heads")
"""Sites that are what a module reads; the others are what a module returns."""

ScopeKind = Literal["all", "prompt", "generated", "last-prompt", "position", "phrase"]

Param = FrozenArray | float


@dataclass(frozen=True)
class TokenScope:
    """Which tokens of a row an intervention touches.

    Tokens are told apart by their position in the row, never by the length of a
    forward pass. Padding is in no scope; special tokens such as BOS are in
    ``all`` and ``prompt``. ``generated`` starts with the first generated token, when
    it is fed back; the state that predicts it belongs to the last prompt token.
    In log-likelihoods the context is the prompt and the continuation is generated.

    Attributes:
        kind: ``all``; ``prompt``; ``generated``; ``last-prompt``; ``position``, one prompt
            token by its number; or ``phrase``, every prompt token that shares a character
            with an occurrence of `phrase`.
        phrase: the exact text, for ``phrase`` only.
        position: counts from 0, special tokens included, for ``position`` only. Prompts that
            are too short have no such token.
    """

    kind: ScopeKind = "all"
    phrase: str = ""
    position: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(ScopeKind):
            raise unknown_name("token scope", str(self.kind), get_args(ScopeKind))
        if (self.kind == "phrase") != bool(self.phrase):
            raise UsageError(f"Token scope '{self.kind}' with phrase '{self.phrase}': 'phrase' needs one, others none.")
        if (self.kind == "position") != (self.position is not None) or (self.position or 0) < 0:
            raise UsageError(
                f"Token scope '{self.kind}' with position {self.position}: "
                "'position' needs a number >= 0, others take none."
            )

    @property
    def reaches_generated(self) -> bool:
        """Whether tokens after the prompt can be in this scope."""
        return self.kind in ("all", "generated")


class Params(Mapping[str, Param]):
    """An immutable, hashable mapping from parameter names to arrays and numbers."""

    def __init__(self, items: Mapping[str, Param]) -> None:
        def freeze(value: Param) -> Param:
            # Adding zero makes -0.0 into 0.0: the two are equal, so they must have one digest.
            return value if isinstance(value, FrozenArray) else float(value) + 0.0

        self._items = tuple((name, freeze(items[name])) for name in sorted(items))

    def __getitem__(self, name: str) -> Param:
        for key, value in self._items:
            if key == name:
                return value
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (key for key, _ in self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(self._items)

    def __repr__(self) -> str:
        return f"Params({dict(self._items)})"


@dataclass(frozen=True)
class Intervention:
    """One change of hidden states.

    Attributes:
        kind: what is done, a name in `valuebench_harness.engine.kinds`.
        layer: the block it acts on, from 0; at site ``block`` its output, which
            transformers calls ``hidden_states[layer + 1]``.
        params: parameters of the kind, arrays or numbers; frozen on construction.
        site: where in the block.
        scope: which tokens.
        coefficient: how strongly; 0 is the identity for every kind.
    """

    kind: str
    layer: int
    params: Mapping[str, Param]
    site: Site = "block"
    scope: TokenScope = TokenScope("all")
    coefficient: float = 1.0

    def __post_init__(self) -> None:
        if self.site not in get_args(Site):
            raise unknown_name("site", str(self.site), get_args(Site))
        if int(self.layer) != self.layer or self.layer < 0:
            raise UsageError(f"Layer {self.layer} of intervention '{self.kind}' is no block number (0, 1, ...).")
        if not math.isfinite(self.coefficient):
            raise UsageError(f"Coefficient {self.coefficient} of intervention '{self.kind}' is not finite.")
        params = Params(self.params)
        for name, value in params.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise UsageError(f"Parameter '{name}' of intervention '{self.kind}' is not finite.")
        object.__setattr__(self, "layer", int(self.layer))
        object.__setattr__(self, "coefficient", float(self.coefficient) + 0.0)
        object.__setattr__(self, "params", params)

    @cached_property
    def digest(self) -> str:
        """SHA-256 that identifies the intervention, in hex."""
        record = self._record({k: v.digest if isinstance(v, FrozenArray) else v for k, v in self.params.items()})
        return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """A JSON value from which `from_dict` makes an equal intervention."""
        return self._record({k: v.to_dict() if isinstance(v, FrozenArray) else v for k, v in self.params.items()})

    def _record(self, params: dict[str, Any]) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "layer": self.layer,
            "params": params,
            "site": self.site,
            "scope": {"kind": self.scope.kind, "phrase": self.scope.phrase, "position": self.scope.position},
            "coefficient": self.coefficient,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Intervention:
        """Reads what `to_dict` wrote.

        Raises:
            UsageError: the record is malformed.
        """
        try:
            return cls(
                kind=data["kind"],
                layer=data["layer"],
                params={k: FrozenArray.from_dict(v) if isinstance(v, dict) else v for k, v in data["params"].items()},
                site=data["site"],
                scope=TokenScope(**data["scope"]),
                coefficient=data["coefficient"],
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UsageError(f"A stored intervention is malformed: {error!r}.") from None
