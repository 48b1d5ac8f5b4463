"""A calibration as tables, in the form of ConVA's Tables 4 and 15 (Jin et al., ACL 2025)."""

from __future__ import annotations

from collections.abc import Iterator

from valuebench_harness.errors import unknown_name
from valuebench_harness.harness.calibration import Calibration, GroupRate, QuestionCalibration
from valuebench_harness.metrics.confusion import Estimate
from valuebench_harness.metrics.rates import Rate
from valuebench_harness.reports.clean import one_line
from valuebench_harness.reports.markdown import sections_markdown
from valuebench_harness.reports.numbers import NONE, percent, points, rate_interval
from valuebench_harness.reports.table import Cell, Column, Section, Table, cells
from valuebench_harness.reports.text import sections_text

TITLES = {
    "csr": "Control success",
    "fr": "Fluency",
    "stance": "Stance",
    "agreement": "Thought and answer",
    "shows": "Training texts",
}
FORMATS = ("text", "md", "json")


def render_calibration(calibration: Calibration, output: str) -> str:
    """A calibration in a format.

    Args:
        calibration: of a judge.
        output: ``text``, ``md`` or ``json``.

    Raises:
        UsageError: for an unknown format.
    """
    if output not in FORMATS:
        raise unknown_name("format", output, FORMATS)
    if output == "json":
        return calibration.model_dump_json(indent=1)
    found = list(calibration_sections(calibration))
    return sections_markdown("Judge calibration", found) if output == "md" else sections_text(found)


def calibration_sections(calibration: Calibration) -> Iterator[Section]:
    """All tables: the judge, each question's confusions, the raters, the corrected rates."""
    yield judge_section(calibration)
    for q in calibration.questions:
        yield confusion_section(q)
    if len(calibration.raters) > 1:
        yield raters_section(calibration)
    if any(q.rates for q in calibration.questions):
        yield user_study_section(calibration)
    for q in calibration.questions:
        if q.rates:
            yield rates_section(q, calibration)


def judge_section(calibration: Calibration) -> Section:
    """ConVA's Table 15: judge against the raters' majority, a question a column."""
    columns = [Column("", right=False)]
    for q in calibration.questions:
        columns += [Column(TITLES[q.asks]), Column("95%", beside=True)]
    rows = [_row("agreement", [_rate(q.judge.accuracy) for q in calibration.questions])]
    for what in ("precision", "recall", "f1"):
        rows.append(_row(what if what != "f1" else "F1", [_class(q, what) for q in calibration.questions]))
    rows.append(_row("Cohen's kappa", [_estimate(q.judge.kappa) for q in calibration.questions]))
    rows.append(_row("n", [(str(q.judge.accuracy.n), "") for q in calibration.questions]))
    rows.append(_row("unscored", [(str(q.judge.accuracy.unscored), "") for q in calibration.questions]))
    raters = ", ".join(one_line(r, 40) for r in calibration.raters)
    positive = ", ".join(dict.fromkeys(q.judge.labels[0] for q in calibration.questions))
    return Section(
        "judge",
        f"{one_line(calibration.judge, 80)} against {'most of ' if len(calibration.raters) > 1 else ''}{raters}",
        lead=calibration.notes,
        table=Table(tuple(columns), tuple(rows)),
        remarks=(f"Precision, recall and F1 of {positive}; of the other labels below.",),
    )


def confusion_section(q: QuestionCalibration) -> Section:
    """Counts, people by judge, with precision, recall and F1 of each label."""
    labels = q.judge.labels
    columns = (
        Column("people \\ judge", right=False),
        *(Column(label) for label in labels),
        Column("unscored"),
        *(c for name in ("precision", "recall", "F1") for c in (Column(name), Column("95%", beside=True))),
    )
    rows = []
    for label, counts in zip(labels, q.judge.matrix, strict=True):
        scores = q.judge.classes[label]
        found = (_rate(scores.precision), _rate(scores.recall), _estimate(scores.f1))
        rows.append(cells(label, *map(str, counts), *(text for pair in found for text in pair)))
    return Section(f"confusion-{q.asks}", f"{TITLES[q.asks]}: counts", table=Table(columns, tuple(rows)))


def raters_section(calibration: Calibration) -> Section:
    """Agreement between raters."""
    columns = (
        Column("between raters", right=False),
        *(c for q in calibration.questions for c in (Column(TITLES[q.asks]), Column("95%", beside=True))),
    )
    found = calibration.questions
    rows = [
        _row("Fleiss' kappa", [_estimate(q.reliability.fleiss) for q in found]),
        _row("  items all labelled", [(str(q.reliability.fleiss_items), "") for q in found]),
        _row("Krippendorff's alpha", [_estimate(q.reliability.alpha) for q in found]),
        _row("  items two labelled", [(str(q.reliability.alpha_items), "") for q in found]),
    ]
    for pair in found[0].pairs:
        rows.append(_row(f"Cohen's kappa, {one_line(pair, 40)}", [_estimate(q.pairs[pair]) for q in found]))
    return Section(
        "raters",
        "Raters against each other",
        table=Table(columns, tuple(rows)),
        remarks=(
            "- is undefined: no shared items, one label only, or an interval where raters agree, or differ, "
            "alike on all items.",
        ),
    )


def user_study_section(calibration: Calibration) -> Section:
    """ConVA's Table 4: each rater's rates over what the rater labelled, a group three columns."""
    found = [q for q in calibration.questions if q.rates]
    rows = [
        cells(
            one_line(rater, 24),
            TITLES[q.asks],
            *(text for r in q.rates for text in _share(r.raters[rater])),
        )
        for rater in calibration.raters
        for q in found
    ]
    columns = (
        Column("rater", right=False),
        Column("", right=False),
        *(
            c
            for r in found[0].rates
            for c in (Column(one_line(r.group, 24)), Column("95%", beside=True), Column("n", beside=True))
        ),
    )
    return Section("study", "By rater (%)", table=Table(columns, tuple(rows)))


def rates_section(q: QuestionCalibration, calibration: Calibration) -> Section:
    """What the judge says of each group, and what people would: corrected, with the change against the base."""
    columns = (
        Column("answers of", right=False),
        Column("judge"),
        Column("corrected"),
        Column("95%", beside=True),
        Column("change", full="corrected change against the base, points"),
        Column("95%", beside=True),
        Column("bias", full="judge minus people, points", spare=2),
        Column("labels"),
        Column("answers", spare=1),
        Column("needed", full="labels needed"),
    )
    return Section(
        f"rates-{q.asks}",
        f"{TITLES[q.asks]} in the eyes of people (%, changes in points)",
        table=Table(columns, tuple(_rate_row(r) for r in q.rates)),
        remarks=(
            "corrected: the judge on all answers, its bias taken off by the labels (prediction-powered inference). "
            f"needed: labels for a 95% interval {round(100 * calibration.width)} points wide; - is not to be had.",
        ),
    )


def _rate_row(found: GroupRate) -> tuple[Cell, ...]:
    c = found.corrected
    interval = NONE if c.low is None or c.high is None else f"{round(100 * c.low)}..{round(100 * c.high)}"
    return (
        Cell(one_line(found.group, 40)),
        *cells(
            percent(c.judged, sign=False),
            percent(c.estimate, sign=False),
            interval,
            *_change(found.change),
            NONE if c.bias is None else f"{100 * c.bias:+.0f}",
            str(c.labels),
            str(c.answers),
            NONE if found.needed is None else str(found.needed),
        ),
    )


def _change(found: Estimate | None) -> tuple[str, str]:
    if found is None:
        return "", ""
    if found.estimate is None or found.low is None or found.high is None:
        return NONE, NONE
    return points(found.estimate), f"{points(found.low)}..{points(found.high)}"


def _row(name: str, pairs: list[tuple[str, str]]) -> tuple[Cell, ...]:
    return cells(name, *(text for pair in pairs for text in pair))


def _class(q: QuestionCalibration, what: str) -> tuple[str, str]:
    scores = q.judge.classes[q.judge.labels[0]]
    return _estimate(scores.f1) if what == "f1" else _rate(getattr(scores, what))


def _rate(found: Rate) -> tuple[str, str]:
    if found.estimate is None:
        return NONE, NONE
    return f"{found.estimate:.4f}", rate_interval(found)


def _share(found: Rate) -> tuple[str, str, str]:
    return percent(found.estimate, sign=False), rate_interval(found), str(found.n)


def _estimate(found: Estimate) -> tuple[str, str]:
    if found.estimate is None:
        return NONE, NONE
    interval = NONE if found.low is None or found.high is None else f"{found.low:.2f}..{found.high:.2f}"
    return f"{found.estimate:.4f}", interval
