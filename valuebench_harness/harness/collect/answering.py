"""From cells to what the engine is asked: prompts, plans, seeds and cache keys, a block of cells at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from valuebench_harness.engine.plan import Message, SteerPlan
from valuebench_harness.harness.cache import content_key
from valuebench_harness.harness.chat_model import whole_model
from valuebench_harness.harness.collect.plan import Cell, CollectPlan
from valuebench_harness.harness.collect.records import UNSTEERED, Setting, reply_key
from valuebench_harness.harness.fitting import Fitter, learns
from valuebench_harness.harness.records import FitRecord
from valuebench_harness.harness.requests import ENGINE_VERSION, row_seed
from valuebench_harness.harness.targets import Target, steer
from valuebench_harness.steerers.base import ModelShape, check_layers
from valuebench_harness.steerers.states import States

if TYPE_CHECKING:
    from valuebench_harness.harness.chat_model import AnyModel
    from valuebench_harness.harness.progress import Reporter
    from valuebench_harness.steerers.base import Steerer

BLOCK = 4096
"""Cells that are planned and handed to the engine together: bounds memory, leaves enough to batch by length."""


@dataclass(frozen=True)
class Block:
    """Cells of one setting.

    Attributes:
        steerer: behind the setting; ``None`` unsteered.
        cells: to be answered.
    """

    steerer: Steerer[Any] | None
    cells: tuple[Cell, ...]


def blocks(plan: CollectPlan, done: frozenset[str]) -> Iterator[Block]:
    """The cells that have an answer missing, setting by setting."""
    waiting: list[Cell] = []

    def block() -> Block:
        made = Block(plan.methods.steerers.get(waiting[0].setting.id), tuple(waiting))
        waiting.clear()
        return made

    repeats = range(plan.config.run.n_samples)
    for cell in plan.cells():
        if waiting and (waiting[0].setting.id != cell.setting.id or len(waiting) >= BLOCK):
            yield block()
        if any(cell_key(cell, repeat) not in done for repeat in repeats):
            waiting.append(cell)
    if waiting:
        yield block()


def cell_key(cell: Cell, repeat: int) -> str:
    """Key of a cell's answer."""
    return reply_key(cell.setting.id, cell.person.id, cell.question.id, repeat)


def fit_settings(
    plan: CollectPlan, model: AnyModel, report: Reporter
) -> tuple[dict[str, Target], tuple[FitRecord, ...]]:
    """What each setting steers, fitted where it learns.

    Returns:
        Targets by setting, and what was fitted.

    Raises:
        UsageError: a method cannot be fitted on this model or for this value.
        IncompleteError: a user's own method raised.
    """
    config, family = plan.config, plan.family
    targets: dict[str, Target] = {}
    records: dict[str, FitRecord] = {}
    states: States | None = None  # of the unsteered model, shared by all fits
    steered = [s for s in plan.methods.settings if s.id != UNSTEERED.id]
    to_fit = sum(learns(plan.methods.steerers[s.id]) for s in steered)
    with report.stage("fit", to_fit, "fits") as advance:
        for setting in steered:
            steerer, system = plan.methods.steerers[setting.id], plan.methods.systems[setting.id]
            # A method that steers no value in particular is still told one: its plans do not depend on it.
            value = system.get(setting.value or system.ids[0])
            artifact = None
            if learns(steerer):
                whole = whole_model(model, f"'{steerer.name}'")
                states = states or States(whole, config.run.batch_size)
                fitter = Fitter.of(config.run, family, whole, states)
                if config.run.layers is not None:
                    check_layers(config.run.layers, fitter.shape)
                artifact, fits = fitter.fit(steerer, value.id, config.run.layers)
                records.update({f.digest: f for f in fits})
                advance()
            if artifact is not None:
                artifact.check_model(
                    name=model.name, fingerprint=model.fingerprint, n_layers=model.n_layers, width=model.width
                )
            known = value.id in family.data.system
            wording = family.wording(family.data.system.get(value.id)) if known else {}
            targets[setting.id] = Target(value, setting.direction, setting.strength, artifact, wording)
    return targets, tuple(records.values())


@dataclass(frozen=True)
class Ask:
    """One thing to ask the engine.

    Attributes:
        cell: what is asked of whom.
        repeat: number of the answer.
        prompt: rendered.
        plan: of steering.
        seed: of sampling.
        key: of the cache.
    """

    cell: Cell
    repeat: int
    prompt: str
    plan: SteerPlan
    seed: int
    key: str


@dataclass(frozen=True)
class Asker:
    """Turns cells into asks.

    Attributes:
        plan: of the collection.
        model: renders prompts.
        targets: of the settings, by id.
        way: how the engine is asked: all that changes an answer beside prompt, plan and seed.
    """

    plan: CollectPlan
    model: AnyModel
    targets: Mapping[str, Target]
    way: Mapping[str, JsonValue]
    _plans: dict[SteerPlan, SteerPlan] = field(default_factory=dict)

    def ask(self, cells: Sequence[Cell], done: frozenset[str]) -> list[Ask]:
        """Asks for every cell and repeat that is not done, in order.

        Raises:
            IncompleteError: a user's own method raised.
        """
        run = self.plan.config.run
        out = []
        for cell in cells:
            plain = self.plan.protocol.messages(cell.person, cell.question)
            if run.system_prompt:
                plain = (Message("system", run.system_prompt), *plain)
            messages, plan = self._steer(cell.setting, plain)
            prompt = self.model.render(messages)
            for repeat in range(run.n_samples):
                if cell_key(cell, repeat) not in done:
                    # The same noise under every setting, so that settings are compared on it.
                    seed = row_seed(run.seed, f"{cell.person.id}|{cell.question.id}", repeat)
                    out.append(Ask(cell, repeat, prompt, plan, seed, self._key(prompt, plan, seed)))
        return out

    def _steer(self, setting: Setting, messages: tuple[Message, ...]) -> tuple[tuple[Message, ...], SteerPlan]:
        if setting.id == UNSTEERED.id:
            return messages, SteerPlan()
        shape = ModelShape(self.model.name, self.model.n_layers, self.model.width)
        steered = steer(self.plan.methods.steerers[setting.id], [self.targets[setting.id]], messages, shape, {})
        return steered.messages, self._plans.setdefault(steered.plan, steered.plan)

    def _key(self, prompt: str, plan: SteerPlan, seed: int) -> str:
        return content_key(
            "answer",
            engine=ENGINE_VERSION,
            model=self.model.fingerprint,
            commit=self.model.commit,
            dtype=self.model.dtype,
            plan=plan.digest,
            prompt=prompt,
            settings={**self.way, "seed": seed if self.way.get("temperature") else None},
        )
