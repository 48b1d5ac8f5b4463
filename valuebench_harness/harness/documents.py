"""From task names to the documents a run asks.

Built-in tasks, ``{family}`` being ``mini``, ``schwartz`` or a user's own value system:

- ``{family}``, ``{family}_{value}``: dilemmas;
- ``{family}_questionnaire``: statements to agree with;
- ``{family}_exam``, ``mmlu_value_unrelated``, ``mmlu_{subject}``: four-choice questions;
- ``conva``, ``conva_{value}``: ConVA's own open questions;
- ``valuebench``, ``valuebench_{value}``: ValueBench's items.

Any other name is left to lm-eval (:mod:`.lm_eval_tasks`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from valuebench_harness.data import conva, mmlu, sources, valuebench
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.family import MINI, Family
from valuebench_harness.harness.records import Document
from valuebench_harness.tasks import prompts

if TYPE_CHECKING:
    from valuebench_harness.data.datasets import DataSet, Split
    from valuebench_harness.data.schemas import Dilemma, ExamItem, OpenQuestion, QuestionnaireItem

Maker = Callable[[str], list[Document]]


def default_tasks(family: Family) -> tuple[list[str], list[str]]:
    """The tasks of a family and notes on what is left out because its data is not at hand."""
    name, notes = family.data.name, []
    tasks = [name]
    if any(family.data.has("questionnaire", v) for v in family.data.system.ids):
        tasks.append(f"{name}_questionnaire")
    if family.data.has("exam"):
        tasks.append(f"{name}_exam")
    elif sources.find("mmlu") is not None:
        tasks.append("mmlu_value_unrelated")
    else:
        notes.append(
            "MMLU is not at hand, so capability was not measured: "
            "'vharness data pull mmlu', or set VHARNESS_DATA_DIR to a folder that holds it."
        )
    return tasks, notes


def make_documents(
    tasks: Iterable[str], family: Family, *, split: Split, limit: int | None
) -> tuple[list[Document], list[str]]:
    """Documents of the built-in tasks among ``tasks``, and the names that are none.

    Args:
        tasks: names; a document that two of them hold is asked once.
        family: of the model.
        split: half of the dilemmas.
        limit: at most so many documents of each task and value.

    Raises:
        UsageError: for a task whose data is missing or malformed.
    """
    documents: dict[str, Document] = {}
    foreign: list[str] = []
    for task in tasks:
        maker = _maker(task, family, split)
        if maker is None:
            foreign.append(task)
            continue
        for document in _limited(maker(task), limit):
            documents.setdefault(document.id, document)
    return list(documents.values()), foreign


def built_in_tasks(family: Family) -> list[tuple[str, str]]:
    """Names and descriptions of the built-in tasks around a family."""
    name = family.data.name
    rows = [
        (name, f"dilemmas of all values of '{name}'"),
        (f"{name}_{{value}}", "dilemmas of one value"),
        (f"{name}_questionnaire", "statements for and against each value"),
        (f"{name}_exam", "four-choice questions about facts"),
        ("mmlu_value_unrelated", "the four MMLU subjects that ConVA reports"),
        ("mmlu_{subject}", "any of MMLU's 57 subjects"),
        ("valuebench", "ValueBench's items of the values with 20 or more"),
        ("valuebench_{value}", "ValueBench's items of one value"),
        ("conva", "ConVA's own open questions, all values"),
        ("conva_{value}", "ConVA's own open questions of one value"),
    ]
    return [r for r in rows if not (r[0] == f"{name}_exam" and not family.data.has("exam"))]


def _maker(task: str, family: Family, split: Split) -> Maker | None:
    data = family.data
    own = data.name.lower()
    head, tail = _split(task.lower(), own)
    makers: dict[tuple[str, str], Maker] = {
        (own, ""): lambda _: [d for v in data.system.ids for d in _dilemmas(data.dilemmas(v, split), data)],
        (own, "questionnaire"): lambda t: [
            d
            for v in data.system.ids
            if data.has("questionnaire", v)
            for d in _questionnaire(data.questionnaire(v), t, data.system.name)
        ],
        (own, "exam"): lambda t: _exam(data.exam(), t),
        ("mmlu", "value_unrelated"): lambda t: [d for s in mmlu.VALUE_UNRELATED for d in _exam(mmlu.subject(s), t)],
        ("valuebench", ""): lambda _: [
            d
            for v in valuebench.values()
            for d in _questionnaire(valuebench.questionnaire(v), "valuebench", "valuebench")
        ],
        ("conva", ""): lambda _: [d for v in data.system.ids for d in _open(conva.questions(v), data)],
    }
    if (head, tail) in makers:
        return makers[head, tail]
    if head == own and tail in data.system:
        return lambda _: _dilemmas(data.dilemmas(tail, split), data)
    if head == "mmlu" and tail:
        return lambda t: _exam(mmlu.subject(tail), t)
    if head == "valuebench" and tail:
        return lambda _: _questionnaire(valuebench.questionnaire(tail), "valuebench", "valuebench")
    if head == "conva" and tail:
        return lambda _: _open(conva.questions(tail), data)
    if head in {"mini", "schwartz"} and head != own:
        other = "vharness eval --model mini" if head == "mini" else "a model other than mini"
        raise UsageError(f"Task '{task}' belongs to another family than '{data.name}'; it is for {other}.")
    return None


def _split(task: str, family: str) -> tuple[str, str]:
    if task == family or task.startswith(f"{family}_"):
        return family, task[len(family) + 1 :]  # a family's own name may hold underscores
    head, _, tail = task.partition("_")
    return head, tail


def _limited(documents: list[Document], limit: int | None) -> list[Document]:
    if limit is None:
        return documents
    taken: dict[tuple[str | None, str], int] = {}
    out = []
    for d in documents:
        group = (d.value, "" if d.value else d.scene or "")
        taken[group] = taken.get(group, 0) + 1
        if taken[group] <= limit:
            out.append(d)
    return out


def _dilemmas(items: Iterable[Dilemma], data: DataSet) -> list[Document]:
    return [
        Document(
            id=d.id,
            task=f"{data.name}_{d.value}",
            kind="dilemma",
            system=data.system.name,
            value=d.value,
            scene=d.scene,
            text=prompts.dilemma(d),
            options=d.options,
            favours=d.favours,
            yes=d.yes,
        )
        for d in items
    ]


def _open(items: Iterable[OpenQuestion], data: DataSet) -> list[Document]:
    return [
        Document(
            id=q.id, task=f"conva_{q.value}", kind="dilemma", system=data.system.name, value=q.value, text=q.question
        )
        for q in items
    ]


def _questionnaire(items: Iterable[QuestionnaireItem], task: str, system: str) -> list[Document]:
    return [
        Document(
            id=q.id,
            task=task,
            kind="questionnaire",
            system=system,
            value=q.value,
            # A grammar's own questions say how to answer; natural ones get the request added.
            text=q.question if task.startswith(MINI) else prompts.questionnaire(q),
            agreement=q.agreement,
        )
        for q in items
    ]


def _exam(items: Iterable[ExamItem], task: str) -> list[Document]:
    return [
        Document(
            id=e.id, task=task, kind="exam", scene=e.subject, text=prompts.exam(e), options=e.choices, answer=e.answer
        )
        for e in items
    ]
