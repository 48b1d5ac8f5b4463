"""Dilemmas to choose strengths on, and dilemmas to report on: never the same.

Where the data set marks a selection half (``split: select``, as ``mini``'s does), that half is tuned on and the
test half is reported on. Where it does not, as with the natural dilemmas and ConVA's own questions, the
items of each task and value are put in the order of the SHA-256 of their ids: the first half is tuned on, the rest
reported on. That depends on nothing but the items, so every method is tuned on the same ones.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from valuebench_harness.errors import UsageError
from valuebench_harness.harness.documents import make_documents

if TYPE_CHECKING:
    from valuebench_harness.harness.family import Family
    from valuebench_harness.harness.records import Document


@dataclass(frozen=True)
class Halves:
    """What is tuned on and what is reported on.

    Attributes:
        tuned: dilemmas only.
        reported: all documents of the run.
        foreign: tasks that lm-eval runs.
        notes: which items were split without a selection half.
    """

    tuned: tuple[Document, ...]
    reported: tuple[Document, ...]
    foreign: tuple[str, ...]
    notes: tuple[str, ...]


def make_halves(tasks: Sequence[str], family: Family, *, limit: int | None) -> Halves:
    """Splits the dilemmas of tasks.

    Args:
        tasks: names.
        family: of the model.
        limit: at most so many documents of each task and value, in either half.

    Raises:
        UsageError: no dilemmas to tune on, or too few to split.
    """
    shipped, foreign = make_documents(tasks, family, split="test", limit=limit)
    more = shipped if limit is None else make_documents(tasks, family, split="test", limit=2 * limit)[0]
    groups: dict[tuple[str, str], list[Document]] = defaultdict(list)
    for document in more:
        if document.kind == "dilemma" and document.value is not None:
            groups[document.task, document.value].append(document)
    if not groups:
        raise UsageError("--tune chooses strengths on dilemmas, and the tasks have none. Add a task with dilemmas.")
    tuned: list[Document] = []
    held_out: set[str] = set()
    split_here = []
    for (task, value), documents in groups.items():
        if task == f"{family.data.name}_{value}" and _has_selection_half(family, value):
            tuned += make_documents([task], family, split="select", limit=limit)[0]
            held_out |= {d.id for d in documents[:limit]}
            continue
        if len(documents) < 2:
            raise UsageError(f"--tune needs at least 2 dilemmas of '{value}' in {task} to split; there is 1.")
        ordered = sorted(documents, key=lambda d: hashlib.sha256(d.id.encode()).hexdigest())
        tuned += ordered[: len(ordered) // 2]
        held_out |= {d.id for d in ordered[len(ordered) // 2 :]}
        split_here.append(task)
    reported = [d for d in more if d.id in held_out]
    reported += [d for d in shipped if d.kind != "dilemma"]
    notes = (
        ("Strengths were tuned on one half of the dilemmas (by a hash of their ids) and are reported on the other.",)
        if split_here
        else ()
    )
    return Halves(tuple(tuned), tuple(reported), tuple(foreign), notes)


def _has_selection_half(family: Family, value: str) -> bool:
    return any(item.split == "select" for item in family.data.dilemmas(value, None))
