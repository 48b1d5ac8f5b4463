"""Runs a robustness study and compares its runs.

Each change is made to the question, put around it, or made to what the method learns from; the rest of the method
and its strength stay as they are. The effect is the paired change of *success* (on the side aimed at and fluent, over
all answers), so that answers which a change makes unreadable count as lost and not as missing. Beside each stands the
floor: what random directions of the same size (``random:METHOD``) do under the same change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from valuebench_harness.harness.fitting import CannotFitError
from valuebench_harness.harness.generate.reword import reword
from valuebench_harness.harness.priority_results import outcomes
from valuebench_harness.harness.progress import Reporter
from valuebench_harness.harness.robustness.changes import PLAIN, fitted_on
from valuebench_harness.harness.robustness.plan import ChangedRun, RobustnessPlan
from valuebench_harness.harness.robustness.records import Kept, Robustness
from valuebench_harness.harness.run import Run
from valuebench_harness.harness.session import execute
from valuebench_harness.metrics.comparison import Floats
from valuebench_harness.metrics.paired import paired_change
from valuebench_harness.metrics.rates import Rate, rate
from valuebench_harness.metrics.retained import retained

Successes = dict[str, list[bool | None]]


def run_robustness(plan: RobustnessPlan, folder: Path, report: Reporter) -> Robustness:
    """Runs all of it, or finds it finished.

    Raises:
        UsageError: where the folder holds runs of another configuration.
        IncompleteError: where a run or the rewording stopped half-way; the same call goes on with it.
    """
    if plan.writer is not None:
        made = reword(plan.documents, folder, plan.writer, seed=plan.plain.config.seed, report=report)
        report.note(_told(made.texts, made.left_out, made.reasons))
        plan = plan.reworded(made.texts)
    runs: dict[ChangedRun, Run] = {}
    unfitted: dict[int, str] = {}
    for key, its_plan in plan.plans.items():
        size = _size(plan, key.change)
        if size in unfitted:
            continue  # the floor takes the method's own fit
        report.note(f"{key.change}: {its_plan.config.steerer} on {its_plan.config.model}")
        try:
            runs[key] = execute(its_plan, folder / plan.folder(key), resume=True, report=report)
        except CannotFitError as error:
            if size is None:
                raise
            unfitted[size] = str(error)
    plain = runs[ChangedRun(PLAIN, "method")]
    conditions = [r.condition for r in plain.results.conditions]
    return Robustness(
        model=plain.info.config.model,
        steerer=plan.steerer,
        direction=plain.info.config.direction,
        values=tuple(str(c.value) for c in conditions),
        strengths={str(c.value): c.strength for c in conditions},
        judge=plain.info.judge,
        seed=plain.info.config.seed,
        kept=_kept(plan, runs, [str(c.value) for c in conditions]),
        unfitted=unfitted,
        writer=plan.writer.model if plan.writer is not None else "",
        runs={f"{k.change}/{k.role}": plan.folder(k) for k in runs},
    )


def _kept(plan: RobustnessPlan, runs: Mapping[ChangedRun, Run], values: Sequence[str]) -> tuple[Kept, ...]:
    def read(key: ChangedRun, *, steered: bool = True) -> tuple[Successes, int]:
        return successes(runs[key], steered=steered, sign=plan.sign, values=values)

    usual = {steered: read(ChangedRun(PLAIN, "method"), steered=steered)[0] for steered in (False, True)}
    found = []
    for change in dict.fromkeys(key.change for key in runs):
        alone = ChangedRun(change, "counter")
        base, lost = read(alone) if alone in runs else read(ChangedRun(change, "method"), steered=False)
        after, lost_after = read(ChangedRun(change, "method"))
        floor, _ = read(ChangedRun(change, "floor"))
        whole = differences(usual[False], usual[True], base)
        found.append(
            Kept(
                change=change,
                pairs=_size(plan, change),
                unsteered=_rate(base),
                steered=_rate(after),
                effect=paired_change(base, after),
                share=None if change == PLAIN else retained(differences(base, after, base), whole),
                floor=paired_change(base, floor),
                floor_share=retained(differences(base, floor, base), whole),
                unscored=lost + lost_after,
                left_out=tuple(item for item in usual[False] if item not in base),
            )
        )
    return tuple(found)


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


def differences(before: Successes, after: Successes, items: Iterable[str]) -> Floats:
    """Mean of the answers to each item after, minus before, in the order of ``items``."""
    return np.array([np.mean([bool(o) for o in after[i]]) - np.mean([bool(o) for o in before[i]]) for i in items])


def _rate(by_item: Successes) -> Rate:
    flat = [(outcome, item) for item, found in by_item.items() for outcome in found]
    return rate([o for o, _ in flat], [i for _, i in flat])


def _size(plan: RobustnessPlan, change: str) -> int | None:
    """Training pairs of each value, where a change is their number."""
    pairs = plan.plans[ChangedRun(change, "method")].config.pairs
    return pairs if pairs is not None and change == fitted_on(pairs) else None


def _told(texts: Mapping[str, str], left_out: Sequence[str], reasons: Sequence[tuple[str, int]]) -> str:
    why = f" ({'; '.join(f'rejected {n} x {reason}' for reason, n in reasons[:3])})" if left_out else ""
    return f"reworded {len(texts)} of {len(texts) + len(left_out)} dilemmas{why}"
