"""What a ``test_*.vharness.yaml`` file may say, checked with the line of every error."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from valuebench_harness.data.reading import read_plain_yaml
from valuebench_harness.errors import UsageError, unknown_name
from valuebench_harness.harness.config import RunConfig, make_config
from valuebench_harness.pytest_plugin.options import metric_id


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Bounds(_Part):
    """What is expected of a metric.

    Attributes:
        min: the number must not be below.
        max: it must not be above.
        drop_max: it must not be shown to be lower than the base's by more than this, on the same items.
        each: hold for each value by itself, not for all together.
    """

    min: float | None = Field(None, ge=0, le=1)
    max: float | None = Field(None, ge=0, le=1)
    drop_max: float | None = Field(None, ge=0, lt=1)
    each: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> Bounds:
        if self.min is None and self.max is None and self.drop_max is None:
            raise ValueError("say min, max or drop_max")
        return self


class SideEffects(_Part):
    """``max``: of the root mean square change of other values; ``except``: values that may change."""

    max: float = Field(ge=0, le=2)
    left_out: tuple[str, ...] = Field((), alias="except")


class Versus(_Part):
    """Another method that must be beaten (the base) or matched (any other).

    Attributes:
        steerer: ``base``, or a method by name.
        metric: that is compared, on the same items.
        margin: how much worse would not matter.
    """

    steerer: str
    metric: Literal["csr", "fr", "success", "exam"] = "success"
    margin: float = Field(0.0, ge=0, lt=1)


def _versus(value: Any) -> Any:
    return {"steerer": value} if isinstance(value, str) else value


class Expect(_Part):
    """The expectations of a case, one test each."""

    csr: Bounds | None = None
    fr: Bounds | None = None
    success: Bounds | None = None
    exam: Bounds | None = None
    consistency: Bounds | None = None
    side_effects: SideEffects | None = None
    versus: Annotated[Versus | None, BeforeValidator(_versus)] = None

    @property
    def given(self) -> list[str]:
        """Names of what is expected."""
        return [key for key in type(self).model_fields if getattr(self, key) is not None]


class Case(_Part):
    """A configuration and what is expected of it.

    Attributes:
        name: of the case.
        config: what is run.
        expect: what must hold.
        lines: line of each expectation in its file, from 1.
        line: of the case.
    """

    name: str
    config: RunConfig
    expect: Expect
    lines: dict[str, int]
    line: int


def read_cases(path: Path) -> list[Case]:
    """The cases of a file: one mapping, or a list of them.

    Raises:
        UsageError: with file and line, for whatever is wrong in it.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        data, root = read_plain_yaml(text), yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise UsageError(f"{path}:{line}: no valid YAML: {' '.join(str(error).split())}") from None
    entries = data if isinstance(data, list) else [data]
    places: tuple[str | int, ...] = ()
    cases = []
    for number, entry in enumerate(entries):
        at = (*places, number) if isinstance(data, list) else places
        cases.append(_case(path, entry, root, at, len(entries) > 1))
    names = [c.name for c in cases]
    for case in cases:
        if names.count(case.name) > 1:
            raise UsageError(f"{path}:{case.line}: two cases are called '{case.name}'; give each a 'name'.")
    return cases


def _case(path: Path, entry: Any, root: yaml.Node | None, at: tuple[str | int, ...], several: bool) -> Case:
    def fail(loc: tuple[str | int, ...], message: str) -> UsageError:
        return UsageError(f"{path}:{line_of(root, (*at, *loc))}: {message}")

    if not isinstance(entry, dict):
        raise fail((), "a case holds keys and values, such as 'steerer: conva', and 'expect'.")
    entry = dict(entry)
    expected, name = entry.pop("expect", None), entry.pop("name", None)
    for key in entry:
        if key not in RunConfig.model_fields:
            raise fail((key,), str(unknown_name("key", str(key), {*RunConfig.model_fields, "expect", "name"})))
    if not isinstance(expected, dict) or not expected:
        raise fail(("expect",), "'expect' must hold at least one expectation, such as 'csr: {min: 0.6}'.")
    renamed = {metric_id(str(k)): v for k, v in expected.items()}
    written = {metric_id(str(k)): str(k) for k in expected}
    for key in renamed:
        if key not in Expect.model_fields:
            raise fail(
                ("expect", written[key]), str(unknown_name("expectation", written[key], [*Expect.model_fields, "mmlu"]))
            )
    try:
        expect = Expect.model_validate(renamed)
    except ValidationError as error:
        first = error.errors()[0]
        loc = tuple(x for x in first["loc"] if x != "function-before")
        loc = (written.get(str(loc[0]), loc[0]), *loc[1:])
        message = first["msg"].removeprefix("Value error, ")
        raise fail(("expect", *loc), f"'{'.'.join(map(str, loc))}': {message} (got {first['input']!r}).") from None
    try:
        config = make_config(**entry)
    except UsageError as error:
        key = str(error).split("'")[1] if "'" in str(error) else ""
        raise fail((key,) if key in entry else (), str(error)) from None
    lines = {key: line_of(root, (*at, "expect", written[key])) for key in renamed}
    default = f"{config.steerer}" if several else path.name.split(".")[0]
    # Brackets and colons have a meaning in the names of tests.
    plain = re.sub(r"[\[\]:\s]+", "-", str(name or default))
    return Case(name=plain, config=config, expect=expect, lines=lines, line=line_of(root, at))


def line_of(root: yaml.Node | None, loc: tuple[str | int, ...]) -> int:
    """Line of a place in a YAML document, from 1; of the nearest place around it that exists."""
    node, line = root, 1
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == str(part)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line


def schema() -> dict[str, Any]:
    """JSON schema of such a file, for editors."""
    case = RunConfig.model_json_schema()
    expect = Expect.model_json_schema(by_alias=True)
    definitions = {**case.pop("$defs", {}), **expect.pop("$defs", {}), "Expect": expect}
    expect["properties"]["mmlu"] = expect["properties"]["exam"]
    expect["properties"]["versus"] = {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/Versus"}]}
    for key in ("values", "tasks", "strength", "layers", "report"):
        case["properties"][key] = {"description": "one, several with commas between them, or a list"}
    case["properties"] |= {"expect": {"$ref": "#/$defs/Expect"}, "name": {"type": "string"}}
    case["required"] = ["expect"]
    definitions["Case"] = case
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "test_*.vharness.yaml",
        "anyOf": [{"$ref": "#/$defs/Case"}, {"type": "array", "items": {"$ref": "#/$defs/Case"}}],
        "$defs": definitions,
    }
