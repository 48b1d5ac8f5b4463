"""What a run will do, known before a model is loaded."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from valuebench_harness.errors import UsageError
from valuebench_harness.harness import conditions as planning
from valuebench_harness.harness.config import HOW_NOT_WHAT, RunConfig
from valuebench_harness.harness.documents import default_tasks, make_documents
from valuebench_harness.harness.family import Family, family_of
from valuebench_harness.harness.fitting import check_pairs, code_identity, learns
from valuebench_harness.harness.halves import make_halves
from valuebench_harness.harness.records import BASE, Condition, Document
from valuebench_harness.harness.remote import REMOTE, refuse_activations
from valuebench_harness.steerers.registry import make_gate, make_steerer, split_direction

if TYPE_CHECKING:
    from valuebench_harness.data.datasets import Part
    from valuebench_harness.data.values import ValueSpec
    from valuebench_harness.harness.settling import Settled
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
        specs: what is steered: values, or several with weights.
        conditions: the base first.
        documents: what is asked.
        training: hash of the method's code and of the texts it learns from; apart from the rest, since a
            user's method that failed may be mended before the run goes on.
        tasks_hash: of the files behind the user's own lm-eval tasks; apart from the rest for the same reason.
        foreign: tasks that lm-eval runs.
        notes: what is left out.
        own_only: steered conditions answer what concerns their own values and nothing else.
        tuned_on: dilemmas that strengths are chosen on; none of them is among ``documents``.
        settled: strengths that were chosen on the model itself, once they are.
    """

    config: RunConfig
    family: Family
    steerer: Steerer[Any]
    direction: Direction
    gate_name: str
    specs: tuple[ValueSpec, ...]
    conditions: tuple[Condition, ...]
    documents: tuple[Document, ...]
    training: str = ""
    tasks_hash: str = ""
    foreign: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    own_only: bool = False
    tuned_on: tuple[Document, ...] = ()
    settled: Settled | None = None

    @property
    def values(self) -> tuple[str, ...]:
        """Ids of all values steered."""
        return distinct_values(self.specs)

    @property
    def is_unsettled(self) -> bool:
        """Whether strengths are still to be chosen on the model; until then the conditions hold shipped ones."""
        return (self.config.tune or self.config.match_kl is not None) and self.settled is None

    def settle(self, settled: Settled) -> Plan:
        """The plan at the strengths that were chosen."""
        conditions = planning.make_conditions(
            self.config,
            self.steerer,
            self.direction,
            self.specs,
            self.gate_name,
            has_exam=_has_exam(self.documents),
            settled=settled.settings,
        )
        return replace(self, conditions=tuple(conditions), settled=settled)

    @property
    def cells(self) -> list[tuple[Condition, Document]]:
        """All (condition, document) pairs, the base first."""
        system = self.family.data.system.name
        return planning.cells(
            self.conditions, self.documents, gate=self.gate_name, system=system, own_only=self.own_only
        )

    @property
    def plan_hash(self) -> str:
        """Of all that decides which answers the run holds, the method's own code and training texts aside."""
        config = self.config.model_dump(mode="json", exclude=set(HOW_NOT_WHAT))
        conditions = [c.model_dump(mode="json") for c in self.conditions]
        return _hash([config, conditions, self.data_hash])

    @cached_property
    def data_hash(self) -> str:
        """Of the documents."""
        return _hash([d.model_dump(mode="json") for d in (*self.documents, *self.tuned_on)])


def make_plan(config: RunConfig) -> Plan:
    """Plans a run.

    Raises:
        UsageError: for anything in the configuration that does not exist or does not fit.
    """
    method = make_method(config)
    _check_choice(config, method.steerer)
    family = family_of(config)
    specs = steered_specs(config, family)
    tasks, notes = (list(config.tasks), []) if config.tasks else default_tasks(family)
    tuned_on: tuple[Document, ...] = ()
    if config.tune:
        halves = make_halves(tasks, family, limit=config.limit)
        documents, foreign, tuned_on = list(halves.reported), list(halves.foreign), halves.tuned
        notes += halves.notes
        without = sorted(set(distinct_values(specs)) - {d.value for d in tuned_on})
        if without:
            raise UsageError(f"--tune: the tasks hold no dilemmas of '{without[0]}' to choose its strength on.")
    else:
        documents, foreign = make_documents(tasks, family, split=config.split, limit=config.limit)
    if foreign:
        from valuebench_harness.harness.lm_eval_tasks import check_tasks

        if config.model.startswith(REMOTE):
            raise UsageError(
                f"Task '{foreign[0]}' is lm-eval's, which needs likelihoods: a model behind a server gives none."
            )
        check_tasks(foreign, config.include_path, family)
    plan = plan_for(config, family, method, specs, documents)
    check_pairs(config, method.steerer, family, plan.values)
    return replace(
        plan,
        training=_training_hash(config, method.steerer, family, plan.values),
        tasks_hash=_tasks_hash(config.include_path) if foreign and config.include_path else "",
        foreign=tuple(foreign),
        notes=tuple(notes),
        tuned_on=tuned_on,
    )


def plan_for(
    config: RunConfig, family: Family, method: PlannedMethod, specs: Sequence[ValueSpec], documents: Sequence[Document]
) -> Plan:
    """The plan that asks given documents.

    Raises:
        UsageError: for a strength that the method cannot take.
    """
    conditions = planning.make_conditions(
        config, method.steerer, method.direction, specs, method.gate, has_exam=_has_exam(documents)
    )
    return Plan(
        config=config,
        family=family,
        steerer=method.steerer,
        direction=method.direction,
        gate_name=method.gate,
        specs=tuple(specs),
        conditions=tuple(conditions),
        documents=tuple(documents),
    )


class PlannedMethod(NamedTuple):
    """The method of a configuration.

    Attributes:
        steerer: plans.
        direction: of steering; a suffix of the method's name pins it.
        gate: name of the gate.
    """

    steerer: Steerer[Any]
    direction: Direction
    gate: str


def make_method(config: RunConfig) -> PlannedMethod:
    """The method of a configuration.

    Raises:
        UsageError: for an unknown method, gate or setting, or a method that the model cannot be steered by.
    """
    name, pinned = split_direction(config.steerer)
    steerer = make_steerer(name, config.settings)
    gate = (config.gate or steerer.default_gate).lower()
    make_gate(gate, config.gate_settings)
    if config.model.startswith(REMOTE):
        refuse_activations(steerer, gate, learns=learns(steerer))
    elif config.model_url is not None:
        raise UsageError("--model-url is the address of a model behind a server: name it as --model openai:NAME.")
    return PlannedMethod(steerer, pinned or config.direction, gate)


def _check_choice(config: RunConfig, steerer: Steerer[Any]) -> None:
    """Raises ``UsageError`` where strengths are to be chosen and cannot be."""
    if config.tune_target is not None and not config.tune:
        raise UsageError("--tune-target says how --tune chooses; add --tune.")
    if config.tune and config.match_kl is not None:
        raise UsageError("--tune and --match-kl both choose the strength; give one of them.")
    if config.match_kl is not None and config.strength is not None:
        raise UsageError("--match-kl chooses the strength; leave --strength out.")
    for chosen, option in ((config.tune, "--tune"), (config.match_kl is not None, "--match-kl")):
        if not chosen:
            continue
        if steerer.name == BASE.steerer or steerer.strengths == "switch":
            raise UsageError(f"{option}: '{steerer.name}' has no strength to choose: it is on or off.")
        if config.split == "select":
            raise UsageError(f"{option} reports on test items: leave --split out.")


def steered_specs(config: RunConfig, family: Family) -> tuple[ValueSpec, ...]:
    """What to steer, in order: values, or several with weights.

    Raises:
        UsageError: for an unknown value or a weight that is none.
    """
    from valuebench_harness.data.values import resolve_values

    return tuple(resolve_values(config.values if config.values is not None else "all", family.data.system))


def steered_values(config: RunConfig, family: Family) -> tuple[str, ...]:
    """Ids of the values to steer, each once, in order.

    Raises:
        UsageError: for an unknown value or a weight that is none.
    """
    return distinct_values(steered_specs(config, family))


def distinct_values(specs: Sequence[ValueSpec]) -> tuple[str, ...]:
    """Ids of the values that specifications name, each once, in order."""
    return tuple(dict.fromkeys(value for spec in specs for value, _ in spec.terms))


def _has_exam(documents: Sequence[Document]) -> bool:
    return any(d.kind == "exam" for d in documents)


def _training_hash(config: RunConfig, steerer: Steerer[Any], family: Family, values: Sequence[str]) -> str:
    """Changes with the method's code and with what it learns from."""
    parts: list[Any] = [code_identity(steerer)]
    if learns(steerer):
        pairs: Part = "pairs" if config.context_controlled else "pairs_straightforward"
        parts += [family.data.hash(pairs, v) for v in values]
        parts += [family.data.hash("demonstrations", v) for v in values if family.data.has("demonstrations", v)]
        parts += [family.data.hash("neutral")] if family.data.has("neutral") else []
    return _hash(parts)


def _tasks_hash(folder: Path) -> str:
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix != ".pyc")
    return _hash([hashlib.sha256(p.read_bytes()).hexdigest() for p in files])


def default_folder(plan: Plan) -> Path:
    """A folder whose name says what the run is; the hash tells configurations apart."""
    model = file_name(Path(plan.config.model).name) or "model"
    identity = _hash([plan.plan_hash, plan.training])
    return Path("vharness-runs") / f"{model}-{file_name(plan.steerer.name)}-{identity[:8]}"


def file_name(name: str) -> str:
    """A method's or model's name as part of a file's name."""
    return re.sub(r"[^\w.+-]+", "-", name)


def _hash(data: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
