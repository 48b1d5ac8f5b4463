"""A run in words: what was run, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator

from valuebench_harness.harness.results import ConditionResult, Effect
from valuebench_harness.harness.run import Run
from valuebench_harness.metrics.paired import Change
from valuebench_harness.metrics.rates import Rate
from valuebench_harness.reports.clean import one_line
from valuebench_harness.reports.evidence import margin_in_words
from valuebench_harness.reports.levels import Level, best_level, levels
from valuebench_harness.reports.numbers import change_in_words, percent, points


def headline(run: Run) -> str:
    """What was run: method, values, model."""
    model = one_line(str(run.info.model.get("name") or run.info.config.model), 80)
    level = best_level(run.results)
    if level is None:
        return f"{model}, unsteered"
    condition = level.pooled.condition
    way = "towards" if condition.sign > 0 else "away from"
    return f"{one_line(condition.steerer, 60)} on {model}: {way} {_values(level)}"


def setting(run: Run) -> str:
    """The rest that decides the numbers: strength, gate, judge, n, seed."""
    config, level = run.info.config, best_level(run.results)
    parts = []
    if level:
        parts.append(f"strength {', '.join(x.strength for x in levels(run.results))}")
        parts.append("no gate" if level.pooled.condition.gate == "none" else f"gate {level.pooled.condition.gate}")
        if level.pooled.csr:
            parts.append(f"{level.pooled.csr.after.n + level.pooled.csr.after.unscored} dilemma answers a strength")
    else:
        parts.append(f"{sum(b.favour.n + b.favour.unscored for b in run.results.base.values())} dilemma answers")
    temperature = config.sampling_temperature
    decoding = "greedy" if temperature == 0 else f"{config.n_samples} samples an item at temperature {temperature:g}"
    parts += [f"judge {one_line(run.results.judge, 60)}", decoding, f"seed {config.seed}"]
    return " · ".join(parts)


def verdict(run: Run) -> str:
    """What came of it, in one sentence."""
    level = best_level(run.results)
    if level is None:
        return _base_verdict(run)
    return "; ".join(_clauses(run, level)) + "."


def warnings(run: Run) -> list[str]:
    """What weakens the numbers: unscored verdicts, an unfinished run, the run's own notes."""
    results, out = run.results, []
    if run.info.status != "complete":
        out.append(f"The run is not complete: its status is '{run.info.status}'.")
    if results.unscored:
        reasons = "; ".join(f"{n} x {one_line(why, 80)}" for why, n in list(results.unscored_reasons.items())[:3])
        share = percent(results.unscored_share)
        out.append(f"{results.unscored} of {results.verdicts:,} verdicts ({share}) are unscored: {reasons}.")
    return out + [one_line(note, 300) for note in run.info.notes]


def _values(level: Level) -> str:
    values = level.pooled.members
    return values[0] if len(values) == 1 else f"{len(values)} values"


def _base_verdict(run: Run) -> str:
    base = run.results.base
    scored = [b.favour.estimate for b in base.values() if b.favour.estimate is not None]
    parts = []
    if scored:
        parts.append(
            f"Unsteered, the model acts for the value in {percent(min(scored))} to {percent(max(scored))} "
            f"of the dilemmas of {len(base)} values"
        )
        fluent = [b.fr.estimate for b in base.values() if b.fr.estimate is not None]
        parts += [f"fluency is at least {percent(min(fluent))}"] if fluent else []
    if run.results.base_exam:
        parts.append(f"it passes {percent(run.results.base_exam.estimate)} of the exam")
    return "; ".join(parts) + "." if parts else "Nothing was scored."


def _clauses(run: Run, level: Level) -> Iterator[str]:
    pooled = level.pooled
    if pooled.csr is None:
        yield "No dilemma was asked about the values steered"
    else:
        several = len(levels(run.results)) > 1
        place = (
            f"At strength {level.strength}, the best of {len(levels(run.results))}, control" if several else "Control"
        )
        yield f"{place} success {_moved(pooled.csr)} over {_values(level)}"
    if pooled.fr:
        yield f"fluency {_from_to(pooled.fr)}"
    yield from _exam(pooled)
    if level.off_target():
        yield _side_effects(level)


def _moved(effect: Effect) -> str:
    change, after = effect.change, effect.after
    if change.estimate is None:
        return f"is not known: {change_in_words(change)}{_bounds(after)}"
    words = (
        f"{percent(effect.before.estimate)} to {percent(after.estimate)} ({change_in_words(change)}{_bounds(after)})"
    )
    if not change.shown:
        least = f"; {points(change.detectable).lstrip('+')} points would be shown in 80% of such runs"
        return f"did not move measurably: {words}{least if change.detectable is not None else ''}"
    return f"{'rose' if change.estimate > 0 else 'fell'} from {words}"


def _bounds(rate: Rate) -> str:
    """What the unscored answers leave open, where there are any."""
    if not rate.unscored:
        return ""
    asked = rate.n + rate.unscored
    return f"; {rate.unscored} of {asked} unscored, so it lies between {percent(rate.worst)} and {percent(rate.best)}"


def _from_to(effect: Effect) -> str:
    words = f"{percent(effect.before.estimate)} → {percent(effect.after.estimate)}"
    return words if effect.change.shown else f"{words} (no change shown)"


def _exam(pooled: ConditionResult) -> Iterator[str]:
    if pooled.exam is None:
        return
    gated, ungated = pooled.exam.gated, pooled.exam.ungated
    if ungated is None:
        margin = margin_in_words(pooled.statistics.exam)
        yield f"exam {_from_to(gated)}{f', {margin}' if margin else ''}"
        return
    yield (
        f"exam {percent(gated.before.estimate)} → {percent(ungated.after.estimate)} without the gate, "
        f"{percent(gated.after.estimate)} with it"
    )


def _side_effects(level: Level) -> str:
    changes = level.off_target()
    size = level.pooled.entanglement
    text = f"side effects {points(size).lstrip('+')} points (root mean square)"
    shown = {pair: c for pair, c in changes.items() if c.shown}
    if not shown:
        return f"{text}, none of {len(changes)} shown"
    (steered, measured), largest = max(shown.items(), key=lambda x: _size(x[1]))
    return (
        f"{text}, {len(shown)} of {len(changes)} shown, the largest on {measured} when {steered} was steered "
        f"({points(largest.estimate)})"
    )


def _size(change: Change) -> float:
    return abs(change.estimate or 0.0)
