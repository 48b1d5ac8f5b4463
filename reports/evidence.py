"""What the numbers of a run are worth: margins, corrections for many looks, curves over strengths."""

from __future__ import annotations

from collections.abc import Iterator

from valuebench_harness.harness.result_statistics import FLUENCY_MARGIN, WANTED, Doses, Statistics
from valuebench_harness.harness.results import ConditionResult
from valuebench_harness.metrics.dose import Crossing
from valuebench_harness.metrics.equivalence import Margin
from valuebench_harness.reports.clean import one_line
from valuebench_harness.reports.levels import Level
from valuebench_harness.reports.numbers import NONE, percent, points
from valuebench_harness.reports.table import Cell, Column, Section, Table, cells


def evidence(level: Level) -> Section:
    """Statistics of one strength, all values pooled, in words."""
    return Section(
        f"evidence-{level.number}",
        "What the numbers are worth",
        table=Table((Column("", right=False), Column("", right=False)), tuple(_rows(level))),
    )


def dose_response(doses: Doses) -> Section:
    """Control and fluency over strengths, as measured and as fitted."""
    columns = (
        Column("strength"),
        Column("CSR"),
        Column("monotone", full="CSR, monotone fit"),
        Column("95%"),
        Column("FR"),
        Column("monotone", full="FR, monotone fit"),
        Column("95%"),
    )
    rows = [
        (
            Cell(f"{strength:g}"),
            *(
                Cell(text)
                for curve in (doses.control, doses.fluency)
                for text in (
                    percent(curve.raw[n], sign=False),
                    percent(curve.fit[n], sign=False),
                    _range(curve.low[n], curve.high[n]),
                )
            ),
        )
        for n, strength in enumerate(doses.strengths)
    ]
    lead = [
        f"Control success of {percent(WANTED)} {_crossing(doses.wanted, 'is reached at strength')}; fluency "
        f"{_crossing(doses.breaks, f'is {points(FLUENCY_MARGIN).lstrip(chr(43))} points below the base at strength')}."
    ]
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
        remarks=(f"Isotonic regression; intervals resample {doses.items} dilemmas. Strength 0 is the base.",),
    )


def margin_in_words(margin: Margin | None) -> str:
    """``not worse by 5 points or more (p = 0.01)``, or that this is not shown; empty where nothing was compared."""
    if margin is None or margin.p is None:
        return ""
    size = points(margin.margin).lstrip("+")
    if margin.shown:
        return f"a loss of {size} points or more is ruled out"
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
    steered = [one_line(r.condition.value or "", 24) for r in level.conditions]
    if level.pooled.csr and level.pooled.csr.change.detectable is not None:
        size = points(level.pooled.csr.change.detectable).lstrip("+")
        yield cells("detectable", f"a change of control success of {size} points would be shown in 80% of such runs")
    if len(steered) > 1:
        still = [v for v in steered if v not in found.moved]
        names = f"; not shown: {', '.join(still)}" if still and found.moved else ""
        yield cells(
            "values moved", f"{len(found.moved)} of {len(steered)} the way aimed at, after Holm's correction{names}"
        )
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


def _exam(pooled: ConditionResult, found: Statistics) -> str:
    assert pooled.exam is not None
    text = margin_in_words(found.exam) or "nothing compared"
    if pooled.exam.gated.change.detectable is not None and not pooled.exam.gated.change.shown:
        size = points(pooled.exam.gated.change.detectable).lstrip("+")
        text += f"; no change shown, {size} points would be in 80% of such runs"
    if found.exam_subjects:
        safe = [name for name, margin in found.exam_subjects.items() if margin.shown]
        text += f"; by subject for {len(safe)} of {len(found.exam_subjects)} (Holm)"
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


def _crossing(crossing: Crossing | None, verb: str) -> str:
    if crossing is None:
        return "is not known, since no answer has a verdict"
    if crossing.estimate is None:
        return "is not reached" if crossing.level == WANTED else "does not break"
    high = f"{crossing.high:.2g}" if crossing.high is not None else "beyond those run"
    return f"{verb} {crossing.estimate:.2g} (95% interval {crossing.low:.2g} to {high})"


def _range(low: float | None, high: float | None) -> str:
    return NONE if low is None or high is None else f"{round(low * 100)}..{round(high * 100)}"
