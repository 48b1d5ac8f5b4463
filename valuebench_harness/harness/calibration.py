"""How good is a run's judge, and what would its numbers be with human labels?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from valuebench_harness.errors import UsageError
from valuebench_harness.harness.label_sample import KINDS, Judged, judged_answers, training_texts
from valuebench_harness.harness.records import BASE, Record
from valuebench_harness.harness.run import Run
from valuebench_harness.judges.base import LABELS, JudgeItem, Question
from valuebench_harness.judges.labels import Labels, item_id
from valuebench_harness.metrics.confusion import Agreement, Estimate, agreement
from valuebench_harness.metrics.ppi import CorrectedRate, Opinions, corrected_change, corrected_rate, labels_needed
from valuebench_harness.metrics.rates import Rate, rate
from valuebench_harness.metrics.reliability import Reliability, reliability

if TYPE_CHECKING:
    from valuebench_harness.data.datasets import DataSet

WIDTH = 0.1
"""Whole width of the interval for which the number of labels is planned: five points either way."""
FEW = 30
"""Labels below which a calibration is told to be rough."""


class GroupRate(Record):
    """One number of the run in the eyes of judge and people.

    Attributes:
        group: ``base``, or method and level.
        raters: the rate by rater, over what each labelled (ConVA, Table 4).
        corrected: what people would say of all answers.
        change: of the corrected rate against the base's; ``None`` for the base itself.
        needed: labels for an interval of the width asked for; ``None`` where the answers are too few for it, or nothing
            is known yet.
    """

    group: str
    raters: dict[str, Rate]
    corrected: CorrectedRate
    change: Estimate | None = None
    needed: int | None


class QuestionCalibration(Record):
    """One question of the judge.

    Attributes:
        asks: which.
        judge: against the raters' majority (ConVA, Table 15).
        reliability: between raters.
        pairs: Cohen's kappa of each pair of raters, by ``A / B``.
        rates: by group, where the question has a side: control success, fluency.
        labelled: answers with a majority.
        split: answers on which raters are split evenly; they are left out.
    """

    asks: Question
    judge: Agreement
    reliability: Reliability
    pairs: dict[str, Estimate]
    rates: tuple[GroupRate, ...] = ()
    labelled: int
    split: int


class Calibration(Record):
    """A judge held against people.

    Attributes:
        subject: the run's folder, or the data set of the training texts.
        judge: identity of the judge, or what the texts were written for.
        raters: names.
        width: of the interval that labels are planned for.
        questions: by question.
        notes: what weakens the numbers.
    """

    subject: str
    judge: str
    raters: tuple[str, ...]
    width: float
    questions: tuple[QuestionCalibration, ...]
    notes: tuple[str, ...] = ()


def calibrate(run: Run, labels: Labels, *, width: float = WIDTH) -> Calibration:
    """Holds a run's judge against labels.

    Args:
        run: with verdicts.
        labels: of raters, on sheets that were drawn from this run.
        width: whole width of the interval that labels are planned for.

    Raises:
        UsageError: for labels on items that this run does not hold, or a run without verdicts.
    """
    kinds = {kind for kind, asked in KINDS.items() if any(asks in labels.given for asks in asked)}
    if not kinds:
        raise UsageError(
            f"The sheets label {', '.join(labels.given)}, which no answer of a run is asked; "
            "for training texts name the data set instead of the run."
        )
    found = [
        (asks, judged_answers(run, kind)) for kind in sorted(kinds) for asks in KINDS[kind] if asks in labels.given
    ]
    labels.check_ids({j.id for _, judged in found for j in judged}, str(run.folder))
    questions = [_question(asks, judged, labels, width) for asks, judged in found]
    return Calibration(
        subject=str(run.folder),
        judge=run.info.judge,
        raters=labels.raters,
        width=width,
        questions=tuple(questions),
        notes=tuple(_notes(questions, labels)),
    )


def calibrate_texts(data: DataSet, labels: Labels) -> Calibration:
    """Holds training texts against labels: do they show the value they were written for, or its opposite?

    Raises:
        UsageError: for labels on other texts, or none on texts at all.
    """
    given = labels.given.get("shows")
    if not given:
        raise UsageError("The sheets have no labels in a column 'shows', which training texts are rated by.")
    written = {text_id(value, text): (side, value) for value, text, side in training_texts(data, data.system.ids)}
    labels.check_ids(set(written), f"the training texts of '{data.name}'")
    decided = {name: found for name in given if (found := labels.majority("shows", name))}
    question = QuestionCalibration(
        asks="shows",
        judge=agreement(list(decided.values()), [written[name][0] for name in decided], LABELS["shows"], list(decided)),
        reliability=reliability(list(given.values()), LABELS["shows"], list(given)),
        pairs=_rater_pairs(given, labels.raters, LABELS["shows"], {name: name for name in given}),
        labelled=len(decided),
        split=len(given) - len(decided),
    )
    return Calibration(
        subject=data.name,
        judge="the side that each text was written for",
        raters=labels.raters,
        width=WIDTH,
        questions=(question,),
        notes=tuple(_notes([question], labels)),
    )


def text_id(value: str, text: str) -> str:
    """Name of a training text on a sheet."""
    return item_id(JudgeItem(asks="shows", prompt="", answer=text, value=value))


def _question(asks: Question, judged: Sequence[Judged], labels: Labels, width: float) -> QuestionCalibration:
    given = labels.given[asks]
    verdicts = {j.id: j.answer.verdicts[asks].label for j in judged if asks in j.answer.verdicts}
    if not verdicts:
        raise UsageError(f"The run has no verdicts on '{asks}': judge it first with 'vharness judge rescore'.")
    decided = {name: found for name in given if name in verdicts and (found := labels.majority(asks, name))}
    documents = {j.id: j.answer.document.id for j in judged}
    groups: dict[str, list[Judged]] = defaultdict(list)
    for j in judged:
        groups[j.group].append(j)
    return QuestionCalibration(
        asks=asks,
        judge=agreement(
            list(decided.values()),
            [verdicts[name] for name in decided],
            LABELS[asks],
            [documents[name] for name in decided],
        ),
        reliability=reliability(list(given.values()), LABELS[asks], [documents.get(name, name) for name in given]),
        pairs=_rater_pairs(given, labels.raters, LABELS[asks], documents),
        rates=() if asks == "stance" else tuple(_rates(asks, groups, labels, width)),
        labelled=len(decided),
        split=sum(name in verdicts for name in given) - len(decided),
    )


def _rates(asks: Question, groups: Mapping[str, Sequence[Judged]], labels: Labels, width: float) -> Iterator[GroupRate]:
    """The rate of each group, against the base's where the run has one."""
    opinions = {name: _opinions(asks, judged, labels) for name, judged in groups.items()}
    for name, judged in groups.items():
        corrected = corrected_rate(opinions[name])
        yield GroupRate(
            group=name,
            raters=_by_rater(asks, judged, labels),
            corrected=corrected,
            change=None
            if name == BASE.id or BASE.id not in opinions
            else corrected_change(opinions[BASE.id], opinions[name]),
            needed=labels_needed(corrected, width),
        )


def _opinions(asks: Question, judged: Sequence[Judged], labels: Labels) -> list[Opinions]:
    """What judge and people say of a group's answers; those that the judge left unscored are left out."""
    out = []
    for j in judged:
        verdict = j.answer.verdicts.get(asks)
        if verdict is None or verdict.label is None:
            continue
        said = labels.majority(asks, j.id)
        out.append(
            Opinions(
                item=j.answer.document.id,
                text=j.id,
                judge=_hit(asks, verdict.label, j.aim),
                people=None if said is None else _hit(asks, said, j.aim),
            )
        )
    return out


def _by_rater(asks: Question, judged: Sequence[Judged], labels: Labels) -> dict[str, Rate]:
    """The rate of a group by rater, over what each labelled."""
    found: dict[str, list[tuple[bool, str]]] = {rater: [] for rater in labels.raters}
    for j in judged:
        for rater, label in labels.given[asks].get(j.id, {}).items():
            found[rater].append((_hit(asks, label, j.aim), j.answer.document.id))
    return {rater: rate([hit for hit, _ in rows], [d for _, d in rows]) for rater, rows in found.items()}


def _hit(asks: Question, label: str, aim: int) -> bool:
    """Whether a label counts: fluent, or on the side aimed at."""
    return label == "fluent" if asks == "fr" else (label == "yes") == (aim > 0)


def _rater_pairs(
    given: Mapping[str, Mapping[str, str]], raters: Sequence[str], allowed: Sequence[str], clusters: Mapping[str, str]
) -> dict[str, Estimate]:
    out = {}
    for first, second in combinations(raters, 2):
        both = [(name, found[first], found[second]) for name, found in given.items() if {first, second} <= set(found)]
        names, one, other = ([row[k] for row in both] for k in range(3))
        out[f"{first} / {second}"] = agreement(one, other, allowed, [clusters.get(name, name) for name in names]).kappa
    return out


def _notes(questions: Sequence[QuestionCalibration], labels: Labels) -> list[str]:
    out = []
    for q in questions:
        if q.labelled < FEW:
            found = f"{q.labelled or 'no'} labelled item{'' if q.labelled == 1 else 's'}"
            out.append(f"{q.asks}: {found}; intervals of fewer than {FEW} are rough.")
        if q.split:
            out.append(f"{q.asks}: on {q.split} items raters are split evenly; they are left out.")
        if len(labels.raters) > 1 and q.reliability.alpha_items == 0:
            out.append(f"{q.asks}: no item was labelled by two raters, so their agreement is undefined.")
    return out
