"""A run in words: what was run, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from valuebench_harness.harness.results import ConditionResult, Effect
from valuebench_harness.harness.run import Run
from valuebench_harness.metrics.paired import Change
from valuebench_harness.metrics.rates import Rate
from valuebench_harness.reports.clean import one_line
from valuebench_harness.reports.evidence import margin_in_words
from valuebench_harness.reports.levels import Level, best_level, levels
from valuebench_harness.reports.numbers import NO_ITEM, change_in_words, counted, of_items, on_fewer, percent, points


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
            parts.append(f"{counted(_asked(level.pooled.csr.after), 'dilemma answer')} a strength")
    else:
        parts.append(counted(sum(_asked(b.favour) for b in run.results.base.values()), "dilemma answer"))
    temperature = config.sampling_temperature
    sampled = f"{counted(config.n_samples, 'sample')} an item at temperature {temperature:g}"
    decoding = "greedy" if temperature == 0 else sampled
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
        reasons = "; ".join(f"{n:,} x {one_line(why, 80)}" for why, n in list(results.unscored_reasons.items())[:3])
        share = f"{results.unscored:,} of {counted(results.verdicts, 'verdict')} ({percent(results.unscored_share)})"
        out.append(f"{share} {'is' if results.unscored == 1 else 'are'} unscored: {reasons}.")
    return out + [one_line(note, 300) for note in run.info.notes]


def _values(level: Level) -> str:
    values = level.pooled.members
    return one_line(values[0], 60) if len(values) == 1 else f"{len(values)} values"


def _asked(rate: Rate) -> int:
    return rate.n + rate.unscored


def _base_verdict(run: Run) -> str:
    base = run.results.base
    parts = [_favoured({value: b.favour for value, b in base.items()})] if base else []
    fluent = [b.fr.estimate for b in base.values() if b.fr.estimate is not None]
    parts += [f"fluency is at least {percent(min(fluent))}"] if fluent else []
    if run.results.base_exam:
        parts.append(
            f"{'it' if base else 'Unsteered, the model'} passes {percent(run.results.base_exam.estimate)} of the exam"
        )
    return "; ".join(parts) + "." if parts else "Nothing was scored."


def _favoured(favour: Mapping[str, Rate]) -> str:
    """How often the unsteered model acts for its values."""
    scored = {value: rate.estimate for value, rate in favour.items() if rate.estimate is not None}
    if not scored:
        asked = counted(sum(map(_asked, favour.values())), "dilemma answer")
        return f"Unsteered, the model is not known to act for or against any value: of {asked} none is scored"
    low, high = (percent(end(scored.values())) for end in (min, max))
    share = low if low == high else f"{low} to {high}"
    whose = one_line(next(iter(scored)), 60) if len(scored) == 1 else f"{len(scored)} values"
    rest = f" ({len(favour) - len(scored)} more without a scored answer)" if len(scored) < len(favour) else ""
    return f"Unsteered, the model acts for the value in {share} of the dilemmas of {whose}{rest}"


def _clauses(run: Run, level: Level) -> Iterator[str]:
    pooled, found = level.pooled, levels(run.results)
    if pooled.csr is None:
        yield "No dilemma was asked about the values steered"
    else:
        place = f"At strength {level.strength}, {_place(level, found)}, control" if len(found) > 1 else "Control"
        yield f"{place} success {_moved(pooled.csr, _values(level))}"
    if pooled.fr:
        yield f"fluency {_from_to(pooled.fr)}"
    yield from _exam(pooled)
    if level.off_target():
        yield _side_effects(level)


def _place(level: Level, found: Sequence[Level]) -> str:
    """What sets a strength apart from the others, if anything does."""
    if any(level.success > other.success for other in found):
        return f"the best of {len(found)}"
    if level.known and not found[0].known:
        return f"the first of {len(found)} strengths that has a scored answer"
    return f"the first of {len(found)}, none better"


def _moved(effect: Effect, values: str) -> str:
    """Control success and its change, over ``values``."""
    before, change, after = effect.before, effect.change, effect.after
    bounds = _bounds(after)
    if after.estimate is None:
        return f"is not known over {values}: none of {counted(_asked(after), 'answer')} with steering is scored"
    if change.estimate is None:
        known = f"{percent(before.estimate)} without and " if before.estimate is not None else ""
        return (
            f"is {known}{percent(after.estimate)} with steering over {values}{f' ({bounds})' if bounds else ''}, "
            f"but its change is not known: {NO_ITEM}"
        )
    rates = f"{percent(before.estimate)} to {percent(after.estimate)}"
    more = f"({'; '.join(filter(None, (change_in_words(change, before, after), bounds)))})"
    if change.shown:
        # Rates of other answers than the change may even lie the other way round.
        fewer = on_fewer(change, before, after)
        told = f"over {values}: {rates}" if fewer else f"from {rates} over {values}"
        return f"{'rose' if change.estimate > 0 else 'fell'} {told} {more}"
    least = f"; {points(change.detectable).lstrip('+')} points would be shown in 80% of such runs"
    return f"did not move measurably over {values}: {rates} {more}{least if change.detectable is not None else ''}"


def _bounds(rate: Rate) -> str:
    """What the unscored answers leave open; empty where there are none."""
    unscored = f"{rate.unscored} of {_asked(rate)} unscored"
    return f"{unscored}, so it lies between {percent(rate.worst)} and {percent(rate.best)}" if rate.unscored else ""


def _from_to(effect: Effect) -> str:
    """``is not known``, or ``95% → 62%``: whether that is shown, and by how much where it is of other answers."""
    before, change, after = effect.before, effect.change, effect.after
    if after.estimate is None:
        return "is not known"
    if before.estimate is None:
        return f"is {percent(after.estimate)} with steering, and not known without"
    words = f"{percent(before.estimate)} → {percent(after.estimate)}"
    items = of_items(change, before, after)
    if change.estimate is None:
        return f"{words} ({NO_ITEM})"
    if change.shown:
        return f"{words} ({points(change.estimate)} points{items})" if items else words
    return f"{words} (no change shown{items})"


def _exam(pooled: ConditionResult) -> Iterator[str]:
    if pooled.exam is None:
        return
    gated, ungated = pooled.exam.gated, pooled.exam.ungated
    if ungated is None:
        margin = margin_in_words(pooled.statistics.exam, gated.change)
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
