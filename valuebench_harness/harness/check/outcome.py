"""What a check found, and what all of them together say of a steerer."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Status = Literal["passed", "failed", "not applicable", "reported"]
"""``reported`` is for what has no right or wrong, such as cost."""


class Outcome(BaseModel):
    """What one check found.

    Attributes:
        status: whether the steerer does what is promised.
        words: what was seen, with numbers.
        numbers: the same numbers, by name.
        frames: the steerer's own part of the traceback, where its code raised.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")  # JSON knows neither

    status: Status
    words: str
    numbers: dict[str, float] = {}
    frames: str = ""


class CheckRecord(Outcome):
    """An outcome with the check it belongs to.

    Attributes:
        check: its name.
        asks: what it asks, in a few words.
    """

    check: str
    asks: str


class Conformance(BaseModel):
    """The suite's findings on one steerer.

    Attributes:
        steerer: as it was named.
        model: that it was checked on.
        fingerprint: of that model.
        value: that was steered.
        direction: of steering.
        strength: at which was checked.
        settings: of the method.
        layers: that the plan acts on.
        version: of this package.
        checked: when, UTC, ISO 8601.
        checks: in order.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")

    steerer: str
    model: str
    fingerprint: str
    value: str
    direction: str
    strength: float
    settings: dict[str, object]
    layers: tuple[int, ...]
    version: str
    checked: str
    checks: tuple[CheckRecord, ...]

    @property
    def failed(self) -> list[str]:
        """Names of the checks that failed."""
        return [c.check for c in self.checks if c.status == "failed"]

    def count(self, status: Status) -> int:
        """How many checks ended so."""
        return sum(c.status == status for c in self.checks)


def passed(words: str, **numbers: float) -> Outcome:
    """The steerer does what is promised."""
    return Outcome(status="passed", words=words, numbers=numbers)


def failed(words: str, **numbers: float) -> Outcome:
    """It does not; the words say what was seen instead."""
    return Outcome(status="failed", words=words, numbers=numbers)


def not_applicable(words: str) -> Outcome:
    """The promise is not one that this steerer makes."""
    return Outcome(status="not applicable", words=words)


def reported(words: str, **numbers: float) -> Outcome:
    """Something to know, neither right nor wrong."""
    return Outcome(status="reported", words=words, numbers=numbers)


def verdict(good: bool, words: str, **numbers: float) -> Outcome:
    """Passed or failed, with the same words."""
    return passed(words, **numbers) if good else failed(words, **numbers)
