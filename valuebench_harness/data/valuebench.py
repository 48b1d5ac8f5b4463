"""ValueBench: 1,988 questionnaire items for 224 values (Ren et al., ACL 2024).

Reads ``value_orientation.csv`` and ``value_data.xlsx`` of Value4AI/ValueBench.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from valuebench_harness.data import sources
from valuebench_harness.data.reading import csv_rows, read_csv
from valuebench_harness.data.schemas import QuestionnaireItem
from valuebench_harness.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from valuebench_harness.data.values import ValueSystem

MIN_ITEMS = 20
"""Values with fewer items are not in the default list (Kang et al., ACL 2025, keep those with 20 or more)."""

TRAIN_SHARE = 0.7

ITEMS_FILE = "value_orientation.csv"
DEFINITIONS_FILE = "value_data.xlsx"
_DEFINITIONS_SHEET = "value2def"
_COLUMNS = ("questionnaire", "item", "value", "agreement", "question")


@dataclass(frozen=True)
class Definition:
    """What ValueBench says about a value in one questionnaire."""

    questionnaire: str
    value: str
    text: str
    upper_dimension: str


def slug(name: str) -> str:
    """Name of a value in task names: ``Breadth of Interest`` becomes ``breadth_of_interest``."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def items(folder: Path | None = None) -> list[QuestionnaireItem]:
    """All items in the order of the file; ``value`` is a slug, ids count the rows from 0001.

    Args:
        folder: where the files are; default: wherever ``valuebench`` is found.

    Raises:
        UsageError: the data set is not at hand, or its file is malformed.
    """
    return list(_items((folder or sources.require("valuebench")) / ITEMS_FILE))


def questionnaire(value: str, folder: Path | None = None) -> list[QuestionnaireItem]:
    """Items of one value, by slug or name.

    Raises:
        UsageError: as :func:`items`, or no such value.
    """
    everything = items(folder)
    chosen = [item for item in everything if item.value == slug(value)]
    if not chosen:
        raise unknown_name("ValueBench value", slug(value), {item.value for item in everything})
    return chosen


def values(folder: Path | None = None, *, min_items: int = MIN_ITEMS) -> dict[str, int]:
    """Slugs of the values with at least ``min_items`` items, with the number of items, sorted."""
    counts: dict[str, int] = {}
    for item in items(folder):
        counts[item.value] = counts.get(item.value, 0) + 1
    return {name: n for name, n in sorted(counts.items()) if n >= min_items}


def split_items(
    chosen: Sequence[QuestionnaireItem], *, seed: int = 0, share: float = TRAIN_SHARE
) -> tuple[list[QuestionnaireItem], list[QuestionnaireItem]]:
    """Splits the items of each value into a training and a held-out part.

    Items are ordered by a hash of seed and id, so that the split depends neither on the order
    of the file nor on a random number generator's version.

    Args:
        chosen: items of one or more values.
        seed: another seed gives another split.
        share: share of each value's items that goes to training, rounded down, as the published
            orientations of Kang et al. (ACL 2025) show: 18 of 27 items, 19 of 28.

    Returns:
        Training and held-out items, both in the order of ``chosen``.
    """
    if not 0 < share < 1:
        raise UsageError(f"The training share must lie between 0 and 1, got {share}.")
    training: set[str] = set()
    for value in {item.value for item in chosen}:
        ids = sorted((item.id for item in chosen if item.value == value), key=lambda i: _order(seed, i))
        training.update(ids[: math.floor(share * len(ids) + 1e-9)])
    return [i for i in chosen if i.id in training], [i for i in chosen if i.id not in training]


def definitions(folder: Path | None = None) -> list[Definition]:
    """Definitions and upper dimensions, a row for each questionnaire that has the value.

    Raises:
        UsageError: the file is missing or no such workbook.
    """
    return list(_definitions((folder or sources.require("valuebench")) / DEFINITIONS_FILE))


def define(system: ValueSystem, folder: Path) -> ValueSystem:
    """Fills a value system's definitions and groups from a copy of ValueBench.

    A value may be defined by several questionnaires: the first one that has both items and a
    definition for it is taken, else the first that has a definition. Every upper dimension
    named for it becomes a group. A copy without the workbook leaves the system as it is.
    """
    if not (folder / DEFINITIONS_FILE).is_file():
        return system
    questionnaires: dict[str, set[str]] = {}
    for _, row in csv_rows(folder / ITEMS_FILE, _COLUMNS):
        questionnaires.setdefault(slug(row["value"]), set()).add(row["questionnaire"])
    found: dict[str, list[Definition]] = {}
    for definition in definitions(folder):
        found.setdefault(slug(definition.value), []).append(definition)
    defined = []
    for value in system.values:
        known = [d for d in found.get(value.id, []) if d.text]
        known.sort(key=lambda d: d.questionnaire not in questionnaires.get(value.id, set()))
        groups = dict.fromkeys(slug(d.upper_dimension) for d in found.get(value.id, []) if d.upper_dimension)
        update: dict[str, object] = {"groups": tuple(groups)}
        if known:
            update |= {"definition": known[0].text, "source": f"ValueBench, {known[0].questionnaire}"}
        defined.append(value.model_copy(update=update))
    return system.model_copy(update={"values": tuple(defined)})


@lru_cache(maxsize=4)
def _items(path: Path) -> tuple[QuestionnaireItem, ...]:
    rows = (
        (
            line,
            {
                "id": f"valuebench-{number:04}",
                "value": slug(row["value"]),
                "item": row["item"],
                "question": row["question"],
                "agreement": {"1": 1, "-1": -1}.get(row["agreement"], row["agreement"]),
            },
        )
        for number, (line, row) in enumerate(csv_rows(path, _COLUMNS, "ValueBench items"), 1)
    )
    return tuple(read_csv(path, QuestionnaireItem, rows))


@lru_cache(maxsize=4)
def _definitions(path: Path) -> tuple[Definition, ...]:
    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except FileNotFoundError:
        raise UsageError(f"No ValueBench definitions at {path}.") from None
    except Exception as error:  # openpyxl lets zipfile's, XML's and its own errors through
        raise UsageError(f"{path}: not a workbook ({error}).") from None
    try:
        if _DEFINITIONS_SHEET not in book.sheetnames:
            raise UsageError(f"{path}: no sheet '{_DEFINITIONS_SHEET}' (found: {', '.join(book.sheetnames)}).")
        rows = book[_DEFINITIONS_SHEET].iter_rows(min_row=2, max_col=4, values_only=True)
        cells = ([str(cell or "").strip() for cell in row] for row in rows)
        return tuple(Definition(*row) for row in cells if len(row) == 4 and row[1])
    finally:
        book.close()


def _order(seed: int, item_id: str) -> bytes:
    return hashlib.sha256(f"{seed}:{item_id}".encode()).digest()
