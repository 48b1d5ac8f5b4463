"""The steering plan of a row, and the messages it goes with. Data only, no torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

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
        adapter: the weight adapter to switch on, by name; None for none.
    """

    interventions: tuple[Intervention, ...] = ()
    adapter: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "interventions", tuple(self.interventions))

    @property
    def active(self) -> tuple[Intervention, ...]:
        """The interventions that do something: coefficient 0 is the identity."""
        return tuple(i for i in self.interventions if i.coefficient != 0.0)

    @property
    def is_empty(self) -> bool:
        """Whether a row with this plan is a row of the unsteered model."""
        return self.adapter is None and not self.active

    @cached_property
    def digest(self) -> str:
        """SHA-256 that identifies the plan, in hex; part of the cache key of a generation."""
        record = [self.adapter, [intervention.digest for intervention in self.interventions]]
        return hashlib.sha256(json.dumps(record).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """A JSON value from which `from_dict` makes an equal plan."""
        return {"interventions": [i.to_dict() for i in self.interventions], "adapter": self.adapter}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> SteerPlan:
        """Reads what `to_dict` wrote.

        Raises:
            UsageError: the record is malformed.
        """
        try:
            return cls(tuple(Intervention.from_dict(i) for i in data["interventions"]), data["adapter"])
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
