"""Which value each setting is aimed at, as a file says it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from valuebench_harness.causal.interventions import Target
from valuebench_harness.data.reading import read_jsonl, read_text
from valuebench_harness.errors import UsageError

AWAY = "-"
"""Before a value's name: the setting steers away from it."""


COLLECTED = "settings.jsonl"
"""What a collection's folder says of its settings."""


class _Collected(BaseModel):
    """What matters here of a line of a collection's settings."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    column: str | None = None
    direction: Literal["positive", "negative"] = "positive"


def read_targets(path: Path) -> dict[str, Target]:
    """Reads a JSON object of settings and the value each steers, or the folder of a collection.

    Args:
        path: JSON such as ``{"up": "Power", "down": "-Power"}``, the second steering away from it; or a
            folder with the ``settings.jsonl`` that a collection writes.

    Raises:
        UsageError: no such file, not of this form, or a collection whose settings aim at no value.
    """
    if path.is_dir() or path.name == COLLECTED:
        return _collected(path / COLLECTED if path.is_dir() else path)
    try:
        content = json.loads(read_text(path, "file of targets"))
    except json.JSONDecodeError as error:
        raise UsageError(f"{path}: not JSON ({error.msg}, line {error.lineno}).") from None
    if not isinstance(content, dict) or not content or not all(isinstance(v, str) and v for v in content.values()):
        raise UsageError(f'{path}: expected an object of settings and values, such as {{"1312": "-Power"}}.')
    return {
        setting: Target(value=value.removeprefix(AWAY), sign=-1 if value.startswith(AWAY) else 1)
        for setting, value in content.items()
    }


def _collected(path: Path) -> dict[str, Target]:
    settings = read_jsonl(path, _Collected, "settings of a collection")
    found = {s.id: Target(value=s.column, sign=1 if s.direction == "positive" else -1) for s in settings if s.column}
    if not found:
        raise UsageError(f"{path}: no setting aims at a measured value, so there is no known target.")
    return found
