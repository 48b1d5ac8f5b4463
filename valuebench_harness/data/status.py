"""What data there is and how to get the rest: the records behind ``vharness data ls``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from valuebench_harness.data import conva, mmlu, valuebench
from valuebench_harness.data.datasets import COMMON_PARTS, SHIPPED_DATASETS, VALUE_PARTS, load_dataset
from valuebench_harness.data.pull import read_record
from valuebench_harness.data.sources import SOURCES, Source, find, how_to_get
from valuebench_harness.data.values import load_value_system
from valuebench_harness.errors import UsageError

_SHIPPED_LICENCE = "CC BY 4.0"


@dataclass(frozen=True)
class DataStatus:
    """One data set.

    Attributes:
        name: name on the command line.
        present: whether it can be used.
        items: counts by part, such as ``{"dilemmas": 1000}``; empty where it is not at hand.
        where: its folder, ``None`` where it is not at hand.
        licence: licence of the texts.
        repository: where it comes from; empty for what is shipped.
        commit: commit that was pulled; ``None`` where the files came another way.
        note: how to get it, or what is wrong with it; empty where all is well.
    """

    name: str
    present: bool
    items: dict[str, int]
    where: Path | None
    licence: str
    repository: str = ""
    commit: str | None = None
    note: str = ""


def data_status() -> list[DataStatus]:
    """Every data set that the harness knows, the shipped ones first."""
    return [*map(_shipped, SHIPPED_DATASETS), *map(_real, SOURCES.values())]


def _shipped(name: str) -> DataStatus:
    dataset = load_dataset(name)
    counts: dict[str, int] = {}
    problem = ""
    for part in VALUE_PARTS:
        for value in dataset.system.ids:
            if dataset.has(part, value):
                try:
                    counts[part] = counts.get(part, 0) + dataset.count(part, value)
                except UsageError as error:
                    problem = problem or str(error)
    for part in COMMON_PARTS:
        if dataset.has(part):
            try:
                counts[part] = dataset.count(part)
            except UsageError as error:
                problem = problem or str(error)
    return DataStatus(name, bool(counts) and not problem, counts, dataset.root, _SHIPPED_LICENCE, note=problem)


def _real(source: Source) -> DataStatus:
    try:
        folder = find(source.name)
        if folder is None:
            return _absent(source, how_to_get(source))
        commits = {str(entry.get("commit")) for entry in read_record(folder).get("files", {}).values()}
        return DataStatus(
            source.name,
            True,
            _COUNTERS[source.name](folder),
            folder,
            source.licence,
            source.repository,
            ", ".join(sorted(commits)) or None,
        )
    except UsageError as error:
        return _absent(source, str(error))


def _absent(source: Source, note: str) -> DataStatus:
    return DataStatus(source.name, False, {}, None, source.licence, source.repository, note=note)


def _count_valuebench(folder: Path) -> dict[str, int]:
    return {"questionnaire": len(valuebench.items(folder)), "values": len(valuebench.values(folder, min_items=1))}


def _count_mmlu(folder: Path) -> dict[str, int]:
    names = mmlu.subjects(folder)
    return {"subjects": len(names), "test": sum(len(mmlu.subject(name, "test", folder)) for name in names)}


def _count_conva(folder: Path) -> dict[str, int]:
    counts = {"questions": 0, "pairs": 0, "pairs_straightforward": 0}
    for value in load_value_system("schwartz").ids:
        if (folder / f"test_{value}_new.csv").is_file():
            counts["questions"] += len(conva.questions(value, folder))
        if (folder / f"{value}_context_controlled.csv").is_file():
            counts["pairs"] += len(conva.pairs(value, folder=folder))
        if (folder / f"{value}_non_context_controlled.csv").is_file():
            counts["pairs_straightforward"] += len(conva.pairs(value, controlled=False, folder=folder))
    return counts


_COUNTERS: dict[str, Callable[[Path], dict[str, int]]] = {
    "conva": _count_conva,
    "mmlu": _count_mmlu,
    "valuebench": _count_valuebench,
}
