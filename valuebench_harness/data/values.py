"""Value systems are data: a file of names, definitions, opposites and places on a circle.

Shipped are ``schwartz`` (ten basic values) and ``valuebench`` (the 17 values of ValueBench
with 20 or more items). A user's own is a YAML file in the same form::

    name: honesty
    data: ./honesty          # folder with dilemmas/*.jsonl, pairs/*.jsonl, ...
    values:
      honesty:
        name: Honesty
        definition: Saying what one believes to be true, also when it costs something.
        opposite: deception
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from valuebench_harness.data.reading import read_yaml
from valuebench_harness.errors import UsageError, unknown_name

SHIPPED_SYSTEMS = ("schwartz", "valuebench")

_ID = re.compile(r"[a-z0-9][a-z0-9_-]*")


class Value(BaseModel):
    """One value.

    Attributes:
        id: lower-case name used in files and on the command line, such as ``self-direction``.
        name: display name.
        definition: what the value means, one sentence; empty where a system ships none.
        source: where the definition comes from; empty: the system's own source.
        opposite: id of the value that opposes it, or a plain word where the system has none.
        angle: place on the circle in degrees, counted in the order of the circle; ``None``
            where the system has no circle.
        groups: higher-order values or upper dimensions it belongs to.
        noun: how a sentence names the value ("the value of ..."); default: the name in lower case.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    id: str
    name: str = Field(min_length=1)
    definition: str = ""
    source: str = ""
    opposite: str | None = None
    angle: float | None = Field(default=None, ge=0, lt=360)
    groups: tuple[str, ...] = ()
    noun: str = ""

    @model_validator(mode="before")
    @classmethod
    def _noun_defaults_to_name(cls, data: Any) -> Any:
        if isinstance(data, dict) and not data.get("noun"):
            return {**data, "noun": str(data.get("name", "")).lower()}
        return data


class ValueSystem(BaseModel):
    """Values that belong together; in YAML ``values`` maps an id to its fields.

    Attributes:
        name: name of the system, such as ``schwartz``.
        version: version of the file.
        source: literature behind it.
        values: in the order of the file.
        data: folder with the items of a user's own system, absolute once loaded.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    name: str = Field(min_length=1)
    version: str = "1.0"
    source: str = ""
    values: tuple[Value, ...] = Field(min_length=1)
    data: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _ids_from_keys(cls, data: Any) -> Any:
        if not (isinstance(data, dict) and isinstance(data.get("values"), dict)):
            return data
        values = []
        for key, fields in data["values"].items():
            if not _ID.fullmatch(str(key)):
                raise ValueError(f"value id '{key}' must be lower-case letters, digits, '-' and '_'")
            if fields is not None and not isinstance(fields, dict):
                raise ValueError(f"value '{key}' must be a mapping with name, definition, ...")
            values.append({"name": str(key).replace("_", " ").capitalize(), **(fields or {}), "id": str(key)})
        return {**data, "values": values}

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids in the order of the file."""
        return tuple(value.id for value in self.values)

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """Ids of the members of each group, groups in order of first mention."""
        names = dict.fromkeys(group for value in self.values for group in value.groups)
        return {name: tuple(v.id for v in self.values if name in v.groups) for name in names}

    def get(self, name: str) -> Value:
        """The value of an id or a display name; case, blanks, ``-`` and ``_`` do not matter.

        Raises:
            UsageError: no such value; the nearest is suggested.
        """
        wanted = _fold(name)
        for value in self.values:
            if wanted in {_fold(value.id), _fold(value.name)}:
                return value
        raise unknown_name("value", name.strip(), self.ids)

    def __contains__(self, name: str) -> bool:
        return any(_fold(name) in {_fold(v.id), _fold(v.name)} for v in self.values)


@dataclass(frozen=True)
class ValueSpec:
    """What one run steers: one value, or several with weights.

    Attributes:
        terms: pairs of value id and weight, in the order written.
    """

    terms: tuple[tuple[str, float], ...]

    @property
    def is_single(self) -> bool:
        """One value with weight 1."""
        return len(self.terms) == 1 and self.terms[0][1] == 1.0

    def __str__(self) -> str:
        """Canonical form, such as ``achievement`` or ``achievement:1+power:-0.5``."""
        if self.is_single:
            return self.terms[0][0]
        return "+".join(f"{name}:{weight:g}" for name, weight in self.terms)


def load_value_system(name_or_path: str | Path) -> ValueSystem:
    """Loads a shipped system by name or a user's own from a YAML file.

    For ``valuebench``, definitions and upper dimensions are filled in from the data set
    where it is at hand.

    Raises:
        UsageError: no such system or file, or a file that is no value system.
    """
    name = str(name_or_path)
    if name.lower() in SHIPPED_SYSTEMS:
        system = read_yaml(shipped_tasks() / "values" / f"{name.lower()}.yaml", ValueSystem)
        if system.name == "valuebench":
            from valuebench_harness.data import sources, valuebench

            folder = sources.find("valuebench")
            return system if folder is None else valuebench.define(system, folder)
        return system
    path = Path(name).expanduser()
    if path.suffix not in {".yaml", ".yml"}:
        raise unknown_name("value system", name, SHIPPED_SYSTEMS, "Or give the path of a .yaml file.")
    system = read_yaml(path, ValueSystem, "value system")
    if system.data is None:
        return system
    folder = (path.parent / system.data.expanduser()).resolve()
    if not folder.is_dir():
        raise UsageError(f"{path}: key 'data' names {system.data}, but there is no folder {folder}.")
    return system.model_copy(update={"data": folder})


def resolve_values(text: str | Iterable[str], system: ValueSystem) -> list[ValueSpec]:
    """Parses what ``--values`` takes.

    Args:
        text: a comma separates values run one by one, a plus combines them, a colon sets a
            weight (default 1): ``achievement,power`` or ``achievement:1+power:-0.5``. ``all``
            stands for every value of the system. A sequence of such texts works as well.
        system: where the names come from.

    Returns:
        What to run, in the order written, repeats left out.

    Raises:
        UsageError: an unknown name, a weight that is no number or zero, an empty entry.
    """
    whole = text if isinstance(text, str) else ",".join(text)
    specs: dict[ValueSpec, None] = {}
    for part in whole.split(","):
        if part.strip().lower() == "all":
            specs.update(dict.fromkeys(ValueSpec(((name, 1.0),)) for name in system.ids))
        else:
            specs[_parse_spec(part, whole, system)] = None
    return list(specs)


def shipped_tasks() -> Path:
    """The installed ``tasks`` folder: YAML tasks, value systems and the data shipped with them."""
    return Path(str(files("valuebench_harness.tasks")))


def _parse_spec(part: str, whole: str, system: ValueSystem) -> ValueSpec:
    terms: dict[str, float] = {}
    for term in part.split("+"):
        name, colon, weight_text = term.partition(":")
        if not name.strip():
            raise UsageError(f"Empty value name in '{whole}'; write for example 'achievement,power'.")
        value = system.get(name).id
        if value in terms:
            raise UsageError(f"Value '{value}' comes twice in '{part.strip()}'; give it one weight.")
        terms[value] = _parse_weight(weight_text, term) if colon else 1.0
    return ValueSpec(tuple(terms.items()))


def _parse_weight(text: str, term: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        raise UsageError(f"Weight '{text.strip()}' in '{term.strip()}' is not a number.") from None
    if not math.isfinite(weight) or weight == 0:
        raise UsageError(f"Weight '{text.strip()}' in '{term.strip()}' must be finite and not zero.")
    return weight


def _fold(name: str) -> str:
    return re.sub(r"[\s_-]+", "-", name.strip().lower())
