"""Reads JSONL, CSV and YAML into schemas; every error names the file, the line and the field."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from valuebench_harness.errors import UsageError

Model = TypeVar("Model", bound=BaseModel)


def explain(error: ValidationError, field: str | None = None) -> str:
    """The first complaint of a validation error as ``field: message``, and how many more there are.

    Args:
        error: what pydantic raised.
        field: name of the field at fault; default: pydantic's own path to it.
    """
    details = error.errors(include_url=False, include_context=False)
    first = details[0]
    field = field or ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if first["type"] == "missing":
        text = f"field '{field}' is missing"
    elif first["type"] == "extra_forbidden":
        text = f"'{field}' is not a known field"
    elif field:
        text = f"field '{field}': {message}, got {_shorten(first['input'])}"
    else:
        text = message
    return text + (f" (and {len(details) - 1} more)" if len(details) > 1 else "")


def read_text(path: Path, what: str) -> str:
    """The text of a file (UTF-8, a byte order mark is dropped).

    Raises:
        UsageError: the file is missing, unreadable or not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"No {what} at {path}.") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8.") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}).") from None


def read_jsonl(path: Path, model: type[Model], what: str = "file") -> list[Model]:
    """Reads one object a line; blank lines are skipped.

    Args:
        path: the file.
        model: the schema of a line.
        what: what the file is, for the error when it is not there.

    Raises:
        UsageError: no such file, a line that is no object of the schema, an id that
            comes twice, or no line at all.
    """
    return _collect(path, model, _json_lines(path, read_text(path, what)))


def read_csv(path: Path, model: type[Model], rows: Iterable[tuple[int, Mapping[str, Any]]]) -> list[Model]:
    """Validates the rows of a CSV that :func:`csv_rows` read and its caller reshaped.

    Raises:
        UsageError: as :func:`read_jsonl`.
    """
    return _collect(path, model, rows)


def csv_rows(path: Path, required: Sequence[str], what: str = "CSV") -> Iterator[tuple[int, dict[str, str]]]:
    """Yields ``(line, row)`` of a CSV with a header; cells are stripped of blanks.

    Args:
        path: the file; commas and line breaks inside quotes are part of a cell.
        required: columns that must be there and must not be empty in any row.
        what: what the file is, for the error when it is not there.

    Raises:
        UsageError: a missing column, an empty required cell, a row with too many cells, a
            quote that never ends. An empty file has no columns, so it is reported as such.
    """
    reader = csv.DictReader(io.StringIO(read_text(path, what), newline=""), strict=True)
    try:
        header = [name.strip() for name in reader.fieldnames or []]
        missing = [name for name in required if name not in header]
        if missing:
            found = ", ".join(header) if header else "none, the file is empty"
            raise UsageError(f"{path}: column {_names(missing)} missing (found: {found}).")
        reader.fieldnames = header
        for row in reader:
            line = reader.line_num
            if None in row:
                raise UsageError(f"{path}:{line}: more cells than columns; quote texts that hold commas.")
            cells = {name: (cell or "").strip() for name, cell in row.items()}
            empty = [name for name in required if not cells[name]]
            if empty and len(empty) == len(required):
                raise UsageError(f"{path}:{line}: the row is empty; delete it.")
            if empty:
                raise UsageError(f"{path}:{line}: {_names(empty)} is empty.")
            yield line, cells
    except csv.Error as error:
        raise UsageError(f"{path}:{reader.reader.line_num}: not a CSV ({error}).") from None


_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


class _PlainLoader(yaml.SafeLoader):
    """YAML without its sexagesimal numbers: ``1:3`` is text (a range of strengths), not 63."""


_PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _NUMBERS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_PlainLoader.add_implicit_resolver(_NUMBERS[0], re.compile(r"[-+]?[0-9]+$"), list("-+0123456789"))
_PlainLoader.add_implicit_resolver(
    _NUMBERS[1],
    re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$|[-+]?\.inf$|\.nan$"),
    list("-+0123456789."),
)


def read_plain_yaml(text: str) -> Any:
    """YAML as people write settings; numbers are plain decimals only.

    Raises:
        yaml.YAMLError: where the text is no YAML.
    """
    return yaml.load(text, Loader=_PlainLoader)  # noqa: S506 - a SafeLoader


def read_yaml(path: Path, model: type[Model], what: str = "file") -> Model:
    """Reads a YAML mapping into a schema.

    Raises:
        UsageError: not YAML, not a mapping, or a key that the schema refuses; the message
            names the line.
    """
    text = read_text(path, what)
    try:
        content = yaml.safe_load(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise UsageError(f"{path}{line}: not YAML ({getattr(error, 'problem', None) or error}).") from None
    if not isinstance(content, dict):
        raise UsageError(f"{path}: holds no mapping of keys to values.")
    if repeated := _repeated_key(root):
        raise UsageError(f"{path}:{repeated[0]}: key '{repeated[1]}' comes twice.")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        line_number, key = _locate(root, error.errors()[0]["loc"])
        raise UsageError(f"{path}:{line_number}: {explain(error, key)}.") from None


def _collect(path: Path, model: type[Model], rows: Iterable[tuple[int, Mapping[str, Any]]]) -> list[Model]:
    items: list[Model] = []
    seen: dict[str, int] = {}
    for line, row in rows:
        try:
            item = model.model_validate(row)
        except ValidationError as error:
            raise UsageError(f"{path}:{line}: {explain(error)}.") from None
        key = getattr(item, "id", None)
        if key is not None and key in seen:
            raise UsageError(f"{path}:{line}: id '{key}' already stands in line {seen[key]}; ids must be unique.")
        if key is not None:
            seen[key] = line
        items.append(item)
    if not items:
        raise UsageError(f"{path}: holds no items.")
    return items


def _json_lines(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    # Not splitlines(): JSON strings may hold U+2028 and its like unescaped.
    for line, raw in enumerate(text.split("\n"), 1):
        if not raw.strip():
            continue
        try:
            row = json.loads(raw)
        except json.JSONDecodeError as error:
            raise UsageError(f"{path}:{line}: not JSON ({error.msg}, column {error.colno}).") from None
        if not isinstance(row, dict):
            raise UsageError(f"{path}:{line}: expected an object in braces, got {_shorten(row)}.")
        yield line, row


def _locate(node: yaml.Node | None, loc: Sequence[str | int]) -> tuple[int, str]:
    """Line (from 1) and dotted keys of the deepest node on a path that pydantic reports.

    A schema may turn a mapping into a list, so an index into a mapping counts its entries.
    """
    line, keys = 1, []
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            by_key = (pair for pair in node.value if pair[0].value == str(part))
            pair = node.value[part] if isinstance(part, int) and part < len(node.value) else next(by_key, None)
            keys.append(str(pair[0].value if pair else part))
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            keys.append(str(part))
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line, ".".join(keys)


def _repeated_key(node: yaml.Node | None) -> tuple[int, str] | None:
    """Line and name of a key that a mapping holds twice; plain YAML would keep the last silently."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, child in node.value:
            if key.value in seen:
                return key.start_mark.line + 1, str(key.value)
            seen.add(key.value)
            if found := _repeated_key(child):
                return found
    return None


def _shorten(value: object, width: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= width else text[: width - 3] + "..."


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
