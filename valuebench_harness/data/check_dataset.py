"""Checks a whole family or a user's folder: what ``vharness data check`` runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from valuebench_harness.data.checks import (
    Finding,
    check_demonstrations,
    check_dilemmas,
    check_leakage,
    check_pairs,
    check_questionnaire,
    near_duplicates,
)
from valuebench_harness.data.datasets import COMMON_PARTS, VALUE_PARTS, DataSet, Part
from valuebench_harness.data.schemas import ContrastivePair, Dilemma
from valuebench_harness.errors import UsageError

GRAMMAR_MADE = frozenset({"mini"})
"""Families whose texts come from a grammar: of them no natural wording is asked."""

NATURAL_ONLY = frozenset(
    {
        "templates",
        "duplicates",
        "vocabulary",
        "leakage",
        "scenes",
        "control",
        "context",
        "forms",
        "size",
        "options",
        "bias",
    }
)
"""Checks that ask nothing sensible of a grammar's few dozen acts: they recur in all items, so that
an act is known by its length, and the grammar's own parser, not its wording, tells them apart."""


OPTIONAL: frozenset[Part] = frozenset({"demonstrations"})
"""Parts that only some methods learn from."""


def check_dataset(dataset: DataSet, *, natural: bool | None = None) -> list[Finding]:
    """Runs every check on every value of a data set.

    A file that cannot be read is a ``problem`` of its own and does not stop the others.

    Args:
        dataset: a shipped family or a user's own.
        natural: whether the texts should read as natural language; default: all but ``mini``.

    Returns:
        Findings with ``where`` set, values in the order of the system.
    """
    natural = dataset.name not in GRAMMAR_MADE if natural is None else natural
    found: list[Finding] = []
    dilemmas: dict[str, list[Dilemma]] = {}
    for value in dataset.system.ids:
        found += _check_value(dataset, value, dilemmas)
    for part in COMMON_PARTS:
        found += _present(dataset, part, None)
    everything = [item for items in dilemmas.values() for item in items]
    if len(dilemmas) > 1:
        found += _across_values(everything)
    return found if natural else [f for f in found if f.check not in NATURAL_ONLY]


def _check_value(dataset: DataSet, value: str, dilemmas: dict[str, list[Dilemma]]) -> list[Finding]:
    """Checks one value; its dilemmas are added to ``dilemmas`` where they can be read."""
    found: list[Finding] = []
    readable: set[Part] = set()
    for part in VALUE_PARTS:
        if part in OPTIONAL and not dataset.has(part, value):
            continue
        presence = _present(dataset, part, value)
        found += presence
        if all(f.level == "ok" for f in presence):
            readable.add(part)
    items = dataset.dilemmas(value, None) if "dilemmas" in readable else []
    controlled = dataset.pairs(value) if "pairs" in readable else []
    straightforward = dataset.pairs(value, controlled=False) if "pairs_straightforward" in readable else []
    if items:
        dilemmas[value] = items
        found += _at(f"{value}/dilemmas", check_dilemmas(items))
    if controlled:
        found += _at(f"{value}/pairs", check_pairs(controlled, controlled=True))
    if straightforward:
        found += _at(f"{value}/pairs_straightforward", check_pairs(straightforward, controlled=False))
    if "questionnaire" in readable:
        found += _at(f"{value}/questionnaire", check_questionnaire(dataset.questionnaire(value)))
    training = _texts([*controlled, *straightforward])
    if "demonstrations" in readable:
        demonstrations = dataset.demonstrations(value)
        found += _at(f"{value}/demonstrations", check_demonstrations(demonstrations))
        training += [text for item in demonstrations for text in (item.prompt, item.answer)]
    if items and training:
        found += _at(f"{value}/dilemmas", [check_leakage(training, [item.question for item in items])])
    return found


def _present(dataset: DataSet, part: Part, value: str | None) -> list[Finding]:
    """Is the file of a part there, and can it be read?"""
    where = part if value is None else f"{value}/{part}"
    if not dataset.has(part, value):
        return [Finding("present", "missing", f"no {dataset.path(part, value)}", where)]
    try:
        return [Finding("present", "ok", f"{dataset.count(part, value)} items", where)]
    except UsageError as error:
        return [Finding("readable", "problem", str(error), where)]


def _across_values(items: Sequence[Dilemma]) -> list[Finding]:
    repeated = [name for name, n in Counter(item.id for item in items).items() if n > 1]
    pairs = [(items[i].id, items[j].id) for i, j in near_duplicates([item.question for item in items])]
    return [
        Finding(
            "ids", "problem" if repeated else "ok", f"{len(repeated)} ids in two values {repeated[:3]}", "dilemmas"
        ),
        Finding("duplicates", "problem" if pairs else "ok", f"{len(pairs)} near-duplicates {pairs[:3]}", "dilemmas"),
    ]


def _texts(pairs: Sequence[ContrastivePair]) -> list[str]:
    return [text for pair in pairs for text in (pair.positive, pair.negative)]


def _at(where: str, findings: Sequence[Finding]) -> list[Finding]:
    return [replace(finding, where=where) for finding in findings]
