"""What is compared: one outcome for each answer, by metric and item, with a digest of what was asked.

A run and a stored baseline are read into the same form, so that both are compared by the same code.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from statistics import fmean

from pydantic import JsonValue

from valuebench_harness.harness.config import HOW_NOT_WHAT, RunConfig
from valuebench_harness.harness.family import family_of
from valuebench_harness.harness.records import BASE, Condition, Document, Record
from valuebench_harness.harness.run import Answer, Run
from valuebench_harness.metrics.consistency import orientation

METRIC_IDS = ("csr", "fr", "success", "exam", "consistency", "side_effects")

SHARES = frozenset({"csr", "fr", "success", "exam"})
"""Metrics that are a share of answers; the others are computed from changes of items."""

Outcomes = dict[str, list[float | None]]
"""Item to the outcomes of its answers; ``None`` is unscored."""


class Observations(Record):
    """A run's outcomes.

    Attributes:
        model: name of the model.
        revision: what identifies its weights: the commit, or the fingerprint where there is none.
        identity: the keys of the configuration that say what was measured.
        questions: document id to the digest of what was asked.
        outcomes: metric to item to outcomes. An item is ``condition|document``: for shares 1 or 0 an answer;
            for ``consistency`` +1, -1 or 0 (moved the way aimed at, against it, not at all); for
            ``side_effects`` the change of the favour rate, the condition being ``+steered>other``. Documents of
            another value system than the one steered have no part in them, as in the run's own numbers.
        judge: identity of the judge.
    """

    model: str
    revision: str
    identity: dict[str, JsonValue]
    questions: dict[str, str]
    outcomes: dict[str, Outcomes]
    judge: str


def observe(run: Run, *, base: bool = False) -> Observations:
    """The outcomes of a finished run.

    Args:
        run: to read.
        base: what the unsteered model said to the same items instead, judged by the same aim; the metrics
            that are changes from the base are left out then.
    """
    config = run.info.config
    facts = run.info.model
    return Observations(
        model=config.model,
        revision=str(facts.get("commit") or facts.get("fingerprint") or ""),
        identity=identity(config),
        questions={d.id: digest(d) for d in run.documents.values()},
        outcomes=_outcomes(own_answers(run), base=base),
        judge=run.info.judge,
    )


def own_answers(run: Run) -> Iterator[Answer]:
    """Answers to the exam and to the value system that is steered; another's may have values of the same names."""
    system = _system(run)
    return (answer for answer in run.answers() if answer.document.system in ("", system))


def _system(run: Run) -> str:
    """Name of the value system that is steered.

    All dilemmas are of that system, so a run that holds some is read without the file that defines it.
    """
    found = {d.system for d in run.documents.values() if d.kind == "dilemma"}
    return found.pop() if len(found) == 1 else family_of(run.info.config).data.system.name


INCIDENTAL = HOW_NOT_WHAT | {
    "revision",
    "dtype",
    "device_map",
    "quantization",
    "trust_remote_code",
    "blocks",
    "include_path",
}
"""Keys of the configuration that two runs may differ in and still measure the same thing."""


def identity(config: RunConfig) -> dict[str, JsonValue]:
    """The keys of a configuration that say what is measured."""
    found: dict[str, JsonValue] = config.model_dump(mode="json", exclude=set(INCIDENTAL))
    return found


def digest(document: Document) -> str:
    """What identifies a question and its right answers, eight hex digits."""
    data = document.model_dump(mode="json", exclude={"id", "task", "scene"})
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:8]


def condition_key(condition: Condition) -> str:
    """A condition by what it aims at, so that those of two methods, or of two strengths, can be paired."""
    mark = "+" if condition.sign > 0 else "-"
    return f"{mark}{condition.value}" + (f"#{condition.level}" if condition.level else "")


def group_of(item: str) -> str:
    """The condition of an item; of side effects with the value that was measured."""
    return item.partition("|")[0]


def document_of(item: str) -> str:
    """The document of an item."""
    return item.partition("|")[2]


def _outcomes(answers: Iterable[Answer], *, base: bool) -> dict[str, Outcomes]:
    found: dict[str, Outcomes] = {metric: {} for metric in METRIC_IDS}
    unsteered: dict[str, list[Answer]] = defaultdict(list)
    steered: dict[tuple[str, str], list[Answer]] = defaultdict(list)
    for answer in answers:
        if answer.condition.id == BASE.id:
            unsteered[answer.document.id].append(answer)
        elif not answer.condition.is_twin:
            steered[answer.condition.id, answer.document.id].append(answer)
    for (_, name), after in steered.items():
        condition, document, before = after[0].condition, after[0].document, unsteered[name]
        mine = before if base else after
        key, aim = condition_key(condition), condition.aim(document.value)
        item = f"{key}|{name}"
        if document.kind == "exam":
            found["exam"][item] = [_number(_right(a)) for a in mine]
        elif document.kind == "dilemma" and document.value in condition.targets:
            sides = [_number(_on_side(a, aim)) for a in mine]
            found["csr"][item] = sides
            found["fr"][item] = [_number(_fluent(a)) for a in mine]
            found["success"][item] = [float(s == 1 and _fluent(a) is True) for s, a in zip(sides, mine, strict=True)]
        elif base:
            continue
        elif document.kind == "dilemma":
            found["side_effects"][f"{key}>{document.value}|{name}"] = [_favour_change(before, after)]
        elif document.kind == "questionnaire" and document.value in condition.targets:
            found["consistency"][item] = [_moved(b, a, aim) for b, a in zip(before, after, strict=False)]
    return {metric: outcomes for metric, outcomes in found.items() if outcomes}


def _on_side(answer: Answer, aim: int) -> bool | None:
    favours = _favours(answer)
    return None if favours is None else (favours == 1) == (aim > 0)


def _number(outcome: bool | None) -> float | None:
    return None if outcome is None else float(outcome)


def _right(answer: Answer) -> bool | None:
    choice = answer.sample.choice
    return None if choice is None else choice == answer.document.answer


def _fluent(answer: Answer) -> bool | None:
    verdict = answer.verdicts.get("fr")
    return None if verdict is None or verdict.label is None else verdict.label == "fluent"


def _favours(answer: Answer) -> float | None:
    verdict = answer.verdicts.get("csr")
    return None if verdict is None or verdict.label is None else float(verdict.label == "yes")


def _favour_change(before: Iterable[Answer], after: Iterable[Answer]) -> float | None:
    first = [x for x in map(_favours, before) if x is not None]
    second = [x for x in map(_favours, after) if x is not None]
    return fmean(second) - fmean(first) if first and second else None


def _moved(before: Answer, after: Answer, sign: int) -> float | None:
    first, second = _orientation(before), _orientation(after)
    if first is None or second is None:
        return None
    change = (second - first) * sign
    return float((change > 0) - (change < 0))


def _orientation(answer: Answer) -> int | None:
    verdict, agreement = answer.verdicts.get("stance"), answer.document.agreement
    return orientation(verdict.label, agreement) if verdict is not None and agreement is not None else None


def select(outcomes: Mapping[str, list[float | None]], items: Iterable[str]) -> Outcomes:
    """The outcomes of some items, in their order."""
    return {item: outcomes[item] for item in items}
