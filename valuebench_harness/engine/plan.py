"""The steering plan of a row, and the messages it goes with. Data only, no torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from valuebench_harness.engine.adapter import Adapter, ScaledAdapter
from valuebench_harness.engine.intervention import Intervention
from valuebench_harness.errors import UsageError


@dataclass(frozen=True)
class Message:
    """One turn of a conversation.

    Attributes:
        role: ``system``, ``user`` or ``assistant``.
        content: the text.
    """

    role: str
    content: str

    def to_dict(self) -> dict[str, str]:
        """The turn as chat templates and OpenAI-compatible servers take it."""
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True)
class SteerPlan:
    """Everything done to the model while one row runs.

    Attributes:
        interventions: applied in this order where they meet at one site and layer.
        adapters: the weight adapters to switch on; several add up.
    """

    interventions: tuple[Intervention, ...] = ()
    adapters: tuple[ScaledAdapter, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "interventions", tuple(self.interventions))
        object.__setattr__(self, "adapters", tuple(self.adapters))

    def __add__(self, other: SteerPlan) -> SteerPlan:
        """Both plans: the other's interventions act after this one's where they meet."""
        return SteerPlan(self.interventions + other.interventions, self.adapters + other.adapters)

    @property
    def active(self) -> tuple[Intervention, ...]:
        """The interventions that do something: coefficient 0 is the identity."""
        return tuple(i for i in self.interventions if i.coefficient != 0.0)

    @property
    def active_adapters(self) -> tuple[ScaledAdapter, ...]:
        """The adapters that do something: scale 0 is the identity."""
        return tuple(a for a in self.adapters if a.scale != 0.0)

    @property
    def is_empty(self) -> bool:
        """Whether a row with this plan is a row of the unsteered model."""
        return not self.active and not self.active_adapters

    @cached_property
    def digest(self) -> str:
        """SHA-256 that identifies the plan, in hex; part of the cache key of a generation."""
        adapters = [[a.adapter.digest, a.scale] for a in self.adapters]
        record = [adapters, [intervention.digest for intervention in self.interventions]]
        return hashlib.sha256(json.dumps(record).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """A JSON value from which `from_dict` makes an equal plan."""
        return {
            "interventions": [i.to_dict() for i in self.interventions],
            "adapters": [{"adapter": a.adapter.to_dict(), "scale": a.scale} for a in self.adapters],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> SteerPlan:
        """Reads what `to_dict` wrote.

        Raises:
            UsageError: the record is malformed.
        """
        try:
            return cls(
                tuple(Intervention.from_dict(i) for i in data["interventions"]),
                tuple(ScaledAdapter(Adapter.from_dict(a["adapter"]), a["scale"]) for a in data["adapters"]),
            )
        except (KeyError, TypeError) as error:
            raise UsageError(f"A stored steering plan is malformed: {error!r}.") from None

    def to_json(self) -> str:
        """The plan as one line of JSON."""
        return json.dumps(self.to_dict(), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> SteerPlan:
        """Reads what `to_json` wrote.

        Raises:
            UsageError: the text is no plan.
        """
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise UsageError(f"A stored steering plan is no JSON: {error}.") from None
        return cls.from_dict(data)


EMPTY = SteerPlan()
"""The plan of the unsteered model."""
