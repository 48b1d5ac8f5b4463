"""``--tune``: each value's strength, and layers where the method has a choice, from the selection half.

Every strength of the grid is run on the selection half of each value's own dilemmas, as a run of its own in the
folder ``tuning``: judged, cached and resumable like any other. What counts is *success*: answers on the side
aimed at and fluent, over all of them. Two rules:

- **One standard error** (the default; Breiman et al., CART, 1984, for the smallest tree): the smallest strength
  whose success is within one standard error of the best. A stronger setting has to earn its side effects by
  more than a lucky answer or two. Layers are compared by the success of their best strength, and the method's own
  choice stays unless others beat it by more than one standard error.
- **Target** (``--tune-target 0.8``): the least strength that reaches a share of successes, so that methods which all
  saturate stay comparable. Where none reaches it, the first rule decides and says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from valuebench_harness.harness.conditions import make_condition
from valuebench_harness.harness.records import BASE, Condition
from valuebench_harness.harness.settling import Trial, Tuned

if TYPE_CHECKING:
    from valuebench_harness.harness.conditions import Setting
    from valuebench_harness.harness.plan import Plan
    from valuebench_harness.harness.results import ConditionResult
    from valuebench_harness.harness.run import Run
    from valuebench_harness.steerers.base import Steerer

MULTIPLES = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
"""Grid of a method that names none, in multiples of its default strength."""

ONE_STANDARD_ERROR = "smallest strength within one standard error of the best success"


def tuning_plan(plan: Plan, n_layers: int) -> Plan:
    """The run that a run's strengths are chosen from: the grid, on the dilemmas set apart for it.

    Args:
        plan: of the run that is to be tuned.
        n_layers: of the model, for methods that try single layers.
    """
    conditions = [BASE]
    settings = grid(plan.steerer, plan.config.strength, plan.config.layers, n_layers)
    for spec in plan.specs:
        for level, (strength, layers) in enumerate(settings):
            conditions.append(
                make_condition(
                    plan.config,
                    plan.steerer,
                    plan.direction,
                    spec,
                    strength=strength,
                    gate=plan.gate_name,
                    layers=layers,
                    level=level,
                )
            )
    steered = set(plan.values)
    return replace(
        plan,
        config=plan.config.model_copy(update={"tune": False, "tune_target": None, "split": "select"}),
        conditions=tuple(conditions),
        documents=tuple(d for d in plan.tuned_on if d.value in steered),
        tasks_hash="",
        foreign=(),
        notes=(),
        own_only=True,
        tuned_on=(),
    )


def grid(
    steerer: Steerer[Any], strengths: Sequence[float] | None, layers: Sequence[int] | None, n_layers: int
) -> list[Setting]:
    """All that is tried for a value.

    Args:
        steerer: names its grid and the depths of single layers worth trying.
        strengths: the user's own, in place of the method's grid.
        layers: the user's own; then no others are tried.
        n_layers: of the model.
    """
    chosen = strengths or steerer.tuning_grid or tuple(m * steerer.default_strength for m in MULTIPLES)
    depths = () if layers is not None else steerer.tuning_depths
    singles = dict.fromkeys(min(round(depth * n_layers), n_layers - 1) for depth in depths)
    places: list[tuple[int, ...] | None] = [None, *((layer,) for layer in singles)]
    return [(strength, place) for place in places for strength in sorted(chosen) if strength > 0]


def choose(plan: Plan, trials: Run) -> tuple[Tuned, ...]:
    """The choice for every value of a plan, from the finished run of its tuning plan."""
    by_value: dict[str, list[ConditionResult]] = {}
    for result in trials.results.conditions:
        by_value.setdefault(str(result.condition.value), []).append(result)
    documents = trials.documents.values()
    return tuple(
        _choose(
            by_value[str(spec)],
            default_layers=plan.config.layers,
            target=plan.config.tune_target,
            items=tuple(d.id for d in documents if d.value in dict(spec.terms)),
        )
        for spec in plan.specs
    )


def _choose(
    results: Sequence[ConditionResult],
    *,
    default_layers: tuple[int, ...] | None,
    target: float | None,
    items: tuple[str, ...],
) -> Tuned:
    trials = [_trial(r, default_layers) for r in results]
    chosen, rule = best_trial(trials, target)
    head = results[0]
    assert head.success is not None
    return Tuned(
        value=_value(head.condition),
        strength=chosen.strength,
        layers=chosen.layers,
        rule=rule,
        base=head.success.before,
        items=items,
        grid=tuple(trials),
    )


def best_trial(trials: Sequence[Trial], target: float | None = None) -> tuple[Trial, str]:
    """The trial that is taken, and by which rule.

    Args:
        trials: the method's own layers first.
        target: success that is enough.
    """
    if target is not None:
        enough = [t for t in trials if _success(t) >= target]
        if enough:
            return min(enough, key=lambda t: (t.strength, -_success(t))), f"least strength with success {target:g}"
        fallback, rule = best_trial(trials)
        return fallback, f"success {target:g} was not reached: {rule}"
    places = list(dict.fromkeys(t.layers for t in trials))
    tops = {place: _best(t for t in trials if t.layers == place) for place in places}
    own = tops[places[0]]
    rival = _best(tops.values())
    top = own if _success(own) >= _success(rival) - _standard_error(rival) else rival
    enough = [t for t in trials if t.layers == top.layers and _success(t) >= _success(top) - _standard_error(top)]
    return min(enough, key=lambda t: t.strength), ONE_STANDARD_ERROR


def _trial(result: ConditionResult, default_layers: tuple[int, ...] | None) -> Trial:
    assert result.success is not None
    assert result.csr is not None
    assert result.fr is not None
    condition = result.condition
    return Trial(
        strength=condition.strength,
        layers=None if condition.layers == default_layers else condition.layers,
        success=result.success.after,
        csr=result.csr.after,
        fr=result.fr.after,
    )


def _best(trials: Iterable[Trial]) -> Trial:
    return max(trials, key=lambda t: (_success(t), -t.strength))


def _success(trial: Trial) -> float:
    assert trial.success.estimate is not None, "success counts unscored answers as failures, so it has an estimate"
    return trial.success.estimate


def _standard_error(trial: Trial) -> float:
    """Of a share over items; several answers to an item count once."""
    p = _success(trial)
    return math.sqrt(p * (1 - p) / trial.success.clusters)


def _value(condition: Condition) -> str:
    assert condition.value is not None
    return condition.value
