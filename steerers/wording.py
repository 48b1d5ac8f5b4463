"""Prompt methods: a sentence about the value, put in front of the question.

What they share; :mod:`.ica` and :mod:`.instruction` differ in their sentences only, which stand in
a YAML file beside each module, with the keys ``positive`` and ``negative``.
"""

from __future__ import annotations

from functools import cached_property
from importlib.resources import as_file, files
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, field_validator

from valuebench_harness.data.reading import read_yaml
from valuebench_harness.engine.plan import Message
from valuebench_harness.steerers import base

if TYPE_CHECKING:
    from valuebench_harness.data.values import Value
    from valuebench_harness.steerers.artifact import Artifact

FIELDS = ("name", "Name", "definition")
"""What a wording may say of the value: its name in lower case, its display name, its definition."""


def check_fields(template: str, known: tuple[str, ...]) -> str:
    """The template, if its fields in braces are all known.

    Raises:
        ValueError: an unknown field, or braces that do not match.
    """
    used = {field for _, field, _, _ in Formatter().parse(template) if field is not None}
    unknown = sorted(used - set(known))
    if unknown:
        raise ValueError(f"unknown field {{{unknown[0]}}}; known: {', '.join(sorted(known))}")
    return template


class Wordings(BaseModel):
    """A file of wordings, one a direction."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    positive: str = Field(min_length=1)
    negative: str = Field(min_length=1)

    @field_validator("positive", "negative")
    @classmethod
    def _known_fields(cls, template: str) -> str:
        return check_fields(template, FIELDS)


class Settings(base.Settings):
    """Wordings; ``{name}``, ``{Name}`` and ``{definition}`` are the value's own.

    Attributes:
        template: YAML file with ``positive`` and ``negative``, in place of the shipped one.
        positive: a wording given at once, which wins over the file's.
        negative: the same for the other direction.
    """

    template: Path | None = None
    positive: str | None = None
    negative: str | None = None

    @field_validator("positive", "negative")
    @classmethod
    def _known_fields(cls, template: str | None) -> str | None:
        return None if template is None else check_fields(template, FIELDS)


class WordingSteerer(base.Steerer[Settings]):
    """Puts a sentence about the value in front of the last message."""

    settings_type = Settings
    strengths = "switch"

    @property
    def reads(self) -> tuple[Path, ...]:
        """The user's file of wordings."""
        return (self.settings.template,) if self.settings.template else ()

    def plan(self, request: base.SteerRequest, artifact: Artifact | None) -> base.Steered:  # noqa: ARG002
        """Prepends the wording.

        The user's own wins over that of the data set's language, which wins over the shipped English one.
        """
        if request.strength == 0 or not request.gate_open:
            return base.Steered(request.messages)
        text = fill(self._wording(request), request.value)
        *before, last = request.messages
        return base.Steered((*before, Message(last.role, f"{text}\n{last.content}")))

    def _wording(self, request: base.SteerRequest) -> str:
        settings = self.settings
        given: str | None = getattr(settings, request.direction)
        if given is None and settings.template is None:
            given = request.wording.get(request.direction)
        return given or str(getattr(self._wordings, request.direction))

    @cached_property
    def _wordings(self) -> Wordings:
        return load_wordings(self.settings.template, type(self).name)


def fill(template: str, value: Value) -> str:
    """A wording about a value."""
    return template.format(name=value.name.lower(), Name=value.name.capitalize(), definition=value.definition)


def load_wordings(path: Path | None, shipped: str) -> Wordings:
    """The wordings of a file, or the shipped ones of a method.

    Raises:
        UsageError: the file is missing or malformed.
    """
    if path is not None:
        return read_yaml(path, Wordings, "template")
    with as_file(files("valuebench_harness.steerers") / f"{shipped}.yaml") as own:
        return read_yaml(own, Wordings)
