"""The report of ``vharness causal score``: tables as text, Markdown and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from valuebench_harness.causal.answers import AnswerConsistency
from valuebench_harness.causal.choices import Moved
from valuebench_harness.causal.effects import Effects
from valuebench_harness.causal.estimates import Estimate
from valuebench_harness.causal.score import GraphEffects, Score
from valuebench_harness.reports.causal_discover import left_out
from valuebench_harness.reports.clean import one_line
from valuebench_harness.reports.markdown import sections_markdown
from valuebench_harness.reports.numbers import NONE, p_text, percent, rate_interval
from valuebench_harness.reports.table import Cell, Column, Section, Table, cells
from valuebench_harness.reports.text import sections_text

TITLE = "What the settings move, and what the graph foretells of it"
NAME_LENGTH = 24
STEERINGS = {"prompt": "roles", "sae": "settings"}


def score_text(score: Score) -> str:
    """For a terminal."""
    return sections_text(score_sections(score))


def score_markdown(score: Score) -> str:
    """GitHub's Markdown."""
    return sections_markdown(TITLE, score_sections(score))


def score_csv(score: Score) -> str:
    """One row a setting and value."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    parts = ("stimulated", "suppressed", "maintained", "roles")
    writer.writerow(
        ["setting", "value", "cosine", "cosine_low", "cosine_high", "noise"]
        + [f"{table}_{part}" for table in ("train", "test") for part in parts]
    )
    for setting, row in score.steering_table.items():
        for value, cell in row.items():
            numbers = [getattr(side, part) for side in (cell.train, cell.test) for part in parts]
            writer.writerow(
                [setting, value, cell.cosine.estimate, cell.cosine.low, cell.cosine.high, cell.noise, *numbers]
            )
    return out.getvalue()


def score_sections(score: Score) -> Iterator[Section]:
    """The parts of the report."""
    yield _foretold(score)
    yield _changed(score)
    yield _steering(score)
    yield _choices(score)
    if score.answers is not None:
        yield _answers(score.answers)


def number(x: float | None) -> str:
    """Two places, as the paper prints."""
    return NONE if x is None else f"{x:.2f}"


def with_interval(estimate: Estimate) -> str:
    """``0.69 [0.63, 0.73]``"""
    if estimate.low is None or estimate.high is None:
        return number(estimate.estimate)
    return f"{number(estimate.estimate)} [{number(estimate.low)}, {number(estimate.high)}]"


def _foretold(score: Score) -> Section:
    columns = (
        Column("graph", right=False),
        Column("steered by", right=False),
        Column("expected"),
        Column("unexpected"),
        Column("gap"),
        Column("p"),
    )
    graphs = {"this graph": score.effects, **score.references}
    rows = [
        _effect_row(one_line(name, NAME_LENGTH), steering, getattr(effects, kind))
        for name, effects in graphs.items()
        for kind, steering in STEERINGS.items()
    ]
    origin = score.graph.about.get("source", "file")
    method = score.graph.about.get("method")
    made = f"found by {method} in {one_line(str(origin), 80)}" if method else "given"
    return Section(
        "effects",
        "Does the graph foretell what moves along?",
        (
            f"The graph ({len(score.graph.edges)} edges, {int(score.graph.reach.sum())} pairs connected by a path) "
            f"is {made}. How often did values change along that it says should (expected), and others (unexpected)?",
        ),
        Table(columns, tuple(rows)),
        (*left_out(score.graph.about), *_remarks(score.effects)),
    )


def _effect_row(name: str, steering: str, effects: Effects) -> tuple[Cell, ...]:
    unclear = effects.permutation_p is None or effects.permutation_p >= 0.05
    return (
        *cells(name, steering, with_interval(effects.expected), with_interval(effects.unexpected)),
        Cell(with_interval(effects.gap)),
        Cell(p_text(effects.permutation_p), mark="unclear" if unclear else ""),
    )


def _remarks(effects: GraphEffects) -> tuple[str, ...]:
    return (
        "In brackets: 95% bootstrap intervals over "
        f"{effects.prompt.expected.n} roles and {effects.sae.expected.n} settings or roles, whichever are fewer. "
        "p: how often a graph with the same shape but shuffled values has as large a gap (one-sided).",
        f"Changes by role prompts are against {one_line(effects.prompt.against, 60)}; "
        f"by settings against {one_line(effects.sae.against, 60)}.",
    )


def _changed(score: Score) -> Section:
    rows = [
        (
            *cells(steering, str(effects.steerings), with_interval(effects.changed_values)),
            Cell(f"{sum(e.steerings for e in effects.by_value.values()) / len(score.values):.1f}"),
        )
        for kind, steering in STEERINGS.items()
        for effects in (getattr(score.effects, kind),)
    ]
    columns = (
        Column("steered by", right=False),
        Column("steerings"),
        Column(f"values changed by one (of {len(score.values)})"),
        Column("steerings that change a value"),
    )
    remark = "Kang reports the last column (Gemma: 14.6 and 4.3) as the number of steered values; the third is that."
    return Section("changed", "How much one steering changes", (), Table(columns, tuple(rows)), (remark,))


def _choices(score: Score) -> Section:
    aimed = any(c.aimed_up or c.aimed_down for c in score.choices.values())
    columns = [Column("value", right=False), Column("raising", right=False), Column("+/-")]
    columns += [Column("lowering", right=False), Column("+/-")]
    columns += [Column("aimed up\n+/-"), Column("aimed down\n+/-")] if aimed else []
    rows = []
    for value, choice in score.choices.items():
        row = [one_line(value, NAME_LENGTH)]
        for moved in (choice.raising, choice.lowering):
            row += [one_line(moved.settings[0], NAME_LENGTH), _up_down(moved)]
        rows.append(cells(*row, *((_up_down(choice.aimed_up), _up_down(choice.aimed_down)) if aimed else ())))
    return Section(
        "choices",
        "Each value's best settings, chosen in training (Kang's Table 3)",
        ("+/-: percent of the test roles whose orientation rose and fell.",),
        Table(tuple(columns), tuple(rows)),
    )


def _up_down(moved: Moved | None) -> str:
    if moved is None or moved.test.stimulated is None:
        return NONE
    return f"{percent(moved.test.stimulated, sign=False)}/{percent(moved.test.suppressed, sign=False)}"


def _answers(answers: AnswerConsistency) -> Section:
    both = answers.thought_answer
    parts = [("changes of a question against most of its value", answers.inverse)]
    if both is not None:
        parts = [
            ("thought and answer differ, unsteered (Table 2)", both.before),
            ("thought and answer differ, steered", both.after),
            *parts,
        ]
    rows = tuple(
        cells(name, percent(found.estimate), rate_interval(found), str(found.n), str(found.unscored))
        for name, found in parts
    )
    columns = (
        Column("of single answers", right=False),
        Column("share"),
        Column("95% interval"),
        Column("n"),
        Column("unscored"),
    )
    lead = (f"From {answers.answers:,} test answers.",)
    return Section("answers", "Are answers consistent? (Kang, Section 3.3)", lead, Table(columns, rows))


def _steering(score: Score) -> Section:
    columns = (
        Column("setting", right=False),
        *(Column(one_line(value, NAME_LENGTH).replace(" ", "\n")) for value in score.values),
        Column("mean"),
    )
    rows = [
        (
            Cell(one_line(setting, NAME_LENGTH)),
            *(Cell(number(cell.cosine.estimate)) for cell in row.values()),
            Cell(number(score.mean_similarity[setting].estimate)),
        )
        for setting, row in score.steering_table.items()
    ]
    noise = (Cell("noise ratio"), *(Cell(number(score.noise_ratio[v])) for v in score.values), Cell(""))
    return Section(
        "steering",
        "Do settings move the same values on other roles and questions? (Kang's Tables 1, 4, 5)",
        (
            "Cosine between the shares of roles stimulated, suppressed and maintained in training "
            f"({score.train_roles} roles) and test ({score.test_roles} roles, other questions).",
        ),
        Table(columns, (*rows, noise), total=True, foldable=True),
        (
            "Noise ratio: the smaller of stimulated and suppressed, mean over the settings; low where settings move "
            "a value one way. Intervals of all cells: --format json or csv.",
        ),
    )
