"""A run's numbers for machines: JSON with everything, CSV as one long table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator

from valuebench_harness.causal.estimates import Estimate
from valuebench_harness.harness.records import Condition
from valuebench_harness.harness.result_statistics import Doses, Statistics
from valuebench_harness.harness.results import CausalReport, ConditionResult, Effect, Results
from valuebench_harness.harness.run import Run
from valuebench_harness.metrics.paired import Change
from valuebench_harness.metrics.rates import Rate

COLUMNS = (
    "condition",
    "steerer",
    "value",
    "direction",
    "strength",
    "gate",
    "metric",
    "of",
    "estimate",
    "low",
    "high",
    "n",
    "unscored",
    "worst",
    "best",
    "base",
    "change",
    "change_low",
    "change_high",
)
"""Columns of the CSV: ``of`` is the value, scene, exam or task that a metric was measured on."""

Row = dict[str, object]


def render_json(run: Run) -> str:
    """Results and what the run is, as one JSON object with the keys ``run``, ``conditions`` and ``results``."""
    data = {
        "run": run.info.model_dump(mode="json"),
        "conditions": [c.model_dump(mode="json") for c in run.conditions.values()],
        "results": run.results.model_dump(mode="json"),
    }
    return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def render_csv(run: Run) -> str:
    """All numbers as a long table, one estimate a row, rates as shares in [0, 1]."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for row in _rows(run.results):
        writer.writerow({k: inert(v) for k, v in row.items() if v is not None})
    return out.getvalue()


def inert(value: object) -> object:
    """Keeps a spreadsheet from reading text as a formula (OWASP, CSV injection); numbers stay numbers."""
    if isinstance(value, str) and value.lstrip()[:1] in {"=", "+", "-", "@", "|", "%"}:
        return "'" + value
    return value


def _rows(results: Results) -> Iterator[Row]:
    for value, base in results.base.items():
        yield {"condition": "base", "metric": "favour", "of": value, **_rate(base.favour)}
        yield {"condition": "base", "metric": "fr", "of": value, **_rate(base.fr)}
    if results.base_exam:
        yield {"condition": "base", "metric": "exam", **_rate(results.base_exam)}
    for result in (*results.conditions, *results.pooled):
        yield from _condition_rows(result)
    if results.causal:
        yield from _foretold(results, results.causal)
    if results.doses:
        yield from _doses(results.doses)
    for condition, tasks in results.lm_eval.items():
        for task, metrics in tasks.items():
            for metric, number in metrics.items():
                yield {"condition": condition, "metric": metric, "of": task, "estimate": number}


def _condition_rows(result: ConditionResult) -> Iterator[Row]:
    head = _identity(result.condition)
    effects = {"csr": result.csr, "fr": result.fr, "success": result.success}
    if result.exam:
        effects |= {"exam": result.exam.gated, "exam_ungated": result.exam.ungated}
    for metric, effect in effects.items():
        if effect:
            yield {**head, "metric": metric, **_effect(effect)}
    for value, effect in result.csr_by_target.items():
        yield {**head, "metric": "csr", "of": value, **_effect(effect)}
    if result.consistency:
        yield {**head, "metric": "consistency", **_rate(result.consistency.rate)}
        for when in ("before", "after"):
            mean = getattr(result.consistency, when)
            yield {**head, "metric": f"orientation_{when}", "estimate": mean, "n": result.consistency.items}
    for scene, rate in result.scenes.items():
        yield {**head, "metric": "csr_by_scene", "of": scene, **_rate(rate)}
    for value, change in result.side_effects.items():
        yield {**head, "metric": "favour_change", "of": value, **_change_as_estimate(change)}
    if result.entanglement is not None:
        yield {**head, "metric": "side_effects", "estimate": result.entanglement}
    for value, (before, after) in result.orientations.items():
        yield {**head, "metric": "orientation", "of": value, "estimate": after, "base": before}
    if result.steered_share is not None:
        yield {**head, "metric": "steered_share", "estimate": result.steered_share}
    for metric, row in _statistics(result.statistics):
        yield {**head, "metric": metric, **row}


def _statistics(found: Statistics) -> Iterator[tuple[str, Row]]:
    """What follows from a condition's numbers; a p or a yes or no of a test is in ``metrics.json``."""
    if found.harmonic is not None:
        yield "harmonic", {"estimate": found.harmonic}
    if found.effectiveness:
        yield "effectiveness", found.effectiveness.model_dump()
    if found.entanglement_beyond_noise is not None:
        yield "side_effects_beyond_noise", {"estimate": found.entanglement_beyond_noise}
    if found.spill_over:
        s = found.spill_over
        yield "spill_over_slope", {"estimate": s.slope, "low": s.low, "high": s.high, "n": s.n}
        yield "spill_over_off_theory", {"estimate": s.off_theory, "n": s.n}
    if found.spread:
        d = found.spread
        yield "csr_over_draws", {"estimate": d.mean, "low": d.low, "high": d.high, "n": d.items}
        yield "csr_between_draws", {"estimate": d.between_seeds, "n": d.seeds}


def _foretold(results: Results, causal: CausalReport) -> Iterator[Row]:
    """Values beside those steered, by what became of the graph's word, and how often values moved along."""
    for level in causal.levels:
        heads = {r.condition.value: r.condition for r in results.conditions if r.condition.level == level.level}
        for steered in level.conditions:
            for other in steered.others:
                row = _change_as_estimate(other.change)
                yield {**_identity(heads[steered.value]), "metric": f"causal_{other.verdict}", "of": other.value, **row}
        (pooled,) = (r.condition for r in results.pooled if r.condition.level == level.level)
        if level.frequencies:
            for name in ("expected", "unexpected", "gap"):
                found: Estimate = getattr(level.frequencies, name)
                yield {**_identity(pooled), "metric": f"causal_frequency_{name}", **found.model_dump()}


def _doses(doses: Doses) -> Iterator[Row]:
    """Monotone fits over strengths, all values pooled."""
    for metric, curve in (("csr_fit", doses.control), ("fr_fit", doses.fluency)):
        for strength, *ends in zip(doses.strengths, curve.fit, curve.low, curve.high, strict=True):
            numbers = dict(zip(("estimate", "low", "high"), ends, strict=True))
            yield {"condition": "all", "metric": metric, "strength": strength, "n": doses.items, **numbers}


def _identity(condition: Condition) -> Row:
    return {
        "condition": condition.id,
        "steerer": condition.steerer,
        "value": condition.value or "all",
        "direction": condition.direction,
        "strength": condition.strength,
        "gate": condition.gate,
    }


def _rate(rate: Rate) -> Row:
    names = ("estimate", "low", "high", "n", "unscored", "worst", "best")
    return {name: getattr(rate, name) for name in names}


def _effect(effect: Effect) -> Row:
    change = effect.change
    return {
        **_rate(effect.after),
        "base": effect.before.estimate,
        "change": change.estimate,
        "change_low": change.low,
        "change_high": change.high,
    }


def _change_as_estimate(change: Change) -> Row:
    return {name: getattr(change, name) for name in ("estimate", "low", "high", "n", "unscored")}
