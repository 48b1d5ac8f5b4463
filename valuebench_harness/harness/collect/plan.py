"""What a collection will ask, known before a model is loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from valuebench_harness.harness.collect.config import CollectConfig
from valuebench_harness.harness.collect.people import make_people
from valuebench_harness.harness.collect.protocol import Protocol, make_protocol
from valuebench_harness.harness.collect.questions import Questionnaire, drawn, load_questionnaire
from valuebench_harness.harness.collect.records import Person, Question, Setting
from valuebench_harness.harness.collect.settings import Methods, make_settings
from valuebench_harness.harness.family import Family, family_of
from valuebench_harness.harness.fitting import code_identity, learns

if TYPE_CHECKING:
    from valuebench_harness.data.datasets import Part as DataPart


class Cell(NamedTuple):
    """A question that a role answers under a setting."""

    setting: Setting
    person: Person
    question: Question


@dataclass(frozen=True)
class CollectPlan:
    """What a collection will ask.

    Attributes:
        config: as given.
        family: of the model, whose pairs methods learn from.
        questionnaire: values and items.
        people: the empty role first.
        methods: settings, the unsteered one first, and their steerers.
        protocol: how a question is put.
        features: SAE features that were chosen on the model, once they are.
    """

    config: CollectConfig
    family: Family
    questionnaire: Questionnaire
    people: tuple[Person, ...]
    methods: Methods
    protocol: Protocol
    features: tuple[int, ...] | None = None

    @property
    def is_unsettled(self) -> bool:
        """Whether features are still to be chosen on the model; until then the settings lack them."""
        return self.config.top is not None and self.features is None

    def settle(self, features: Sequence[int]) -> CollectPlan:
        """The plan with the features that were chosen among its settings."""
        methods = make_settings(self.config, self.family, self.questionnaire, features)
        return replace(self, methods=methods, features=tuple(features))

    def cells(self) -> Iterator[Cell]:
        """All questions, setting by setting and role by role."""
        for setting in self.methods.settings:
            for person in self.people:
                for question in self.questions(setting, person):
                    yield Cell(setting, person, question)

    def questions(self, setting: Setting, person: Person) -> Iterator[Question]:
        """What a role is asked under a setting: a draw of each value's training items, and all test items."""
        config = self.config
        who = "" if config.same_items else setting.id
        for training, testing in self._by_value:
            if person.part != "test":
                yield from drawn(training, config.item_share, who, person.id, config.run.seed)
            if person.part != "train":
                yield from testing

    def count(self) -> dict[str, int]:
        """Number of answers by part of the items."""
        out = {"train": 0, "test": 0}
        for _, _, question in self.cells():
            out[question.part] += self.config.run.n_samples
        return out

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the values in the tables."""
        return tuple(self.questionnaire.columns.values())

    @cached_property
    def plan_hash(self) -> str:
        """Of all that decides which answers are collected; while features are unsettled, of what decides on them."""
        lists: list[Any] = [
            [r.model_dump(mode="json") for r in records]
            for records in (self.methods.settings, self.people, self.questionnaire.items)
        ]
        code = {s: code_identity(steerer) for s, steerer in self.methods.steerers.items()}
        if self.methods.chooser is not None:
            code["top"] = code_identity(self.methods.chooser)
        parts = [self.config.what(), lists, code, self._training(), self.protocol.digest]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def folder(self) -> Path:
        """Where a collection goes by default; the hash tells configurations apart."""
        model = Path(self.config.run.model).name or "model"
        return Path("vharness-runs") / f"{model}-orientations-{self.plan_hash[:8]}"

    def _training(self) -> dict[str, list[str]]:
        """Hashes of the texts that methods learn from."""
        data = self.family.data
        part: DataPart = "pairs" if self.config.run.context_controlled else "pairs_straightforward"
        shared = [data.hash("neutral")] if data.has("neutral") else []
        out = {}
        for setting in self.methods.settings:
            steerer, value = self.methods.steerers.get(setting.id), setting.value
            if steerer is not None and value is not None and learns(steerer) and data.has(part, value):
                own = [data.hash("demonstrations", value)] if data.has("demonstrations", value) else []
                out[setting.id] = [data.hash(part, value), *own, *shared]
        return out

    @cached_property
    def _by_value(self) -> list[tuple[list[Question], list[Question]]]:
        items = self.questionnaire.items
        return [
            (
                [i for i in items if i.value == column and i.part == "train"],
                [i for i in items if i.value == column and i.part == "test"],
            )
            for column in self.columns
        ]


def make_collect_plan(config: CollectConfig) -> CollectPlan:
    """Plans a collection.

    Raises:
        UsageError: for anything in the configuration that does not exist or does not fit.
    """
    family = family_of(config.run)
    questionnaire = load_questionnaire(config)
    return CollectPlan(
        config=config,
        family=family,
        questionnaire=questionnaire,
        people=make_people(config),
        methods=make_settings(config, family, questionnaire),
        protocol=make_protocol(config),
    )
