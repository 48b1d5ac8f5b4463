"""What there is: tasks, steerers, models and runs, as records. Nothing here loads a model or goes online."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from valuebench_harness.data.datasets import SHIPPED_DATASETS, load_dataset
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.aliases import ModelAlias, aliases
from valuebench_harness.harness.documents import built_in_tasks
from valuebench_harness.harness.family import MINI, Family, model_path
from valuebench_harness.harness.run import Run
from valuebench_harness.steerers.registry import BUILT_IN, ENTRY_POINTS, steerer_class, steerer_names

if TYPE_CHECKING:
    from valuebench_harness.steerers.base import Steerer

RUNS = Path("vharness-runs")
"""Where runs go that have no ``--out``."""


@dataclass(frozen=True)
class TaskRecord:
    """A built-in task, or a pattern of them.

    Attributes:
        name: for ``--tasks``.
        about: what it asks.
        family: the model's family it belongs to; ``any`` where every model takes it.
        names: the names a pattern stands for, where they are few.
    """

    name: str
    about: str
    family: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class SteererRecord:
    """A method.

    Attributes:
        name: for ``--steerer``.
        about: first sentence of its class.
        source: paper or project it comes from.
        strengths: ``real`` (any number >= 0) or ``switch`` (0 or 1).
        default_strength: where no strength is shipped for the model.
        default_gate: its gate unless told otherwise.
        settings: names and defaults, for ``--set``.
        types: of the settings, as they are written in Python.
        origin: ``built-in``, or the package it was installed with.
        conformance: what ``vharness check`` found last on the code as it is now; empty where it was not checked.
        problem: why it cannot be used; empty where it can.
    """

    name: str
    about: str = ""
    source: str = ""
    strengths: str = ""
    default_strength: float | None = None
    default_gate: str = ""
    settings: dict[str, object] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    origin: str = "built-in"
    conformance: str = ""
    problem: str = ""


@dataclass(frozen=True)
class ModelRecord:
    """A model that has a short name, or that loads without a download.

    Attributes:
        name: for ``--model``.
        architecture: as its configuration names it; empty where that is not here.
        bytes: of its weights, in files or, for one that is not here, estimated in memory; 0 where unknown.
        commit: of a hub model.
        folder: where it lies, None where it would be downloaded.
        problem: why it cannot be used; empty where it can.
        id: what a short name stands for.
        weights: dtype or quantisation of a short name's weights.
        about: where a short name's model is used.
    """

    name: str
    architecture: str
    bytes: int
    commit: str | None
    folder: Path | None
    problem: str = ""
    id: str = ""
    weights: str = ""
    about: str = ""


@dataclass(frozen=True)
class RunRecord:
    """A run's folder.

    Attributes:
        folder: of the run.
        status: how far it is, or ``unreadable``.
        model: that ran.
        steerer: that steered.
        created: UTC, ISO 8601.
        csr_base: control success without steering, values pooled, at the first strength.
        csr: the same with steering.
        problem: why it cannot be read; empty where it can.
    """

    folder: Path
    status: str
    model: str = ""
    steerer: str = ""
    created: str = ""
    csr_base: float | None = None
    csr: float | None = None
    problem: str = ""


def list_tasks() -> list[TaskRecord]:
    """The built-in tasks of both shipped families; those that every model takes come last."""
    found: dict[str, TaskRecord] = {}
    for name in SHIPPED_DATASETS:
        family = Family(load_dataset(name), "")
        for task, about in built_in_tasks(family):
            own = task.startswith(name)
            found.setdefault(task, TaskRecord(task, about, name if own else "any", _expand(task, family)))
    return sorted(found.values(), key=lambda t: t.family == "any")


def _expand(task: str, family: Family) -> tuple[str, ...]:
    if "{value}" not in task:
        return ()
    from valuebench_harness.data.values import load_value_system

    ids = load_value_system("valuebench").ids if task.startswith("valuebench") else family.data.system.ids
    return tuple(task.format(value=value) for value in ids)


def list_steerers() -> list[SteererRecord]:
    """Built-in methods and those of installed packages; a broken one is listed with its problem."""
    origins = {e.name: e.dist.name if e.dist else e.value for e in entry_points(group=ENTRY_POINTS)}
    return [_steerer(name, "built-in" if name in BUILT_IN else origins[name]) for name in steerer_names()]


def _steerer(name: str, origin: str) -> SteererRecord:
    try:
        cls = steerer_class(name)
    except Exception as error:  # a package of someone else's may fail in any way
        return SteererRecord(name, origin=origin, problem=f"cannot be loaded: {error}")
    return SteererRecord(
        name=name,
        about=(cls.__doc__ or "").strip().partition("\n")[0],
        source=cls.source,
        strengths=cls.strengths,
        default_strength=cls.default_strength,
        default_gate=cls.default_gate,
        settings={key: info.default for key, info in cls.settings_type.model_fields.items()},
        types={key: _type_name(info.annotation) for key, info in cls.settings_type.model_fields.items()},
        origin=origin,
        conformance=_conformance(cls),
    )


def _type_name(annotation: object) -> str:
    return (
        annotation.__name__
        if isinstance(annotation, type)
        else str(annotation).replace("typing.", "").replace("pathlib.", "")
    )


def _conformance(cls: type[Steerer[Any]]) -> str:
    from valuebench_harness.harness.check.stored import recall

    found = recall(cls)
    if found is None:
        return ""
    failed = f"failed {', '.join(found.failed)}" if found.failed else f"{found.count('passed')} checks passed"
    return f"{failed} on {found.model} ({found.checked[:10]})"


def list_models() -> list[ModelRecord]:
    """The built-in model, the short names, and the other causal models in this machine's Hugging Face cache.

    Raises:
        UsageError: the file of the user's own short names is malformed.
    """
    cached = {record.name: record for record in _cached_models()}
    named = [_named(name, alias, cached.get(alias.id)) for name, alias in aliases().items()]
    others = [record for record in cached.values() if record.name not in {r.id for r in named}]
    return [_model(MINI, Path(model_path(MINI)), None), *named, *others]


def _named(name: str, alias: ModelAlias, cached: ModelRecord | None) -> ModelRecord:
    folder = Path(alias.id).expanduser()
    here = cached or (_model(alias.id, folder, None) if folder.is_dir() else None)
    record = here or ModelRecord(alias.id, "", 0, alias.revision, None)
    size = alias.bytes or record.bytes
    return replace(record, name=name, bytes=size, id=alias.id, weights=alias.weights, about=alias.about)


def _cached_models() -> Iterator[ModelRecord]:
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        cached = scan_cache_dir()
    except CacheNotFound:
        return
    for repo in sorted(cached.repos, key=lambda r: r.repo_id):
        for revision in sorted(repo.revisions, key=lambda r: r.last_modified, reverse=True)[:1]:
            if repo.repo_type == "model" and (revision.snapshot_path / "config.json").is_file():
                yield _model(repo.repo_id, revision.snapshot_path, revision.commit_hash)


def _model(name: str, folder: Path, commit: str | None) -> ModelRecord:
    weights = list(folder.glob("*.safetensors"))
    size = sum(p.stat().st_size for p in weights)
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        architecture = str((config.get("architectures") or [config.get("model_type", "?")])[0])
    except (OSError, ValueError, AttributeError):
        return ModelRecord(name, "?", size, commit, folder, "its config.json is missing or cannot be read")
    problem = ""
    if not weights:
        problem = "it has no .safetensors weights"
    elif not architecture.endswith(("CausalLM", "LMHeadModel", "ConditionalGeneration")):
        problem = "it is no causal language model"
    return ModelRecord(name, architecture, size, commit, folder, problem)


def list_runs(root: Path = RUNS) -> list[RunRecord]:
    """Runs in a folder and one level below it, the newest first.

    Raises:
        UsageError: where a folder other than the default one does not exist.
    """
    if not root.is_dir():
        if root == RUNS:
            return []
        raise UsageError(f"There is no folder {root}; 'vharness ls runs FOLDER' lists the runs in it.")
    folders = sorted({p.parent for pattern in ("run.json", "*/run.json") for p in root.glob(pattern)})
    return sorted((_run(folder) for folder in folders), key=lambda r: r.created, reverse=True)


def _run(folder: Path) -> RunRecord:
    try:
        run = Run(folder)
        info = run.info
        record = RunRecord(folder, info.status, info.config.model, info.config.steerer, info.created)
        if info.status != "complete":
            return record
        csr = next((p.csr for p in run.results.pooled if p.csr is not None), None)
        return record if csr is None else replace(record, csr_base=csr.before.estimate, csr=csr.after.estimate)
    except UsageError as error:
        return RunRecord(folder, "unreadable", problem=str(error))
