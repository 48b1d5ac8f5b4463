"""The tables of a fit's report, before they take a format."""

from __future__ import annotations

from collections.abc import Iterator

from valuebench_harness.harness.fit_study.records import FitStudy, ValueFit, Words
from valuebench_harness.metrics.rates import Rate
from valuebench_harness.reports.clean import one_line
from valuebench_harness.reports.numbers import counted, percent, rate_interval, seconds
from valuebench_harness.reports.table import Cell, Column, Section, Table, cells

MOST_LAYERS = 16
WORDS_SHOWN = 8
TOKEN_LENGTH = 24
NAME_LENGTH = 40


def headline(study: FitStudy) -> str:
    """``conva, fitted on mini for 10 values``"""
    n = len(study.values)
    return f"{one_line(study.method, 60)}, fitted on {one_line(study.model, 80)} for {n} value{'s' * (n != 1)}"


def setting(study: FitStudy) -> str:
    """Source, kind of pairs, seed."""
    kind = "context-controlled" if study.controlled else "straightforward"
    return f"{study.source}; {kind} pairs; {study.n_layers} layers; seed {study.seed}"


def fit_sections(study: FitStudy) -> Iterator[Section]:
    """All parts that the study has numbers for; a part's key is that of its figure."""
    yield _accuracy(study)
    if study.cosines:
        yield _cosines()
    if any(v.tokens for v in study.values):
        yield _tokens(study)
    yield _words(study)
    if any(v.gate for v in study.values):
        yield _gate(study)
    yield _sizes(study)
    if any(v.control for v in study.values):
        yield _control(study)
    if study.runs:
        yield _runs(study)


def _name(value: ValueFit) -> str:
    return one_line(value.value, NAME_LENGTH)


def _accuracy(study: FitStudy) -> Section:
    step = -(-study.n_layers // MOST_LAYERS)
    layers = range(0, study.n_layers, step)
    rows = []
    for value in study.values:
        by_layer = {a.layer: a for a in value.accuracy}
        numbers = [
            Cell(
                percent(by_layer[i].rate.estimate, sign=False),
                mark="target" if by_layer[i].steered else "",
                note=_accuracy_note(by_layer[i].rate, by_layer[i].own),
            )
            for i in layers
        ]
        steered = ", ".join(map(str, value.layers))
        rows.append(
            (Cell(_name(value)), *numbers, Cell(steered), Cell(str(value.n_pairs)), Cell(seconds(value.seconds)))
        )
    columns = (Column("value", right=False), *(Column(str(i), full=f"layer {i}") for i in layers))
    more = (Column("steered layers", right=False), Column("pairs"), Column("time to fit"))
    remarks = [
        "Percent of texts that a logistic regression on the states of their last tokens puts on the right side, "
        f"in {min(5, *(v.n_pairs for v in study.values))}-fold cross-validation over pairs. The same yardstick for "
        "every method; framed layers are steered. Point at a number for its interval and the method's own held-out "
        "accuracy.",
    ]
    remarks += [f"Every {step}th layer is listed; the figure shows all."] if step > 1 else []
    return Section("accuracy", "Accuracy by layer", table=Table((*columns, *more), tuple(rows)), remarks=tuple(remarks))


def _accuracy_note(rate: Rate, own: float | None) -> str:
    text = f"95% interval {rate_interval(rate)}, {counted(rate.n, 'text')}"
    return text if own is None else f"{text}; the method's own: {percent(own)}"


def _cosines() -> Section:
    lead = (
        "Cosines between the directions of the values: near 1, steering one value steers the other as well; "
        "below 0, against it. Values stand in the order of the value system's circle, where it has one; boxes are "
        "its higher-order groups.",
    )
    return Section("cosines", "Directions of the values", lead=lead)


def _tokens(study: FitStudy) -> Section:
    rows = []
    for value in study.values:
        if value.tokens:
            sides = (_token_list(value.tokens.towards), _token_list(value.tokens.away))
            rows.append(cells(_name(value), str(value.tokens.layer), *sides))
    columns = (
        Column("value", right=False),
        Column("layer"),
        Column("towards the value", right=False),
        Column("away from it", right=False),
    )
    remark = (
        "The ten tokens that a direction, and its opposite, raise most through the final norm and the unembedding "
        "(ConVA's Table 3). A middle layer's direction need not have words."
    )
    return Section("tokens", "Tokens", table=Table(columns, tuple(rows)), remarks=(remark,))


def _token_list(tokens: tuple[str, ...]) -> str:
    return "  ".join(f"‘{one_line(t, TOKEN_LENGTH)}’" for t in tokens)


def _words(study: FitStudy) -> Section:
    rows = []
    for value in study.values:
        sets = [("straightforward", value.straightforward)] if value.straightforward else []
        sets.append(("controlled" if study.controlled else "straightforward", value.words))
        for kind, words in sets:
            rows.append(cells(_name(value) if kind == sets[0][0] else "", kind, *_word_cells(words)))
    columns = (
        Column("value", right=False),
        Column("pairs", right=False),
        Column("only positive", right=False),
        Column("only negative", right=False),
        Column("both", right=False),
    )
    return Section("words", "Context words", lead=_removed(study), table=Table(columns, tuple(rows)), remarks=(
        "The 25 most frequent words of each side, stop words left out (ConVA's Table 2). Words of one side only may be "
        "the value's own, or a context that a classifier learns in its place.",
    ))  # fmt: skip


def _word_cells(words: Words) -> list[str]:
    return [
        f"{len(part)}: {', '.join(one_line(w, TOKEN_LENGTH) for w in part[:WORDS_SHOWN])}" if part else "0"
        for part in (words.positive, words.negative, words.common)
    ]


def _removed(study: FitStudy) -> tuple[str, ...]:
    """How much of what tells the sides apart context control took away."""
    both = [(v.straightforward, v.words) for v in study.values if v.straightforward]
    if not both:
        return ()
    before, after = (sum(len(w.positive) + len(w.negative) for w in side) for side in zip(*both, strict=True))
    removed = (1 - after / before) if before else 0.0
    return (
        f"Words found on one side only: {before} in straightforward pairs, {after} in context-controlled ones "
        f"({percent(abs(removed))} {'fewer' if removed >= 0 else 'more'}).",
    )


def _gate(study: FitStudy) -> Section:
    rows = [
        (Cell(_name(v)), _rate_cell(v.gate.related_open), _rate_cell(v.gate.unrelated_open))
        for v in study.values
        if v.gate
    ]
    columns = (Column("value", right=False), Column("dilemmas that open it"), Column("exam questions that open it"))
    lead = (f"Scores of the gate '{one_line(study.gate, 40)}' on the value's dilemmas and on exam questions.",)
    return Section("gate", "The gate", lead=lead, table=Table(columns, tuple(rows)))


def _sizes(study: FitStudy) -> Section:
    sizes = sorted({p.pairs for v in study.values for p in v.sizes})
    rows = []
    for value in study.values:
        by_size = {p.pairs: p.rate for p in value.sizes}
        numbers = [_rate_cell(by_size[n]) if n in by_size else Cell("") for n in sizes]
        rows.append((Cell(_name(value)), Cell(str(value.size_layer)), *numbers))
    columns = (Column("value", right=False), Column("layer"), *(Column(f"{n}", full=f"{n} pairs") for n in sizes))
    remark = (
        "Percent right on the 30% of the pairs that never train, several draws a size, at the steered layer of the "
        "highest accuracy."
    )
    return Section("sizes", "Number of training pairs", table=Table(columns, tuple(rows)), remarks=(remark,))


def _control(study: FitStudy) -> Section:
    sizes = sorted({p.pairs for v in study.values for p in v.control})
    rows = []
    for value in study.values:
        by_size = {p.pairs: p.rate for p in value.control}
        rows.append((Cell(_name(value)), *(_rate_cell(by_size[n]) if n in by_size else Cell("-") for n in sizes)))
    columns = (Column("value", right=False), *(Column(f"{n}", full=f"{n} pairs") for n in sizes))
    remark = (
        "Percent of answers on the value's side, fitted again on so many pairs, at the shipped strength, without a "
        "gate, by the family's judge. '-' is a size at which the method could not be fitted."
    )
    return Section("control", "Control by number of pairs", table=Table(columns, tuple(rows)), remarks=(remark,))


def _runs(study: FitStudy) -> Section:
    columns = [Column("value", right=False)]
    columns += [Column(f"{one_line(run.name, 40)}\n{what}") for run in study.runs for what in ("CSR", "FR")]
    rows = [_run_row(study, value) for value in study.values]
    remarks = [
        f"{one_line(run.name, 60)}: {counted(run.answers, 'answer')}"
        + (f" in {seconds(run.seconds)}" if run.seconds else ", from the cache")
        for run in study.runs
        if run.answers
    ]
    return Section("runs", "Control and fluency", table=Table(tuple(columns), tuple(rows)), remarks=tuple(remarks))


def _run_row(study: FitStudy, value: ValueFit) -> tuple[Cell, ...]:
    numbers = [side.get(value.value) for run in study.runs for side in (run.csr, run.fr)]
    return (Cell(_name(value)), *(_rate_cell(one) if one else Cell("-") for one in numbers))


def _rate_cell(rate: Rate) -> Cell:
    unscored = f", {rate.unscored} unscored" if rate.unscored else ""
    return Cell(
        f"{percent(rate.estimate, sign=False)} [{rate_interval(rate)}]", note=f"{counted(rate.n, 'answer')}{unscored}"
    )
