"""Strengths that were chosen on the model itself: what was taken, from what, on how many items."""

from __future__ import annotations

from collections.abc import Iterator

from valuebench_harness.harness.results import Results
from valuebench_harness.harness.settling import Matched, Trial, Tuned
from valuebench_harness.reports.cells import rate_cell
from valuebench_harness.reports.clean import one_line
from valuebench_harness.reports.numbers import percent, rate_interval
from valuebench_harness.reports.table import Cell, Column, Section, Table, cells


def settled(results: Results, *, everything: bool = False) -> Iterator[Section]:
    """What ``--tune`` or ``--match-kl`` chose; nothing where strengths were given.

    Args:
        results: of a finished run.
        everything: all that was tried as well.
    """
    if results.tuned:
        yield _tuned(results.tuned)
        if everything:
            yield _grid(results.tuned)
    if results.matched:
        yield _matched(results.matched)


def _tuned(choices: tuple[Tuned, ...]) -> Section:
    columns = (
        Column("value", right=False),
        Column("strength"),
        Column("layers"),
        Column("base"),
        Column("success"),
        Column("95%"),
        Column("items"),
        Column("tried"),
    )
    rows = []
    for choice in choices:
        taken = _taken(choice)
        rows.append(
            (
                Cell(one_line(choice.value, 24)),
                Cell(f"{choice.strength:g}"),
                Cell(_layers(choice.layers)),
                Cell(percent(choice.base.estimate, sign=False)),
                rate_cell(taken.success),
                Cell(rate_interval(taken.success)),
                *cells(str(len(choice.items)), str(len(choice.grid))),
            )
        )
    rules = "; ".join(dict.fromkeys(choice.rule for choice in choices))
    remarks = ["success: on the side aimed at and fluent; the best of several, so higher than on new items."]
    helpless = [one_line(c.value, 40) for c in choices if (_taken(c).success.estimate or 0) <= (c.base.estimate or 0)]
    if helpless:
        remarks.append(f"No strength tried did better than no steering for: {', '.join(helpless)}.")
    ends = [one_line(c.value, 40) for c in choices if c.strength == min(t.strength for t in c.grid)]
    if ends:
        remarks.append(f"The smallest strength tried was taken (a weaker one may do as well) for: {', '.join(ends)}.")
    return Section(
        "tuned",
        "Tuned strengths (success on the items tuned on, %)",
        lead=(f"Rule: {rules}. None of these items is among those reported above.",),
        table=Table(columns, tuple(rows)),
        remarks=tuple(remarks),
    )


def _grid(choices: tuple[Tuned, ...]) -> Section:
    columns = (
        Column("value", right=False),
        Column("layers"),
        Column("strength"),
        Column("success"),
        Column("95%"),
        Column("CSR"),
        Column("FR"),
        Column("n"),
    )
    rows = tuple(
        (
            Cell(one_line(choice.value, 24), mark="best" if trial == _taken(choice) else ""),
            *cells(_layers(trial.layers), f"{trial.strength:g}"),
            rate_cell(trial.success),
            Cell(rate_interval(trial.success)),
            rate_cell(trial.csr),
            rate_cell(trial.fr),
            Cell(str(trial.success.n)),
        )
        for choice in choices
        for trial in choice.grid
    )
    return Section("tuning-grid", "All that was tried (%)", table=Table(columns, rows), remarks=("* taken.",))


def _matched(choices: tuple[Matched, ...]) -> Section:
    columns = (Column("value", right=False), Column("strength"), Column("KL"), Column("asked for"), Column("tokens"))
    rows = tuple(
        cells(one_line(m.value, 24), f"{m.strength:.4g}", f"{m.kl:.4g}", f"{m.target:g}", f"{m.tokens:,}")
        for m in choices
    )
    return Section(
        "matched",
        "Strengths at equal divergence",
        lead=(
            f"KL(steered || base) of the next token in nats, the mean over {choices[0].texts} neutral texts, "
            "without a gate.",
        ),
        table=Table(columns, rows),
    )


def _taken(choice: Tuned) -> Trial:
    return next(t for t in choice.grid if (t.strength, t.layers) == (choice.strength, choice.layers))


def _layers(layers: tuple[int, ...] | None) -> str:
    return "own" if layers is None else ",".join(map(str, layers))
