"""Steerers and gates by name.

A steerer is found among the built-ins, by the entry point group
``valuebench_harness.steerers``, or as ``path/to/file.py:Class``. Names combine:

- ``NAME-positive``, ``NAME-negative``: that direction whatever the run's; ``NAME-none``: switched off;
- ``A+B``: both methods, A first (:mod:`.composite`);
- ``random:NAME``: random directions in place of NAME's own (:mod:`.random`).

Settings of a name that is made of several methods go to the only one that has a setting of that name; where
several have, ``caa.scope`` names the method. ``caa.strength`` fixes one part's strength, so that the run's scales
the others only.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from valuebench_harness.errors import UsageError, unknown_name
from valuebench_harness.steerers.base import Direction, Steerer
from valuebench_harness.steerers.composite import Composite, Part, Pin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from valuebench_harness.steerers.base import Settings
    from valuebench_harness.steerers.gates.base import Gate

ENTRY_POINTS = "valuebench_harness.steerers"

# Modules are named, not imported: numpy and scikit-learn load when a method is used.
BUILT_IN = {
    "base": "valuebench_harness.steerers.none:Base",
    "ica": "valuebench_harness.steerers.ica:ICA",
    "role": "valuebench_harness.steerers.role:RolePrompt",
    "instruction": "valuebench_harness.steerers.instruction:Instruction",
    "caa": "valuebench_harness.steerers.caa:CAA",
    "conva": "valuebench_harness.steerers.conva:ConVA",
    "repe": "valuebench_harness.steerers.repe:RepE",
    "iti": "valuebench_harness.steerers.iti:ITI",
    "actadd": "valuebench_harness.steerers.actadd:ActAdd",
    "ablate": "valuebench_harness.steerers.ablate:Ablate",
    "sae": "valuebench_harness.steerers.sae:SAE",
    "sft": "valuebench_harness.steerers.sft:SFT",
    "random": "valuebench_harness.steerers.random:Random",
    "vector": "valuebench_harness.steerers.vector:Vector",
}
GATES = {
    "deberta": "valuebench_harness.steerers.gates.deberta:DebertaGate",
    "probe": "valuebench_harness.steerers.gates.probe:ProbeGate",
}
NO_GATE = "none"
RANDOM = "random"
PINS: tuple[Pin, ...] = ("positive", "negative", "none")


def steerer_names() -> list[str]:
    """All names that ``--steerer`` takes, files aside."""
    return sorted({*BUILT_IN, *(e.name for e in entry_points(group=ENTRY_POINTS))})


def gate_names() -> list[str]:
    """All names that ``--gate`` takes."""
    return sorted([NO_GATE, *GATES])


def split_direction(name: str) -> tuple[str, Direction | None]:
    """The direction that a name pins the whole method to: ``ica-negative`` is ``("ica", "negative")``.

    Parts of a composite keep their own pins; it is pinned as a whole where all parts that are on
    are pinned alike.
    """
    pinned = [_split_pin(part) for part in _split_parts(name)]
    if len(pinned) == 1:
        head, pin = pinned[0]
        return (name, None) if pin == "none" else (head, pin)
    pins = {pin for _, pin in pinned if pin != "none"}
    return name, pins.pop() if len(pins) == 1 else None


def _split_parts(name: str) -> list[str]:
    """The parts around each plus; a plus within the path of a file that is there is none."""
    pieces, parts = name.split("+"), []
    while pieces:
        taken = next((n for n in range(len(pieces), 1, -1) if _names_file("+".join(pieces[:n]))), 1)
        parts.append("+".join(pieces[:taken]).strip())
        del pieces[:taken]
    if not all(parts):
        raise UsageError(f"Steerer '{name}': a method is missing beside the plus; write for example 'ica+conva'.")
    return parts


def _names_file(name: str) -> bool:
    path, found, class_name = name.partition(".py:")
    return bool(found) and "+" not in class_name and Path(f"{path}.py").is_file()


def _split_pin(name: str) -> tuple[str, Pin | None]:
    for pin in PINS:
        if name.lower().endswith(f"-{pin}"):
            return name[: -len(pin) - 1], pin
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
    """A steerer with settings; see the top of this module for names and settings of combined methods.

    Raises:
        UsageError: for an unknown name, an unknown setting or a setting of the wrong type, or methods
            that do not go together.
    """
    drafts = [_draft(part) for part in _split_parts(name)]
    shares = _share_out(settings or {}, [cls for draft in drafts for cls in draft.classes], name)
    if len(drafts) == 1 and drafts[0].pin is None:
        return _make(drafts[0], shares)
    fixed = [_fixed_strength(d, shares[d.label]) for d in drafts]
    return Composite([Part(_make(d, shares), d.pin, strength) for d, strength in zip(drafts, fixed, strict=True)])


@dataclass(frozen=True)
class _Draft:
    """A part by its classes: the method's, for ``random:`` with that of the method it stands in for."""

    classes: tuple[type[Steerer[Any]], ...]
    pin: Pin | None

    @property
    def label(self) -> str:
        return self.classes[0].name


def _draft(part: str) -> _Draft:
    name, pin = _split_pin(part)
    head, colon, inner = name.partition(":")
    if head.lower() != RANDOM:
        return _Draft((steerer_class(name),), pin)
    if not (colon and inner):
        raise UsageError("'random' stands in for another method: write for example 'random:conva'.")
    return _Draft((steerer_class(RANDOM), steerer_class(inner)), pin)


def _make(draft: _Draft, shares: Mapping[str, Mapping[str, Any]]) -> Steerer[Any]:
    made = [
        (cls, make_settings(cls.settings_type, f"steerer '{cls.name}'", shares.get(cls.name, {})))
        for cls in draft.classes
    ]
    (cls, own), *rest = made
    if not rest:
        return cls(own)
    inner_class, inner_settings = rest[0]
    make: Any = cls  # Random alone takes the method it stands in for
    steerer: Steerer[Any] = make(own, inner=inner_class(inner_settings))
    return steerer


def _share_out(
    settings: Mapping[str, Any], classes: Sequence[type[Steerer[Any]]], whole: str
) -> dict[str, dict[str, Any]]:
    """Whose setting each is, by the method's name."""
    shares: dict[str, dict[str, Any]] = {cls.name: {} for cls in classes}
    for key, value in settings.items():
        name, dot, own = key.rpartition(".")
        if dot:
            if name.lower() not in shares:
                raise unknown_name(f"method in '{whole}' for setting '{key}':", name, shares)
            shares[name.lower()][own] = value
            continue
        owners = [cls.name for cls in classes if key in cls.settings_type.model_fields]
        if len(owners) > 1:
            choices = " or ".join(f"{owner}.{key}" for owner in owners)
            raise UsageError(f"Setting '{key}' belongs to several methods of '{whole}'; write {choices}.")
        if not owners and len(classes) > 1:
            known = [f"{cls.name}.{field}" for cls in classes for field in cls.settings_type.model_fields]
            raise unknown_name(f"setting of '{whole}'", key, known)
        shares[owners[0] if owners else classes[0].name][key] = value
    return shares


def _fixed_strength(draft: _Draft, share: dict[str, Any]) -> float | None:
    """The strength that a part's settings fix; it is taken out of them."""
    if "strength" not in share or "strength" in draft.classes[0].settings_type.model_fields:
        return None
    value = share.pop("strength")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"Setting '{draft.label}.strength' must be a number (got {value!r}).")
    return float(value)


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
