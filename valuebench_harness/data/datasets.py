"""The items of a family: ``schwartz``, ``mini``, or a user's own folder, all in one layout.

A folder holds ``dilemmas/``, ``pairs/``, ``pairs_straightforward/``, ``questionnaire/`` and
``demonstrations/`` with one file a value (``{value}.jsonl`` or ``{value}.csv``), and ``exam.jsonl`` and
``neutral.jsonl``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from valuebench_harness.data.reading import csv_rows, read_csv, read_jsonl
from valuebench_harness.data.schemas import (
    ContrastivePair,
    Demonstration,
    Dilemma,
    ExamItem,
    Item,
    NeutralText,
    QuestionnaireItem,
)
from valuebench_harness.data.values import ValueSystem, load_value_system, shipped_tasks
from valuebench_harness.errors import UsageError, unknown_name

SHIPPED_DATASETS = ("schwartz", "mini")

Part = Literal["dilemmas", "pairs", "pairs_straightforward", "questionnaire", "demonstrations", "exam", "neutral"]
Split = Literal["test", "select"]

VALUE_PARTS: tuple[Part, ...] = ("dilemmas", "pairs", "pairs_straightforward", "questionnaire", "demonstrations")
"""Parts that have one file a value."""

COMMON_PARTS: tuple[Part, ...] = ("exam", "neutral")
"""Parts that have one file for all values."""

_SCHEMAS: dict[Part, type[BaseModel]] = {
    "dilemmas": Dilemma,
    "pairs": ContrastivePair,
    "pairs_straightforward": ContrastivePair,
    "questionnaire": QuestionnaireItem,
    "demonstrations": Demonstration,
    "exam": ExamItem,
    "neutral": NeutralText,
}

_CSV_COLUMNS: dict[Part, tuple[str, ...]] = {
    "dilemmas": ("scene", "question", "option0", "option1", "favours"),
    "pairs": ("form", "positive", "negative"),
    "pairs_straightforward": ("form", "positive", "negative"),
    "questionnaire": ("item", "question", "agreement"),
    "demonstrations": ("prompt", "answer", "direction"),
    "exam": ("subject", "question", "choice0", "choice1", "choice2", "choice3", "answer"),
    "neutral": ("text",),
}


class DataSet:
    """Items of one family, read when asked for and kept.

    Attributes:
        name: name of the family.
        system: its values.
        root: folder of its files.
    """

    def __init__(self, name: str, system: ValueSystem, root: Path) -> None:
        self.name = name
        self.system = system
        self.root = root
        self._read: dict[Path, list[BaseModel]] = {}

    def dilemmas(self, value: str, split: Split | None = "test") -> list[Dilemma]:
        """Dilemmas of a value; ``split=None`` gives all of them.

        Raises:
            UsageError: unknown value, no file, a malformed line, or no item in the split.
        """
        items: list[Dilemma] = self._items("dilemmas", value)
        if split is None:
            return items
        if split not in ("test", "select"):
            raise unknown_name("split", split, ("test", "select"))
        chosen = [item for item in items if item.split == split]
        if not chosen:
            raise UsageError(f"{self.path('dilemmas', value)}: no item has split '{split}'.")
        return chosen

    def pairs(self, value: str, *, controlled: bool = True) -> list[ContrastivePair]:
        """Contrastive pairs of a value: context-controlled, or the straightforward twin set."""
        return self._items("pairs" if controlled else "pairs_straightforward", value)

    def questionnaire(self, value: str) -> list[QuestionnaireItem]:
        """Questionnaire items of a value."""
        return self._items("questionnaire", value)

    def demonstrations(self, value: str) -> list[Demonstration]:
        """Prompts with answers for and against a value, for fine-tuning; disjoint from the dilemmas."""
        return self._items("demonstrations", value)

    def exam(self) -> list[ExamItem]:
        """Four-choice questions about facts."""
        return self._items("exam")

    def neutral(self) -> list[NeutralText]:
        """Texts that concern no value."""
        return self._items("neutral")

    def has(self, part: Part, value: str | None = None) -> bool:
        """Whether the file of a part is there."""
        return self.path(part, value).is_file()

    def path(self, part: Part, value: str | None = None) -> Path:
        """The file of a part: JSONL, or CSV where only that is there."""
        stem = self.root / part if value is None else self.root / part / self.system.get(value).id
        jsonl, table = stem.with_name(f"{stem.name}.jsonl"), stem.with_name(f"{stem.name}.csv")
        return table if table.is_file() and not jsonl.is_file() else jsonl

    def count(self, part: Part, value: str | None = None) -> int:
        """Number of items of a part."""
        return len(self._items(part, value))

    def hash(self, part: Part, value: str | None = None) -> str:
        """SHA-256 of the validated items; formatting of the file does not change it."""
        digest = hashlib.sha256()
        for item in self._items(part, value):
            line = json.dumps(item.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
            digest.update(line.encode() + b"\n")
        return digest.hexdigest()

    def _items(self, part: Part, value: str | None = None) -> list[Any]:
        path = self.path(part, value)
        if path not in self._read:
            what = f"{part} file of '{self.name}'" + (f" for '{value}'" if value else "")
            items = _read_part(path, part, what)
            self._check_value(items, path, value)
            self._read[path] = items
        return list(self._read[path])

    def _check_value(self, items: Sequence[BaseModel], path: Path, value: str | None) -> None:
        if value is None:
            return
        wanted = self.system.get(value).id
        for item in items:
            if isinstance(item, Item) and item.value != wanted:
                raise UsageError(f"{path}: item '{item.id}' has value '{item.value}', expected '{wanted}'.")


def load_dataset(name_or_path: str | Path) -> DataSet:
    """Loads a shipped family by name, or a user's own by the YAML file of its value system.

    Raises:
        UsageError: unknown name, or a value system without a ``data`` folder.
    """
    name = str(name_or_path)
    if name.lower() in SHIPPED_DATASETS:
        return DataSet(name.lower(), load_value_system("schwartz"), shipped_tasks() / name.lower() / "data")
    if Path(name).suffix not in {".yaml", ".yml"}:
        raise unknown_name("data set", name, SHIPPED_DATASETS, "Or give the .yaml file of a value system.")
    system = load_value_system(name)
    if system.data is None:
        raise UsageError(f"{name}: has no key 'data'; add the folder that holds its items, such as data: ./items.")
    return DataSet(system.name, system, system.data)


def _read_part(path: Path, part: Part, what: str) -> list[BaseModel]:
    schema = _SCHEMAS[part]
    if path.suffix == ".csv":
        return read_csv(path, schema, _from_csv(path, part))
    return read_jsonl(path, schema, what)


def _from_csv(path: Path, part: Part) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Rows in the shape of the schema; ``id`` and ``value`` default to the file's name."""
    for number, (line, cells) in enumerate(csv_rows(path, _CSV_COLUMNS[part]), 1):
        row: dict[str, Any] = {name: cell for name, cell in cells.items() if cell}
        row.setdefault("id", f"{path.stem}-{number:03}")
        if part in VALUE_PARTS:
            row.setdefault("value", path.stem)
        if part == "dilemmas":
            row["options"] = (row.pop("option0"), row.pop("option1"))
        if part == "exam":
            row["choices"] = tuple(row.pop(f"choice{i}") for i in range(4))
        for name in ("favours", "yes", "agreement", "answer"):
            if name in row:
                row[name] = _integer(row[name])
        yield line, row


def _integer(cell: str) -> int | str:
    # A cell that is no integer is left for the schema to refuse, which names the field.
    return int(cell) if cell.lstrip("+-").isdecimal() else cell
