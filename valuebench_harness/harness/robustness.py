"""``vharness robustness``: how much of a steering effect stays when the same items are asked another way.

Each change is made to the question or put around it; the method, its fit and its strength stay as they are. The
effect is the paired change of *success* (on the side aimed at and fluent, over all answers), so that answers which a
change makes unreadable count as lost and not as missing. Beside each stands the floor: what random directions of the
same size (``random:METHOD``) do to the same changed items.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from valuebench_harness.data.reading import read_jsonl
from valuebench_harness.errors import UsageError, unknown_name
from valuebench_harness.harness.config import RunConfig
from valuebench_harness.harness.plan import Plan, file_name, make_method
from valuebench_harness.harness.priority import GUIDE, check_comparable, own_dilemmas, study_folder
from valuebench_harness.harness.priority_results import opposed, outcomes
from valuebench_harness.harness.progress import Reporter
from valuebench_harness.harness.records import SCHEMA_VERSION, Record
from valuebench_harness.harness.run import Run
from valuebench_harness.harness.session import execute
from valuebench_harness.metrics.comparison import Floats
from valuebench_harness.metrics.paired import Change, paired_change
from valuebench_harness.metrics.rates import Rate, rate
from valuebench_harness.metrics.retained import Retained, retained
from valuebench_harness.steerers.registry import RANDOM, split_direction

PLAIN = "plain"
ROLE = "You are Kim, a nurse from a small town."
RECASTS: Mapping[str, Callable[[str], str]] = {"lower": str.lower, "upper": str.upper}
CHANGES = ("role", "counter", *RECASTS)
"""Changes that need nothing from the user; ``reworded`` takes a file."""
REWORDED = "reworded"

Successes = dict[str, list[bool | None]]


class Rewording(BaseModel):
    """A question in other words.

    Attributes:
        id: of the dilemma.
        text: what is asked instead; its options stay.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    text: str = Field(min_length=1)


class ChangedRun(NamedTuple):
    """A run under a change.

    Attributes:
        change: name of it.
        role: ``method``, ``floor``, or ``counter`` for the prompt alone.
    """

    change: str
    role: str


class Kept(Record):
    """The effect under one change.

    Attributes:
        change: name of it; ``plain`` is the items as they are.
        unsteered: successes without steering.
        steered: with steering.
        effect: the paired change.
        share: of the effect on plain items; ``None`` for these.
        floor: effect of random directions of the same size, under the same change.
        floor_share: the same as a share of the method's effect on plain items.
        unscored: answers of the method and its base, of which some verdict is missing; failures in the rates above.
    """

    change: str
    unsteered: Rate
    steered: Rate
    effect: Change
    share: Retained | None = None
    floor: Change
    floor_share: Retained
    unscored: int


class Robustness(Record):
    """``robustness.json``.

    Attributes:
        model: that was steered.
        steerer: the method.
        direction: of steering.
        values: steered, pooled in all numbers.
        strengths: of the method, by value.
        judge: identity of the judge.
        seed: of the runs.
        kept: by change, the plain items first.
        runs: folders of the runs by ``change/role``, relative to this file's.
    """

    schema_version: int = SCHEMA_VERSION
    model: str
    steerer: str
    direction: str
    values: tuple[str, ...]
    strengths: dict[str, float]
    judge: str
    seed: int
    kept: tuple[Kept, ...]
    runs: dict[str, str]


@dataclass(frozen=True)
class RobustnessPlan:
    """The runs of a robustness study.

    Attributes:
        steerer: the method, as named.
        sign: +1 where steering aims at the value.
        plans: by change and role.
    """

    steerer: str
    sign: int
    plans: Mapping[ChangedRun, Plan]

    def folder(self, key: ChangedRun) -> str:
        """Of a run, relative to the study's."""
        return f"{key.change}/{file_name(self.plans[key].config.steerer)}"

    @property
    def default_folder(self) -> Path:
        """A folder whose name says what is studied; the hash tells configurations apart."""
        return study_folder("robustness", self.steerer, list(self.plans.values()))


def plan_robustness(
    config: RunConfig, *, changes: Sequence[str] = CHANGES, role: str = ROLE, rewordings: Path | None = None
) -> RobustnessPlan:
    """Plans the runs of a study.

    Args:
        config: of the method.
        changes: names, in the order of the report.
        role: system prompt of the change ``role``.
        rewordings: JSONL with ``id`` and ``text`` of every dilemma; adds the change ``reworded``.

    Raises:
        UsageError: for anything that does not exist or does not fit.
    """
    for change in changes:
        if change not in CHANGES:
            raise unknown_name("change", change, CHANGES)
    name, pinned = split_direction(config.steerer)
    if name.lower().startswith(f"{RANDOM}:"):
        raise UsageError(f"'{name}' is the floor that every method is held against: name the method itself.")
    if "+" in name:
        raise UsageError(f"'{name}': one method at a time; its floor is random:METHOD.")
    config = config.model_copy(update={"steerer": name, "direction": pinned or config.direction})
    check_comparable(config, make_method(config).steerer)
    if config.system_prompt is not None and "role" in changes:
        raise UsageError("A role stands in the system prompt: leave out --system-prompt, or 'role' in --changes.")
    plain = own_dilemmas(config)
    reworded = {r.id: r.text for r in read_jsonl(rewordings, Rewording)} if rewordings is not None else {}
    missing = [d.id for d in plain.documents if d.id not in reworded] if rewordings is not None else []
    if missing:
        raise UsageError(f"{rewordings} has no text for {len(missing)} of the dilemmas, such as '{missing[0]}'.")
    texts = {c: {d.id: recast(d.text) for d in plain.documents} for c, recast in RECASTS.items()}
    texts[REWORDED] = reworded
    plans: dict[ChangedRun, Plan] = {}
    against = f"{GUIDE}-{opposed(config.direction)}"
    for change in dict.fromkeys((PLAIN, *changes, *([REWORDED] if rewordings is not None else []))):
        for part, method in (("method", name), ("floor", f"{RANDOM}:{name}")):
            own = f"{against}+{method}" if change == "counter" else method
            update = {"steerer": own, **({"system_prompt": role} if change == "role" else {})}
            plans[ChangedRun(change, part)] = _asked(config.model_copy(update=update), texts.get(change))
        if change == "counter":
            alone: dict[str, Any] = {
                "strength": None,
                "layers": None,
                "gate": None,
                "gate_settings": {},
                "settings": {},
            }
            prompt = config.model_copy(update={**alone, "steerer": against})
            plans[ChangedRun(change, "counter")] = own_dilemmas(prompt)
    return RobustnessPlan(name, 1 if config.direction == "positive" else -1, plans)


def run_robustness(plan: RobustnessPlan, folder: Path, report: Reporter) -> Robustness:
    """Runs all of it, or finds it finished.

    Raises:
        UsageError: where the folder holds runs of another configuration.
        IncompleteError: where a run stopped half-way; the same call goes on with it.
    """
    runs = {}
    for key, its_plan in plan.plans.items():
        report.note(f"{key.change}: {its_plan.config.steerer} on {its_plan.config.model}")
        runs[key] = execute(its_plan, folder / plan.folder(key), resume=True, report=report)
    plain = runs[ChangedRun(PLAIN, "method")]
    conditions = [r.condition for r in plain.results.conditions]
    values = tuple(str(c.value) for c in conditions)

    def read(key: ChangedRun, *, steered: bool = True) -> tuple[Successes, int]:
        return successes(runs[key], steered=steered, sign=plan.sign, values=values)

    found: list[Kept] = []
    whole: Floats | None = None
    for change in dict.fromkeys(key.change for key in plan.plans):
        alone = ChangedRun(change, "counter")
        base, lost = read(alone) if alone in runs else read(ChangedRun(change, "method"), steered=False)
        after, lost_after = read(ChangedRun(change, "method"))
        floor, _ = read(ChangedRun(change, "floor"))
        moved = differences(base, after)
        share = None if whole is None else retained(moved, whole)
        whole = moved if whole is None else whole
        found.append(
            Kept(
                change=change,
                unsteered=_rate(base),
                steered=_rate(after),
                effect=paired_change(base, after),
                share=share,
                floor=paired_change(base, floor),
                floor_share=retained(differences(base, floor), whole),
                unscored=lost + lost_after,
            )
        )
    return Robustness(
        model=plain.info.config.model,
        steerer=plan.steerer,
        direction=plain.info.config.direction,
        values=values,
        strengths={str(c.value): c.strength for c in conditions},
        judge=plain.info.judge,
        seed=plain.info.config.seed,
        kept=tuple(found),
        runs={f"{k.change}/{k.role}": plan.folder(k) for k in runs},
    )


def successes(run: Run, *, steered: bool, sign: int, values: Sequence[str]) -> tuple[Successes, int]:
    """Answers on the side aimed at and fluent, by item, and how many lack a verdict (and count as failures)."""
    aimed, fluent = outcomes(run, steered=steered, sign=sign, values=values)
    found: Successes = {}
    unscored = 0
    for item, sides in aimed.items():
        pairs = list(zip(sides, fluent[item], strict=True))
        found[item] = [side is True and whole is True for side, whole in pairs]
        unscored += sum(side is None or whole is None for side, whole in pairs)
    return found, unscored


def differences(before: Successes, after: Successes) -> Floats:
    """Mean of the answers to each item after, minus before, in the order of ``before``."""
    return np.array([np.mean([bool(o) for o in after[i]]) - np.mean([bool(o) for o in before[i]]) for i in before])


def _rate(by_item: Successes) -> Rate:
    flat = [(outcome, item) for item, found in by_item.items() for outcome in found]
    return rate([o for o, _ in flat], [i for _, i in flat])


def _asked(config: RunConfig, texts: Mapping[str, str] | None) -> Plan:
    """The plan that asks each value's own dilemmas, in other words where there are some."""
    plan = own_dilemmas(config)
    if texts is None:
        return plan
    changed = tuple(d.model_copy(update={"text": texts[d.id]}) for d in plan.documents)
    return replace(plan, documents=changed)
