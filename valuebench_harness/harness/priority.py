"""``vharness priority``: guidance in the prompt crossed with steering, each cell a run on the same items.

``A`` being the prompt method that guides and ``B`` the method that steers, the cells are the runs ``A-positive``,
``A-negative`` (guidance alone), ``B``, ``A-positive+B`` and ``A-negative+B``; the unsteered and unguided model is
the base of them all. Each is an ordinary run in a folder of its own: stored, cached, resumable, reportable.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from valuebench_harness.errors import UsageError, unknown_name
from valuebench_harness.harness.config import RunConfig
from valuebench_harness.harness.family import family_of
from valuebench_harness.harness.plan import Plan, default_folder, file_name, make_method, make_plan, steered_specs
from valuebench_harness.harness.priority_results import (
    Cell,
    Guidance,
    Outcomes,
    Priority,
    Pull,
    opposed,
    outcomes,
    pull,
)
from valuebench_harness.harness.progress import Reporter
from valuebench_harness.harness.records import BASE
from valuebench_harness.harness.run import Run
from valuebench_harness.harness.session import execute
from valuebench_harness.steerers.base import Direction, Steerer
from valuebench_harness.steerers.registry import NO_GATE, make_steerer, split_direction

GUIDE = "ica"
MARGIN = 0.05
"""Loss of control that would matter, in shares."""

BOTH: tuple[Guidance, ...] = ("positive", "negative")


@dataclass(frozen=True)
class PriorityPlan:
    """The runs of a crossed design.

    Attributes:
        steerer: the method, as named.
        guide: the prompt method that guides.
        guidances: other than none.
        direction: of steering.
        margin: loss of control that would matter, in shares.
        plans: by cell; the unsteered and unguided one is the base of all.
    """

    steerer: str
    guide: str
    guidances: tuple[Guidance, ...]
    direction: Direction
    margin: float
    plans: Mapping[Cell, Plan]

    def folder(self, cell: Cell) -> str:
        """Name of a cell's folder."""
        return file_name(self.plans[cell].config.steerer)

    @property
    def default_folder(self) -> Path:
        """A folder whose name says what is compared; the hash tells configurations apart."""
        return study_folder("priority", self.steerer, list(self.plans.values()))


def study_folder(kind: str, steerer: str, plans: Sequence[Plan]) -> Path:
    """Where the runs of a study go that names no folder.

    Args:
        kind: of study.
        steerer: the method.
        plans: of the study's runs, on one model.
    """
    identity = hashlib.sha256("|".join(default_folder(plan).name for plan in plans).encode()).hexdigest()[:8]
    model = file_name(Path(plans[0].config.model).name) or "model"
    return Path("vharness-runs") / f"{model}-{kind}-{file_name(steerer)}-{identity}"


def parse_guidance(text: str) -> tuple[Guidance, ...]:
    """The guidances other than none among names with commas between; none is always run, to compare with.

    Raises:
        UsageError: for an unknown name, or where no guidance is left.
    """
    known: tuple[Guidance, ...] = get_args(Guidance)
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise unknown_name("guidance", name, known)
    found = tuple(g for g in BOTH if g in names)
    if not found:
        raise UsageError("--guidance: name positive, negative or both; 'none' alone is 'vharness eval'.")
    return found


def plan_priority(
    config: RunConfig, *, guide: str = GUIDE, guidances: Sequence[Guidance] = BOTH, margin: float = MARGIN
) -> PriorityPlan:
    """Plans the runs of a crossed design.

    Args:
        config: of the method; settings of the guide stand under its name, such as ``ica.negative``.
        guide: name of a prompt method with a positive and a negative wording.
        guidances: what the prompt says, other than none.
        margin: loss of control that would matter, in shares.

    Raises:
        UsageError: for anything that does not exist, does not fit, or would make the cells incomparable.
    """
    if not 0 < margin < 1:
        raise UsageError(f"--margin {margin:g} must lie between 0 and 1: it is a share, 0.05 being five points.")
    guide = guide.lower()
    name, pinned = split_direction(config.steerer)
    config = config.model_copy(update={"steerer": name, "direction": pinned or config.direction})
    own, guiding = _shared_out(config.settings, guide)
    _check_guide(guide, guiding)
    base = config.model_copy(update={"settings": own})
    method = make_method(base)
    check_comparable(base, method.steerer)
    alone = {"strength": None, "layers": None, "gate": None, "gate_settings": {}, "settings": guiding}
    plans = {Cell("none", steered=True): own_dilemmas(base)}
    for g in guidances:
        guided = base.model_copy(update={**alone, "steerer": f"{guide}-{g}"})
        both = base.model_copy(update={"steerer": f"{guide}-{g}+{name}", "settings": config.settings})
        plans[Cell(g, steered=False)] = own_dilemmas(guided)
        plans[Cell(g, steered=True)] = own_dilemmas(both)
    return PriorityPlan(name, guide, tuple(guidances), config.direction, margin, plans)


def run_priority(plan: PriorityPlan, folder: Path, report: Reporter) -> Priority:
    """Runs all cells, or finds them finished.

    Raises:
        UsageError: where the folder holds runs of another configuration.
        IncompleteError: where a run stopped half-way; the same call goes on with it.
    """
    runs = {}
    for cell, its_plan in plan.plans.items():
        report.note(f"{its_plan.config.steerer} on {its_plan.config.model}")
        runs[cell] = execute(its_plan, folder / plan.folder(cell), resume=True, report=report)
    return _results(plan, runs)


def _results(plan: PriorityPlan, runs: Mapping[Cell, Run]) -> Priority:
    steered = runs[Cell("none", steered=True)]
    revisions = {str(r.info.model.get("commit") or r.info.model.get("fingerprint") or "") for r in runs.values()}
    if len(revisions) > 1:
        raise UsageError(
            f"{steered.folder.parent} holds runs of different weights of '{steered.info.config.model}': "
            "choose another --out."
        )
    conditions = [r.condition for r in steered.results.conditions]
    values = [str(c.value) for c in conditions]
    against = opposed(plan.direction)

    def crossed(wanted: Sequence[str]) -> dict[Cell, Outcomes]:
        sign = 1 if plan.direction == "positive" else -1
        found = {cell: outcomes(run, steered=True, sign=sign, values=wanted) for cell, run in runs.items()}
        return {Cell("none", steered=False): outcomes(steered, steered=False, sign=sign, values=wanted), **found}

    def numbers(wanted: Sequence[str]) -> Pull:
        return pull(crossed(wanted), plan.guidances, against, plan.margin)

    return Priority(
        model=steered.info.config.model,
        revision=revisions.pop(),
        steerer=plan.steerer,
        guide=plan.guide,
        direction=plan.direction,
        strengths={str(c.value): c.strength for c in conditions},
        gate=conditions[0].gate,
        judge=steered.info.judge,
        seed=steered.info.config.seed,
        margin=plan.margin,
        pooled=numbers(values),
        values={value: numbers([value]) for value in values},
        verdicts=sum(r.results.verdicts for r in runs.values()),
        unscored=sum(r.results.unscored for r in runs.values()),
        runs={f"{c.guidance}{'+steering' if c.steered else ''}": plan.folder(c) for c in runs},
    )


def _shared_out(settings: Mapping[str, Any], guide: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The method's settings, and the guide's."""
    guiding = {k: v for k, v in settings.items() if k.rpartition(".")[0].lower() == guide}
    return {k: v for k, v in settings.items() if k not in guiding}, guiding


def _check_guide(guide: str, settings: Mapping[str, Any]) -> None:
    made = make_steerer(guide, settings)
    if made.parts or made.strengths != "switch" or made.name == BASE.steerer or type(made).fit is not Steerer.fit:
        raise UsageError(f"--guide '{guide}' must be one prompt method, without a direction: ica or instruction.")


def check_comparable(config: RunConfig, steerer: Steerer[Any]) -> None:
    """Refuses what would set other differences between runs than the one that is looked at.

    Raises:
        UsageError: no method, more than one strength, several values at once, or a gate that would keep the prompt out.
    """
    if steerer.name == BASE.steerer:
        raise UsageError("Name a method to steer by, such as --steerer conva.")
    if config.tune or config.match_kl is not None:
        raise UsageError(
            "All cells need the same strength: choose it first ('vharness eval --tune' or --match-kl), then give "
            "--strength."
        )
    if config.strength is not None and len(config.strength) != 1:
        raise UsageError(f"Give one --strength: all cells are compared at it (got {len(config.strength)}).")
    if config.strength == (0.0,):
        raise UsageError("--strength 0: neither the method nor a prompt before it acts then. Give a strength above 0.")
    if (config.gate or NO_GATE).lower() != NO_GATE and steerer.default_gate == NO_GATE:
        raise UsageError(
            f"--gate {config.gate}: '{steerer.name}' has no gate of its own, so this one would keep the guidance out "
            "as well. Leave it out."
        )
    if any(not spec.is_single for spec in steered_specs(config, family_of(config))):
        raise UsageError("--values: a prompt guides one value at a time: give single values, commas between them.")


def own_dilemmas(config: RunConfig) -> Plan:
    """The plan that asks each value's own dilemmas only.

    Raises:
        UsageError: where a value has none, or a task is lm-eval's.
    """
    family = family_of(config)
    if config.tasks is None:
        values = [value for spec in steered_specs(config, family) for value, _ in spec.terms]
        config = config.model_copy(update={"tasks": tuple(f"{family.data.name}_{value}" for value in values)})
    plan = make_plan(config)
    if plan.foreign:
        raise UsageError(f"Task '{plan.foreign[0]}' is lm-eval's: whether a prompt wins is asked by dilemmas.")
    documents = tuple(d for d in plan.documents if d.kind == "dilemma" and d.value in plan.values)
    without = sorted(set(plan.values) - {str(d.value) for d in documents})
    if without:
        raise UsageError(f"The tasks hold no dilemmas of '{without[0]}'.")
    conditions = tuple(c for c in plan.conditions if not c.is_twin)
    return replace(plan, documents=documents, conditions=conditions, notes=(), own_only=True)
