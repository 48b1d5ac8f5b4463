"""Control success and fluency of runs, by value: ConVA's Fig. 2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from valuebench_harness.harness.fit_study.records import RunRates

if TYPE_CHECKING:
    from valuebench_harness.harness.results import ConditionResult, Effect
    from valuebench_harness.harness.run import Run
    from valuebench_harness.metrics.rates import Rate

UNSTEERED = "unsteered"


def run_rates(runs: Sequence[Run]) -> tuple[RunRates, ...]:
    """The unsteered model of the first run, then each run at its first strength; runs of the base add nothing.

    Raises:
        UsageError: where a run has no metrics yet.
    """
    found: list[RunRates] = []
    for run in runs:
        steered = [r for r in run.results.conditions if r.condition.level == 0 and r.condition.value is not None]
        if steered and not found:
            found.append(_rates(UNSTEERED, steered, 0.0, 0, before=True))
        if steered:
            cost = run.results.cost
            found.append(_rates(_name(run, steered), steered, cost.generate_seconds, cost.answers))
    return tuple(found)


def _name(run: Run, steered: Sequence[ConditionResult]) -> str:
    strengths = sorted({r.condition.strength for r in steered})
    at = f"{strengths[0]:g}" if len(strengths) == 1 else f"{strengths[0]:g} to {strengths[-1]:g}"
    config = run.info.config
    kind = "" if config.context_controlled else "straightforward "
    pairs = f"{config.pairs or ''} {kind}".strip()
    return f"{config.steerer} {at}" + (f", {pairs} pairs" if pairs else "")


def _rates(
    name: str, steered: Sequence[ConditionResult], seconds: float, answers: int, *, before: bool = False
) -> RunRates:
    csr = {str(r.condition.value): r.csr for r in steered if r.csr}
    fr = {str(r.condition.value): r.fr for r in steered if r.fr}
    return RunRates(name=name, csr=_side(csr, before), fr=_side(fr, before), seconds=seconds, answers=answers)


def _side(effects: Mapping[str, Effect], before: bool) -> dict[str, Rate]:
    return {value: effect.before if before else effect.after for value, effect in effects.items()}
