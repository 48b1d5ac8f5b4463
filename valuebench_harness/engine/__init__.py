"""A causal language model that can be steered row by row.

Plans and rows (`arrays`, `intervention`, `plan`, `rows`) are data and import no
torch; everything that runs a model does. Names are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from valuebench_harness.engine.adapter import Adapter, LowRankUpdate, ScaledAdapter
    from valuebench_harness.engine.arrays import FrozenArray
    from valuebench_harness.engine.intervention import Intervention, Params, Site, TokenScope
    from valuebench_harness.engine.loading import load
    from valuebench_harness.engine.model import SteeredModel
    from valuebench_harness.engine.plan import EMPTY, Message, SteerPlan
    from valuebench_harness.engine.rows import Generation, GenerationRow, Loglikelihood, LoglikelihoodRow, TextRow
    from valuebench_harness.engine.steer import steer

__all__ = [
    "EMPTY",
    "Adapter",
    "FrozenArray",
    "Generation",
    "GenerationRow",
    "Intervention",
    "Loglikelihood",
    "LoglikelihoodRow",
    "LowRankUpdate",
    "Message",
    "Params",
    "ScaledAdapter",
    "Site",
    "SteerPlan",
    "SteeredModel",
    "TextRow",
    "TokenScope",
    "load",
    "steer",
]

_HOMES = {
    "adapter": ("Adapter", "LowRankUpdate", "ScaledAdapter"),
    "arrays": ("FrozenArray",),
    "intervention": ("Intervention", "Params", "Site", "TokenScope"),
    "loading": ("load",),
    "model": ("SteeredModel",),
    "plan": ("EMPTY", "Message", "SteerPlan"),
    "rows": ("Generation", "GenerationRow", "Loglikelihood", "LoglikelihoodRow", "TextRow"),
    "steer": ("steer",),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            value = getattr(import_module(f"{__name__}.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
