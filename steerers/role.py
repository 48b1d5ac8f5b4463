"""Role prompting: the model answers as a person with a name, a gender, a job and a Myers-Briggs type.

Kang et al., ACL 2025, Section 2.2: roles move many values at once (14.6 of 17 for Gemma-2B-IT), which
value and which way is found by asking them. So a role is either given field by field, or chosen for the
value from a table of orientations: the role that stands highest of all when nothing else is steered
raises it, the one that stands lowest lowers it (the table's training roles; report on others' questions).
"""

from __future__ import annotations

from functools import cached_property
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, field_validator

from valuebench_harness.data.orientations import Orientations, read_orientations
from valuebench_harness.data.reading import read_jsonl, read_yaml
from valuebench_harness.data.schemas import Role
from valuebench_harness.engine.plan import Message
from valuebench_harness.errors import UsageError
from valuebench_harness.steerers import base
from valuebench_harness.steerers.wording import check_fields

if TYPE_CHECKING:
    from valuebench_harness.steerers.artifact import Artifact


class RoleWording(BaseModel):
    """One sentence a field; only those of the fields given are said."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    name: str = Field(min_length=1)
    gender: str = Field(min_length=1)
    job: str = Field(min_length=1)
    mbti: str = Field(min_length=1)

    @field_validator("name", "gender", "job", "mbti")
    @classmethod
    def _known_fields(cls, template: str) -> str:
        return check_fields(template, tuple(Role.model_fields))

    def describe(self, role: Role) -> str:
        """The role as a system prompt; empty for the empty role."""
        fields = role.model_dump()
        return " ".join(getattr(self, field).format(**fields) for field in fields if fields[field])


class Settings(base.Settings):
    """Who answers.

    Attributes:
        name, gender, job, mbti: the role's fields; those left empty are not spoken of.
        text: a whole description, in place of the fields.
        roles: JSONL file of roles to choose from, with ``table``.
        table: CSV of orientations (``steer_dim``, ``player_name``, a column a value), by which a
            role is chosen for the value and the direction.
        template: YAML file with a sentence a field, in place of the shipped one.
    """

    name: str = ""
    gender: str = ""
    job: str = ""
    mbti: str = Field("", pattern=r"^([EI][NS][FT][JP])?$")
    text: str = ""
    roles: Path | None = None
    table: Path | None = None
    template: Path | None = None

    @property
    def role(self) -> Role:
        """The role given by its fields."""
        return Role(name=self.name, gender=self.gender, job=self.job, mbti=self.mbti)


class RolePrompt(base.Steerer[Settings]):
    """Describes a person in the system prompt, in front of what already stands there."""

    name = "role"
    source = "Kang et al., ACL 2025, Section 2.2"
    settings_type = Settings
    strengths = "switch"

    @property
    def reads(self) -> tuple[Path, ...]:
        """The user's files."""
        s = self.settings
        return tuple(path for path in (s.roles, s.table, s.template) if path is not None)

    def plan(self, request: base.SteerRequest, artifact: Artifact | None) -> base.Steered:  # noqa: ARG002
        """Puts the description into the system message.

        Raises:
            UsageError: no role is given; a role given by its fields is asked to steer away from a value.
        """
        if request.strength == 0 or not request.gate_open:
            return base.Steered(request.messages)
        text = self._text(request)
        first, *rest = request.messages
        if first.role == "system":
            return base.Steered((Message("system", f"{text}\n{first.content}"), *rest))
        return base.Steered((Message("system", text), *request.messages))

    def _text(self, request: base.SteerRequest) -> str:
        s = self.settings
        if s.table is not None:
            return self._wording.describe(self._chosen(request))
        if request.direction == "negative":
            raise UsageError(
                "A role has no opposite, so 'role' takes no negative direction; give one that lowers the value, "
                "or a table to choose it from (--set table=FILE --set roles=FILE)."
            )
        text = s.text or self._wording.describe(s.role)
        if not text:
            raise UsageError("'role' needs a role: --set name=..., gender=, job=, mbti=INFP, or text=...")
        return text

    def _chosen(self, request: base.SteerRequest) -> Role:
        assert self._table is not None
        name = self._table.best_role(request.value.id, request.sign, tuple(self._known))
        return self._known[name]

    @cached_property
    def _wording(self) -> RoleWording:
        return load_wording(self.settings.template)

    @cached_property
    def _table(self) -> Orientations | None:
        return read_orientations(self.settings.table) if self.settings.table else None

    @cached_property
    def _known(self) -> dict[str, Role]:
        if self.settings.roles is None:
            raise UsageError(f"{self.settings.table} names roles only; say who they are with --set roles=FILE (JSONL).")
        return {role.name: role for role in read_jsonl(self.settings.roles, Role, "file of roles")}


def load_wording(path: Path | None) -> RoleWording:
    """The sentences of a file, or the shipped ones.

    Raises:
        UsageError: the file is missing or malformed.
    """
    if path is not None:
        return read_yaml(path, RoleWording, "template")
    with as_file(files("valuebench_harness.steerers") / "role.yaml") as own:
        return read_yaml(own, RoleWording)
