"""What a run will do, known before a model is loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from valuebench_harness.errors import UsageError
from valuebench_harness.harness import conditions as planning
from valuebench_harness.harness.config import HOW_NOT_WHAT, RunConfig
from valuebench_harness.harness.documents import default_tasks, make_documents
from valuebench_harness.harness.family import Family, family_of
from valuebench_harness.harness.fitting import code_identity, learns
from valuebench_harness.harness.records import Condition, Document
from valuebench_harness.steerers.registry import make_gate, make_steerer, split_direction

if TYPE_CHECKING:
    from valuebench_harness.data.datasets import Part
    from valuebench_harness.steerers.base import Direction, Steerer


@dataclass(frozen=True)
class Plan:
    """What a run will do, known before a model is loaded.

    Attributes:
        config: as given.
        family: data and judge.
        steerer: the method.
        direction: of steering; a suffix of the method's name pins it.
        gate_name: of the gate.
        values: ids of the values steered.
        conditions: the base first.
        documents: what is asked.
        training: hash of the method's code and of the texts it learns from.
        tasks_hash: of the files behind the user's own lm-eval tasks; apart from the rest, since a task that
            failed may be mended before the run goes on.
        foreign: tasks that lm-eval runs.
        notes: what is left out.
    """

    config: RunConfig
    family: Family
    steerer: Steerer[Any]
    direction: Direction
    gate_name: str
    values: tuple[str, ...]
    conditions: tuple[Condition, ...]
    documents: tuple[Document, ...]
    training: str = ""
    tasks_hash: str = ""
    foreign: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def cells(self) -> list[tuple[Condition, Document]]:
        """All (condition, document) pairs, the base first."""
        system = self.family.data.system.name
        return planning.cells(self.conditions, self.documents, gate=self.gate_name, system=system)

    @property
    def plan_hash(self) -> str:
        """Of all that decides which answers the run holds."""
        config = self.config.model_dump(mode="json", exclude=set(HOW_NOT_WHAT))
        conditions = [c.model_dump(mode="json") for c in self.conditions]
        return _hash([config, conditions, self.data_hash, self.training])

    @property
    def data_hash(self) -> str:
        """Of the documents."""
        return _hash([d.model_dump(mode="json") for d in self.documents])


def make_plan(config: RunConfig) -> Plan:
    """Plans a run.

    Raises:
        UsageError: for anything in the configuration that does not exist or does not fit.
    """
    steerer, direction, gate_name = make_method(config)
    family = family_of(config)
    values = steered_values(config, family)
    tasks, notes = (list(config.tasks), []) if config.tasks else default_tasks(family)
    documents, foreign = make_documents(tasks, family, split=config.split, limit=config.limit)
    if foreign:
        from valuebench_harness.harness.lm_eval_tasks import check_tasks

        check_tasks(foreign, config.include_path, family)
    has_exam = any(d.kind == "exam" for d in documents)
    conditions = planning.make_conditions(config, steerer, direction, values, gate_name, has_exam=has_exam)
    return Plan(
        config=config,
        family=family,
        steerer=steerer,
        direction=direction,
        gate_name=gate_name,
        values=values,
        conditions=tuple(conditions),
        documents=tuple(documents),
        training=_training_hash(config, steerer, family, values),
        tasks_hash=_tasks_hash(config.include_path) if foreign and config.include_path else "",
        foreign=tuple(foreign),
        notes=tuple(notes),
    )


def make_method(config: RunConfig) -> tuple[Steerer[Any], Direction, str]:
    """The method of a configuration, its direction (a suffix of its name pins it) and its gate's name.

    Raises:
        UsageError: for an unknown method, gate or setting.
    """
    name, pinned = split_direction(config.steerer)
    steerer = make_steerer(name, config.settings)
    gate_name = (config.gate or steerer.default_gate).lower()
    make_gate(gate_name, config.gate_settings)
    return steerer, pinned or config.direction, gate_name


def steered_values(config: RunConfig, family: Family) -> tuple[str, ...]:
    """Ids of the values to steer, in order.

    Raises:
        UsageError: for an unknown value, or a combination of values.
    """
    from valuebench_harness.data.values import resolve_values

    system = family.data.system
    specs = resolve_values(config.values if config.values is not None else "all", system)
    for spec in specs:
        if not spec.is_single:
            raise UsageError(f"'{spec}' combines or weighs values; this version steers one value at a time.")
    return tuple(spec.terms[0][0] for spec in specs)


def _training_hash(config: RunConfig, steerer: Steerer[Any], family: Family, values: Sequence[str]) -> str:
    """Changes with the method's code and with what it learns from."""
    parts: list[Any] = [code_identity(steerer)]
    if learns(steerer):
        pairs: Part = "pairs" if config.context_controlled else "pairs_straightforward"
        parts += [family.data.hash(pairs, v) for v in values]
        parts += [family.data.hash("neutral")] if family.data.has("neutral") else []
    return _hash(parts)


def _tasks_hash(folder: Path) -> str:
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix != ".pyc")
    return _hash([hashlib.sha256(p.read_bytes()).hexdigest() for p in files])


def default_folder(plan: Plan) -> Path:
    """A folder whose name says what the run is; the hash tells configurations apart."""
    model = Path(plan.config.model).name or "model"
    return Path("vharness-runs") / f"{model}-{plan.steerer.name}-{plan.plan_hash[:8]}"


def _hash(data: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
