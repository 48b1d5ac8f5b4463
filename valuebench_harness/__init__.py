"""Evaluation of methods that steer the values of language models.

``evaluate`` runs what ``vharness eval`` runs, ``load_run`` reads a finished run, ``steer`` puts a
plan on anyone's own model. All three load on first use: importing this package imports
neither torch nor transformers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from valuebench_harness.engine.steer import steer
    from valuebench_harness.harness.evaluate import evaluate
    from valuebench_harness.harness.run import Run, load_run

__version__ = "0.1.0"
__all__ = ["Run", "__version__", "evaluate", "load_run", "steer"]

_HOMES = {
    "Run": "valuebench_harness.harness.run",
    "evaluate": "valuebench_harness.harness.evaluate",
    "load_run": "valuebench_harness.harness.run",
    "steer": "valuebench_harness.engine.steer",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
