"""The questions: which values are measured, by which items, and which items train and which test."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

from valuebench_harness.data import valuebench
from valuebench_harness.data.datasets import load_dataset
from valuebench_harness.data.schemas import QuestionnaireItem
from valuebench_harness.data.values import Value, ValueSystem, load_value_system
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.collect.config import CollectConfig
from valuebench_harness.harness.collect.records import Question

VALUEBENCH = "valuebench"

ROUNDING = 1e-9
"""So that 0.7 x 20 is 14, whatever floating point says."""


@dataclass(frozen=True)
class Questionnaire:
    """Values and the items that measure them.

    Attributes:
        system: the values measured, in order.
        columns: id of a value to its name in the tables.
        items: as asked, all values.
        notes: what is left out.
    """

    system: ValueSystem
    columns: dict[str, str]
    items: tuple[Question, ...]
    notes: tuple[str, ...] = ()


def load_questionnaire(config: CollectConfig) -> Questionnaire:
    """The questions of a configuration, split into training and test items.

    Raises:
        UsageError: for questions or values that do not exist, a value without items, or with too few to split.
    """
    system, items, notes = _valuebench(config) if config.source.lower() == VALUEBENCH else _own(config)
    published = system.name == VALUEBENCH
    columns = {v.id: v.name if published else v.id for v in system.values}
    split = config.n_test_roles > 0
    out: list[Question] = []
    for value in system.values:
        chosen = items[value.id] if config.run.limit is None else items[value.id][: config.run.limit]
        training = _training(chosen, config) if split else {i.id for i in chosen}
        if split and len(training) == len(chosen):
            raise UsageError(
                f"'{value.id}' has {len(chosen)} items, too few for training and testing: "
                "raise --limit, or keep no test roles (--test-roles 0)."
            )
        out += [
            Question(
                id=i.id,
                value=columns[value.id],
                part="train" if i.id in training else "test",
                text=i.question,
                agreement=i.agreement,
            )
            for i in chosen
        ]
    return Questionnaire(system, columns, tuple(out), notes)


def drawn(items: Sequence[Question], share: float, setting: str, role: str, seed: int) -> list[Question]:
    """The items of one value that a role answers under a setting, in their own order.

    Kang et al. draw 40% of the training items; their published orientations are multiples of one part in
    ceil(0.4 n), so the share is rounded up. Items are ordered by a hash, so that the draw depends neither on
    the order of the items nor on a random number generator's version.
    """
    count = math.ceil(share * len(items) - ROUNDING)
    if count == len(items):
        return list(items)
    order = sorted(items, key=lambda i: hashlib.sha256(f"{seed}|{setting}|{role}|{i.id}".encode()).digest())
    kept = {i.id for i in order[:count]}
    return [i for i in items if i.id in kept]


def _training(items: Sequence[QuestionnaireItem], config: CollectConfig) -> set[str]:
    training, _ = valuebench.split_items(items, seed=config.run.seed, share=config.train_share)
    return {i.id for i in training} or {items[0].id}


def _valuebench(config: CollectConfig) -> tuple[ValueSystem, dict[str, list[QuestionnaireItem]], tuple[str, ...]]:
    shipped = load_value_system(VALUEBENCH)
    if config.measured is None:
        values = [v for v in shipped.values if v.id in valuebench.values()]
    else:
        names = {v.id: v for v in shipped.values}
        known = valuebench.values(min_items=1)
        values = []
        for name in config.measured:
            slug = valuebench.slug(name)
            valuebench.questionnaire(slug)  # an unknown name is an error that suggests the nearest
            values.append(names.get(slug) or Value(id=slug, name=slug.replace("_", " ").title()))
            if known[slug] < 2:
                raise UsageError(f"ValueBench has {known[slug]} item for '{slug}': an orientation needs 2 or more.")
    system = shipped.model_copy(update={"values": tuple(dict.fromkeys(values))})
    return system, {v.id: valuebench.questionnaire(v.id) for v in system.values}, ()


def _own(config: CollectConfig) -> tuple[ValueSystem, dict[str, list[QuestionnaireItem]], tuple[str, ...]]:
    data = load_dataset(config.source)
    wanted = data.system.values if config.measured is None else [data.system.get(name) for name in config.measured]
    values = [v for v in wanted if data.has("questionnaire", v.id)]
    left_out = [v.id for v in wanted if v not in values]
    if left_out and config.measured is not None:
        raise UsageError(f"'{left_out[0]}' has no questionnaire items: {data.path('questionnaire', left_out[0])}.")
    if not values:
        raise UsageError(f"'{config.source}' has no questionnaire: {data.root / 'questionnaire'} holds no items.")
    notes = (f"Without questionnaire items, so not measured: {', '.join(left_out)}.",) if left_out else ()
    system = data.system.model_copy(update={"values": tuple(dict.fromkeys(values))})
    return system, {v.id: data.questionnaire(v.id) for v in system.values}, notes
