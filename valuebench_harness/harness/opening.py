"""A run's folder at the start of a session: a new run, the same one to go on with, or another one's."""

from __future__ import annotations

import importlib.metadata
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from valuebench_harness.errors import UsageError
from valuebench_harness.harness.config import HOW_NOT_WHAT, RunConfig
from valuebench_harness.harness.records import RunInfo

if TYPE_CHECKING:
    from valuebench_harness.harness.plan import Plan
    from valuebench_harness.harness.store import RunStore

LIBRARIES = ("valuebench-harness", "torch", "transformers", "lm-eval", "numpy", "scikit-learn", "scipy")


def open_run(store: RunStore, plan: Plan, *, resume: bool) -> RunInfo:
    """The record of a plan's run: read where the folder holds it, else made.

    Raises:
        UsageError: the folder holds another run, or this one unfinished and ``resume`` is off.
    """
    if store.exists:
        info = store.info()
        if info.plan_hash != plan.plan_hash:
            raise _another(store.folder, _difference(info, plan))
        if info.status != "planned":
            for name, then, now in (
                ("The files of the tasks", info.tasks_hash, plan.tasks_hash),
                ("The method's code or its training texts", info.training, plan.training),
            ):
                if then != now:
                    raise UsageError(f"{name} have changed since {store.folder} was made. Choose another --out.")
        if not resume and info.status != "complete" and store.samples():
            raise UsageError(
                f"{store.folder} holds this run, unfinished ({info.status}). Add --resume to go on with it."
            )
        return info.model_copy(update={"tasks_hash": plan.tasks_hash, "training": plan.training})
    info = RunInfo(
        config=plan.config,
        plan_hash=plan.plan_hash,
        data_hash=plan.data_hash,
        training=plan.training,
        tasks_hash=plan.tasks_hash,
        versions={name: importlib.metadata.version(name) for name in LIBRARIES},
        notes=plan.notes,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    store.write_plan(plan.conditions, plan.documents)
    store.write_info(info)
    return info


def check_keys(store: RunStore, plan: Plan) -> None:
    """Raises ``UsageError`` where the folder holds a run of another configuration.

    Only the configuration's own keys are compared, as long as strengths are still to be chosen.
    """
    changed = _changed_key(store.info(), plan)
    if changed:
        raise _another(store.folder, changed)


def _another(folder: Path, difference: str) -> UsageError:
    return UsageError(
        f"{folder} holds a run of another configuration ({difference}). "
        "Choose another --out, or give the same configuration."
    )


def _changed_key(info: RunInfo, plan: Plan) -> str:
    """The first key of the configuration that decides on answers and differs; empty where none does."""
    for key in RunConfig.model_fields:
        a, b = getattr(info.config, key), getattr(plan.config, key)
        if a != b and key not in HOW_NOT_WHAT:
            return f"its '{key}' is {a!r}, not {b!r}"
    return ""


def _difference(info: RunInfo, plan: Plan) -> str:
    if changed := _changed_key(info, plan):
        return changed
    if info.data_hash != plan.data_hash:
        return "its items are others"
    return "its strengths are others"
