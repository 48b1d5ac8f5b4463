"""Steerers and gates by name.

A steerer is found among the built-ins, by the entry point group
``valuebench_harness.steerers``, or as ``path/to/file.py:Class``.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from valuebench_harness.errors import UsageError, unknown_name
from valuebench_harness.steerers.base import Direction, Steerer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from valuebench_harness.steerers.base import Settings
    from valuebench_harness.steerers.gates.base import Gate

ENTRY_POINTS = "valuebench_harness.steerers"

# Modules are named, not imported: numpy and scikit-learn load when a method is used.
BUILT_IN = {
    "base": "valuebench_harness.steerers.none:Base",
    "ica": "valuebench_harness.steerers.ica:ICA",
    "caa": "valuebench_harness.steerers.caa:CAA",
    "conva": "valuebench_harness.steerers.conva:ConVA",
}
GATES = {"probe": "valuebench_harness.steerers.gates.probe:ProbeGate"}
NO_GATE = "none"


def steerer_names() -> list[str]:
    """All names that ``--steerer`` takes, files aside."""
    return sorted({*BUILT_IN, *(e.name for e in entry_points(group=ENTRY_POINTS))})


def gate_names() -> list[str]:
    """All names that ``--gate`` takes."""
    return sorted([NO_GATE, *GATES])


def split_direction(name: str) -> tuple[str, Direction | None]:
    """Splits a pinned direction off: ``ica-negative`` is ``("ica", "negative")``."""
    directions: tuple[Direction, Direction] = ("positive", "negative")
    for direction in directions:
        if name.lower().endswith(f"-{direction}"):
            return name[: -len(direction) - 1], direction
    return name, None


def steerer_class(name: str) -> type[Steerer[Any]]:
    """The class behind a name (without a direction suffix).

    Raises:
        UsageError: for an unknown name, or a file that does not hold a steerer.
    """
    if ".py:" in name:
        return _from_file(name)
    key = name.lower()
    if key in BUILT_IN:
        return _checked(_load(BUILT_IN[key]), BUILT_IN[key])
    for entry in entry_points(group=ENTRY_POINTS):
        if entry.name.lower() == key:
            try:
                loaded = entry.load()
            except Exception as error:
                raise UsageError(f"Steerer '{name}' ({entry.value}) cannot be imported: {_words(error)}") from error
            return _checked(loaded, f"entry point '{entry.value}'")
    hint = "A steerer of your own is named as path/to/file.py:Class."
    raise unknown_name("steerer", name, steerer_names(), hint)


def make_steerer(name: str, settings: Mapping[str, Any] | None = None) -> Steerer[Any]:
    """A steerer with settings.

    Raises:
        UsageError: for an unknown name, an unknown setting or a setting of the wrong type.
    """
    cls = steerer_class(name)
    return cls(make_settings(cls.settings_type, f"steerer '{cls.name}'", settings or {}))


def make_gate(name: str, settings: Mapping[str, Any] | None = None) -> Gate[Any] | None:
    """A gate with settings; ``None`` for ``none``.

    Raises:
        UsageError: for an unknown name or setting.
    """
    key = name.lower()
    if key == NO_GATE:
        return None
    if key not in GATES:
        raise unknown_name("gate", name, gate_names())
    cls: type[Gate[Any]] = _load(GATES[key])
    return cls(make_settings(cls.settings_type, f"gate '{cls.name}'", settings or {}))


def make_settings(cls: type[Settings], what: str, values: Mapping[str, Any]) -> Settings:
    """Validated settings; errors name the setting and what it should be."""
    for key in values:
        if key not in cls.model_fields:
            raise unknown_name(f"setting of {what}", key, cls.model_fields)
    try:
        return cls.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UsageError(f"Setting '{where}' of {what}: {first['msg']} (got {first['input']!r}).") from error


def _load(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def _from_file(spec: str) -> type[Steerer[Any]]:
    path_text, _, class_name = spec.rpartition(":")
    path = Path(path_text)
    if not path.is_file():
        raise UsageError(f"Steerer '{spec}': there is no file {path}.")
    module_spec = importlib.util.spec_from_file_location(f"vharness_user_{path.stem}", path)
    assert module_spec is not None
    assert module_spec.loader is not None
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[module_spec.name] = module
    try:
        module_spec.loader.exec_module(module)
    except Exception as error:
        raise UsageError(f"Steerer file {path} cannot be imported: {_words(error)}") from error
    if not hasattr(module, class_name):
        classes = [n for n, c in inspect.getmembers(module, inspect.isclass) if c.__module__ == module.__name__]
        raise unknown_name(f"class in {path}", class_name, classes)
    return _checked(getattr(module, class_name), str(path))


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _checked(cls: Any, where: str) -> type[Steerer[Any]]:
    if not (inspect.isclass(cls) and issubclass(cls, Steerer)):
        raise UsageError(
            f"{where}: {getattr(cls, '__name__', cls)} is no subclass of valuebench_harness.steerers.Steerer."
        )
    if inspect.isabstract(cls) or not getattr(cls, "name", None):
        missing = sorted(getattr(cls, "__abstractmethods__", ())) or ["name"]
        raise UsageError(f"{where}: steerer {cls.__name__} lacks {', '.join(missing)}.")
    return cls
