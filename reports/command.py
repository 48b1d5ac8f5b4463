"""The command that makes a run again."""

from __future__ import annotations

import json
import shlex

from pydantic import JsonValue

from valuebench_harness.harness.config import RunConfig

_SETTINGS = {"settings": "--set", "gate_settings": "--gate-set"}
_JUDGE_OPTIONS = {"model": "--judge-model", "base_url": "--judge-url"}


def command(config: RunConfig) -> str:
    """``vharness eval`` with every key that is not at its default.

    Settings of a judge that have no option of their own belong in a configuration file; they are
    left out here and stand among the run's facts.
    """
    words = ["vharness", "eval"]
    for key, field in RunConfig.model_fields.items():
        value = getattr(config, key)
        if value == field.default and key not in {"model", "steerer"}:
            continue
        option = f"--{key.replace('_', '-')}"
        if key in _SETTINGS:
            words += [w for k, v in value.items() for w in (_SETTINGS[key], f"{k}={_plain(v)}")]
        elif key == "judge_settings":
            words += [w for k, o in _JUDGE_OPTIONS.items() if k in value for w in (o, _plain(value[k]))]
        elif key == "context_controlled":
            words.append("--straightforward")
        elif value is True:
            words.append(option)
        elif isinstance(value, tuple):
            words += [option, ",".join(f"{v:g}" if isinstance(v, float) else str(v) for v in value)]
        elif value is not None:
            words += [option, str(value)]
    return shlex.join(words)


def _plain(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value)
