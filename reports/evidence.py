"""What the numbers of a run are worth: margins, corrections for many looks, curves over strengths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from valuebench_harness.harness.result_statistics import FLUENCY_MARGIN, WANTED, Doses, Statistics
from valuebench_harness.harness.results import ConditionResult
from valuebench_harness.metrics.dose import Crossing
from valuebench_harness.metrics.equivalence import Margin
from valuebench_harness.metrics.matrix import Pair
from valuebench_harness.metrics.paired import Change
from valuebench_harness.metrics.rates import Rate
from valuebench_harness.reports.clean import one_line
from valuebench_harness.reports.levels import Level
from valuebench_harness.reports.numbers import NO_ITEM, NONE, counted, percent, points
from valuebench_harness.reports.table import Cell, Column, Section, Table, cells


def evidence(level: Level) -> Section:
    """Statistics of one strength, all values pooled, in words."""
    return Section(
        f"evidence-{level.number}",
        "What the numbers are worth",
        table=Table((Column("", right=False), Column("", right=False)), tuple(_rows(level))),
    )


def dose_response(doses: Doses, found: Sequence[Level]) -> Section:
    """Control and fluency over strengths, as measured and as fitted.

    Args:
        doses: the curves.
        found: the strengths of the run, for the numbers of answers.
    """
    columns = (
        Column("strength"),
        *(
            Column(title, full=full, beside=title != rate)
            for rate in ("CSR", "FR")
            for title, full in (
                (rate, ""),
                ("monotone", f"{rate}, monotone fit"),
                ("95%", f"{rate}, 95% interval"),
                ("n", f"{rate}, n"),
            )
        ),
    )
    scored = _scored(doses, found)
    rows = [
        (
            Cell(f"{strength:g}"),
            *(
                Cell(text)
                for curve, rates in zip((doses.control, doses.fluency), scored, strict=True)
                for text in (
                    percent(curve.raw[n], sign=False),
                    percent(curve.fit[n], sign=False),
                    _range(curve.low[n], curve.high[n]),
                    str(rates[n].n),
                )
            ),
        )
        for n, strength in enumerate(doses.strengths)
    ]
    lead = [f"{_wanted(doses.wanted)}; {_breaks(doses)}.", *_unscored(scored[0])]
    if doses.reversal is not None and doses.reversal > FLUENCY_MARGIN:
        lead.append(
            f"More is not better throughout: measured control success falls by {points(doses.reversal).lstrip('+')} "
            "points from its highest at a lower strength, and the fit is flat there."
        )
    return Section(
        "doses",
        "Dose and response, all values pooled (%)",
        lead=tuple(lead),
        table=Table(columns, tuple(rows)),
        remarks=(
            f"Isotonic regression; intervals resample {counted(doses.items, 'dilemma')}. Strength 0 is the base.",
        ),
    )


def margin_in_words(margin: Margin | None, change: Change) -> str:
    """``a loss of 5 points or more is ruled out``, is not, or is shown; empty where nothing was compared.

    Args:
        margin: the test.
        change: that was tested.
    """
    if margin is None or margin.p is None:
        return ""
    size = f"{100 * margin.margin:g}"
    if margin.shown:
        return f"a loss of {size} points or more is ruled out"
    if change.high is not None and change.high <= -margin.margin:
        return f"a loss of {size} points or more is shown"
    return f"a loss of {size} points or more is not ruled out"


def _rows(level: Level) -> Iterator[tuple[Cell, ...]]:
    pooled, found = level.pooled, level.pooled.statistics
    yield from _control(level, found)
    if pooled.exam:
        yield cells("exam", _exam(pooled, found))
    if found.elsewhere_of:
        yield cells("side effects", _elsewhere(found))
    if found.spill_over:
        yield cells("value circle", _circle(found))
    if found.harmonic is not None:
        yield cells("harmonic score", f"{found.harmonic:.2f} of 1: control, answers with a verdict, fluency (AxBench)")


def _control(level: Level, found: Statistics) -> Iterator[tuple[Cell, ...]]:
    if level.pooled.csr and level.pooled.csr.change.detectable is not None:
        size = points(level.pooled.csr.change.detectable).lstrip("+")
        yield cells("detectable", f"a change of control success of {size} points would be shown in 80% of such runs")
    aimed = [(r.condition.value or "", value) for r in level.conditions for value in r.condition.targets]
    if len(aimed) > 1:
        yield cells("values moved", _values_moved(level, aimed, found.moved))
    elif level.pooled.csr and level.pooled.csr.change.estimate is None:
        yield cells("value moved", f"not known: {NO_ITEM}")
    gain = found.effectiveness
    if gain and gain.estimate is not None:
        interval = f", 95% interval {gain.low:.2f} to {gain.high:.2f}" if gain.low is not None else ""
        yield cells("effectiveness", f"{gain.estimate:.2f} of the possible gain{interval}")
    if found.spread:
        s = found.spread
        text = (
            f"control success {percent(s.mean)} over {s.seeds} answers an item, 95% interval {_range(s.low, s.high)}; "
            f"standard deviation between them {100 * s.between_seeds:.1f} points, {100 * s.by_chance:.1f} by chance"
        )
        yield cells("between seeds", text)


def _values_moved(level: Level, aimed: Sequence[Pair], moved: Sequence[Pair]) -> str:
    changes = {(r.condition.value or "", value): c for r in level.conditions for value, c in r.side_effects.items()}
    known = [p for p in aimed if p in changes and changes[p].estimate is not None]
    if not known:
        return f"not known: {NO_ITEM}"
    still = [_name(p, aimed) for p in known if p not in moved] if moved else []
    unknown = [_name(p, aimed) for p in aimed if p not in known]
    return "".join(
        (
            f"{len(moved)} of {len(aimed)} the way aimed at, after Holm's correction",
            f"; not shown: {', '.join(still)}" if still else "",
            f"; not known: {', '.join(unknown)}" if unknown else "",
        )
    )


def _name(pair: Pair, aimed: Sequence[Pair]) -> str:
    """A value aimed at; with what it was steered together with where several such steerings aim at it."""
    steered, value = pair
    alone = sum(other == value for _, other in aimed) == 1
    return one_line(value, 24) if alone else f"{one_line(value, 24)} by {one_line(steered, 48)}"


def _exam(pooled: ConditionResult, found: Statistics) -> str:
    assert pooled.exam is not None
    text = margin_in_words(found.exam, pooled.exam.gated.change) or "nothing compared"
    if pooled.exam.gated.change.detectable is not None and not pooled.exam.gated.change.shown:
        size = points(pooled.exam.gated.change.detectable).lstrip("+")
        text += f"; no change shown, {size} points would be in 80% of such runs"
    if found.exam_subjects:
        safe = [name for name, margin in found.exam_subjects.items() if margin.shown]
        text += f"; ruled out in {len(safe)} of {counted(len(found.exam_subjects), 'subject')} (Holm)"
    return text


def _elsewhere(found: Statistics) -> str:
    text = f"{found.elsewhere} of {found.elsewhere_of} changes of values not aimed at stand after Holm's correction"
    if found.entanglement_beyond_noise is not None:
        beyond = points(found.entanglement_beyond_noise).lstrip("+")
        text += f"; root mean square beyond sampling noise {beyond} points"
    return text


def _circle(found: Statistics) -> str:
    s = found.spill_over
    assert s is not None
    return (
        f"neighbours of the value steered moved {points(s.slope)} points (95% {points(s.low)} to {points(s.high)}), "
        f"p = {s.p:.2g} against random places; it explains {percent(max(0.0, s.consistent))} of what moved elsewhere "
        f"and leaves {points(s.off_theory).lstrip('+')} points (root mean square)"
    )


def _wanted(crossing: Crossing | None) -> str:
    control = f"Control success of {percent(WANTED)}"
    if crossing is None:
        return f"{control} is not known, since no answer has a verdict"
    if crossing.estimate is None:
        return f"{control} is not reached"
    place = f"at strength {crossing.estimate:.2g}" if crossing.estimate > 0 else "without steering"
    return f"{control} is reached {place} ({_strengths(crossing)})"


def _breaks(doses: Doses) -> str:
    crossing, size = doses.breaks, points(FLUENCY_MARGIN).lstrip("+")
    if crossing is None:
        return "fluency is not known without steering, so neither is where it breaks"
    if crossing.estimate is not None:
        return f"fluency is {size} points below the base at strength {crossing.estimate:.2g} ({_strengths(crossing)})"
    if crossing.level <= 0:
        return f"fluency is {percent(doses.fluency.raw[0])} without steering, so it has no {size} points to lose"
    return f"fluency does not fall {size} points below the base"


def _strengths(crossing: Crossing) -> str:
    high = f"{crossing.high:.2g}" if crossing.high is not None else "beyond those run"
    return f"95% interval {crossing.low:.2g} to {high}"


def _scored(doses: Doses, found: Sequence[Level]) -> tuple[list[Rate], list[Rate]]:
    """The rates of control and of fluency at each strength of the curves."""
    alike = {level.strengths[0]: level.pooled for level in found if len(level.strengths) == 1}
    steered = [alike[s] for s in doses.strengths[1:]]
    effects = [(r.csr, r.fr) for r in steered if r.csr and r.fr]
    first = effects[0]
    control, fluency = ([e[k].after for e in effects] for k in range(2))
    return [first[0].before, *control], [first[1].before, *fluency]


def _unscored(rates: Sequence[Rate]) -> Iterator[str]:
    """How many answers the curve of control rests on, where that is not all of them."""
    least, most = min(rate.n for rate in rates), max(rate.n for rate in rates)
    if most and any(rate.unscored for rate in rates):
        asked = max(rate.n + rate.unscored for rate in rates)
        share = str(most) if least == most else f"{least} to {most}"
        yield f"Of {counted(asked, 'answer')} a strength {share} have a verdict on control."


def _range(low: float | None, high: float | None) -> str:
    return NONE if low is None or high is None else f"{round(low * 100)}..{round(high * 100)}"
