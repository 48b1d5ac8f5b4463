"""Which runs a robustness study takes: each change once with the method and once with its floor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from valuebench_harness.data.reading import read_jsonl
from valuebench_harness.errors import UsageError, unknown_name
from valuebench_harness.harness.config import RunConfig
from valuebench_harness.harness.family import family_of
from valuebench_harness.harness.fitting import check_pairs
from valuebench_harness.harness.generate.ask import WriterSettings
from valuebench_harness.harness.generate.records import Rewording
from valuebench_harness.harness.plan import Plan, file_name, make_method, steered_values
from valuebench_harness.harness.priority import GUIDE, check_comparable, own_dilemmas, study_folder
from valuebench_harness.harness.priority_results import opposed
from valuebench_harness.harness.records import Document
from valuebench_harness.harness.robustness.changes import (
    CHANGES,
    PLAIN,
    RECASTS,
    REWORDED,
    ROLE,
    USUAL,
    fitted_on,
)
from valuebench_harness.steerers.registry import RANDOM, split_direction


class ChangedRun(NamedTuple):
    """A run under a change.

    Attributes:
        change: name of it.
        role: ``method``, ``floor``, or ``counter`` for the prompt alone.
    """

    change: str
    role: str


@dataclass(frozen=True)
class RobustnessPlan:
    """The runs of a robustness study.

    Attributes:
        steerer: the method, as named.
        sign: +1 where steering aims at the value.
        plans: by change and role.
        writer: model that words the questions anew before the runs; ``None`` where none is asked.
    """

    steerer: str
    sign: int
    plans: Mapping[ChangedRun, Plan]
    writer: WriterSettings | None = None

    @property
    def plain(self) -> Plan:
        """The method on the items as they are."""
        return self.plans[ChangedRun(PLAIN, "method")]

    @property
    def documents(self) -> tuple[Document, ...]:
        """The dilemmas as they are."""
        return self.plain.documents

    def folder(self, key: ChangedRun) -> str:
        """Of a run, relative to the study's."""
        return f"{key.change}/{file_name(self.plans[key].config.steerer)}"

    @property
    def default_folder(self) -> Path:
        """A folder whose name says what is studied; the hash tells configurations apart."""
        found = study_folder("robustness", self.steerer, list(self.plans.values()))
        return found if self.writer is None else found.with_name(f"{found.name}-{file_name(self.writer.model)}")

    def reworded(self, texts: Mapping[str, str]) -> RobustnessPlan:
        """The plan with the change ``reworded``, for the dilemmas that have a text.

        Args:
            texts: what is asked instead, by id.
        """
        return replace(self, plans={**self.plans, **_recast(self.plans, REWORDED, texts)})


def plan_robustness(
    config: RunConfig,
    *,
    changes: Sequence[str] = USUAL,
    role: str = ROLE,
    sizes: Sequence[int] = (),
    rewordings: Path | None = None,
    writer: WriterSettings | None = None,
) -> RobustnessPlan:
    """Plans the runs of a study.

    Args:
        config: of the method.
        changes: names, in the order of the report.
        role: system prompt of the change ``role``.
        sizes: numbers of training pairs to fit the method on, a change each.
        rewordings: JSONL with ``id`` and ``text`` of every dilemma; adds the change ``reworded``.
        writer: model that writes such texts, in place of a file.

    Raises:
        UsageError: for anything that does not exist or does not fit.
    """
    for change in changes:
        if change not in CHANGES:
            raise unknown_name("change", change, CHANGES)
    if rewordings is not None and writer is not None:
        raise UsageError("--rewordings and --reword-with both give the questions in other words: choose one.")
    name, pinned = split_direction(config.steerer)
    if name.lower().startswith(f"{RANDOM}:"):
        raise UsageError(f"'{name}' is the floor that every method is held against: name the method itself.")
    if "+" in name:
        raise UsageError(f"'{name}': one method at a time; its floor is random:METHOD.")
    config = config.model_copy(update={"steerer": name, "direction": pinned or config.direction})
    method = make_method(config).steerer
    check_comparable(config, method)
    if sizes:
        family = family_of(config)
        largest = config.model_copy(update={"pairs": max(sizes)})
        check_pairs(largest, method, family, steered_values(config, family))
    if config.system_prompt is not None and "role" in changes:
        raise UsageError("A role stands in the system prompt: leave out --system-prompt, or 'role' in --changes.")
    plans = _both(config, PLAIN)
    for change in dict.fromkeys(changes):
        if change == "counter":
            plans |= _counter(config)
        elif change == "role":
            plans |= _both(config.model_copy(update={"system_prompt": role}), change)
        else:
            documents = plans[ChangedRun(PLAIN, "method")].documents
            plans |= _recast(plans, change, {d.id: RECASTS[change](d.text) for d in documents})
    for n in sizes:
        plans |= _both(config.model_copy(update={"pairs": n}), fitted_on(n))
    plan = RobustnessPlan(name, 1 if config.direction == "positive" else -1, plans, writer)
    return plan if rewordings is None else plan.reworded(_read(rewordings, plan.documents))


def _both(config: RunConfig, change: str, before: str = "") -> dict[ChangedRun, Plan]:
    """The method and its floor, behind another method where one is named."""
    steerers = {"method": config.steerer, "floor": f"{RANDOM}:{config.steerer}"}
    return {
        ChangedRun(change, part): own_dilemmas(config.model_copy(update={"steerer": f"{before}{steerer}"}))
        for part, steerer in steerers.items()
    }


def _counter(config: RunConfig) -> dict[ChangedRun, Plan]:
    against = f"{GUIDE}-{opposed(config.direction)}"
    alone: dict[str, Any] = {"strength": None, "layers": None, "gate": None, "gate_settings": {}, "settings": {}}
    prompt = config.model_copy(update={**alone, "steerer": against, "pairs": None})
    return {**_both(config, "counter", f"{against}+"), ChangedRun("counter", "counter"): own_dilemmas(prompt)}


def _recast(plans: Mapping[ChangedRun, Plan], change: str, texts: Mapping[str, str]) -> dict[ChangedRun, Plan]:
    """The runs on the plain items with other words; items without any are left out."""
    out = {}
    for part in ("method", "floor"):
        plan = plans[ChangedRun(PLAIN, part)]
        changed = tuple(d.model_copy(update={"text": texts[d.id]}) for d in plan.documents if d.id in texts)
        out[ChangedRun(change, part)] = replace(plan, documents=changed)
    return out


def _read(path: Path, documents: Sequence[Document]) -> dict[str, str]:
    texts = {r.id: r.text for r in read_jsonl(path, Rewording)}
    missing = [d.id for d in documents if d.id not in texts]
    if missing:
        raise UsageError(f"{path} has no text for {len(missing)} of the dilemmas, such as '{missing[0]}'.")
    return texts
