"""Labels that people gave, read from sheets (CSV, XLSX): one sheet a rater."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from valuebench_harness.errors import UsageError
from valuebench_harness.judges.base import LABELS, JudgeItem, Question

ID = "id"
SUFFIXES = (".csv", ".xlsx")


@dataclass(frozen=True)
class Labels:
    """What raters said.

    Attributes:
        raters: names of the raters, after their files.
        given: question to item id to rater to label.
    """

    raters: tuple[str, ...]
    given: Mapping[Question, Mapping[str, Mapping[str, str]]]

    @property
    def ids(self) -> dict[str, None]:
        """Items that were labelled for any question, in order."""
        return {item: None for found in self.given.values() for item in found}

    def check_ids(self, known: Container[str], where: str) -> None:
        """Refuses labels of items that are not known.

        Args:
            known: ids that may be labelled.
            where: they are from, for the error.

        Raises:
            UsageError: where any item is strange.
        """
        strange = [name for name in self.ids if name not in known]
        if strange:
            raise UsageError(
                f"{len(strange)} of {len(self.ids)} labelled items are not in {where} (the first is '{strange[0]}'): "
                "the sheet was drawn from another run, or its id column was changed."
            )

    def majority(self, asks: Question, item: str) -> str | None:
        """The label that more raters gave than any other; ``None`` for a tie or an item without labels."""
        ranked = Counter(self.given.get(asks, {}).get(item, {}).values()).most_common(2)
        if not ranked or (len(ranked) == 2 and ranked[0][1] == ranked[1][1]):
            return None
        return ranked[0][0]


def item_id(item: JudgeItem) -> str:
    """Name of what is judged, whatever is asked about it: equal answers to equal questions have one.

    It begins with a letter, so that no spreadsheet reads it as a number.
    """
    content = json.dumps([item.prompt, item.answer, item.value])
    return "a" + hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:15]


def read_labels(paths: Sequence[Path]) -> Labels:
    """Reads the sheets of several raters.

    Raises:
        UsageError: no sheet, one that cannot be read, no id or label column, a label that does not exist, an item that
            one rater labelled in two ways, or two raters of one name.
    """
    if not paths:
        raise UsageError("No label sheets were given; 'vharness judge sample' writes one to fill in.")
    given: dict[Question, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    raters: list[str] = []
    for path in paths:
        if path.stem in raters:
            raise UsageError(f"Two sheets are named '{path.stem}': name each after its rater.")
        raters.append(path.stem)
        for place, asks, item, label in _labels(path):
            known = given[asks][item].setdefault(path.stem, label)
            if known != label:
                raise UsageError(f"{place}: item {item} is '{label}' here and '{known}' in an earlier row.")
    if not given:
        raise UsageError(f"{', '.join(str(p) for p in paths)}: no row holds a label; fill in the label columns.")
    return Labels(tuple(raters), {asks: dict(items) for asks, items in given.items()})


def _labels(path: Path) -> Iterator[tuple[str, Question, str, str]]:
    """Place, question, item and label of every cell that is filled in."""
    rows = _rows(path)
    head = [str(cell or "").strip().lower() for cell in next(rows, [])]
    if ID not in head:
        raise UsageError(f"{path}: the first row has no column '{ID}'; keep the columns that 'judge sample' wrote.")
    columns = {asks: head.index(asks) for asks in LABELS if asks in head}
    if not columns:
        raise UsageError(f"{path}: no label column; there must be one or more of {', '.join(LABELS)}.")
    for number, row in enumerate(rows, 2):
        cells = [str(cell if cell is not None else "").strip() for cell in row] + [""] * len(head)
        if not any(cells):
            continue
        item = cells[head.index(ID)]
        for asks, column in columns.items():
            label = cells[column].lower()
            if not label:
                continue
            if label not in LABELS[asks]:
                raise UsageError(
                    f"{path}, row {number}: '{cells[column][:40]}' is no label of '{asks}' ({', '.join(LABELS[asks])})."
                )
            if not item:
                raise UsageError(f"{path}, row {number}: a label without an {ID}.")
            yield f"{path}, row {number}", asks, item, label


def _rows(path: Path) -> Iterator[Sequence[object]]:
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path} is no label sheet: its name must end in {' or '.join(SUFFIXES)}.")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from error
    return _xlsx(path, data) if path.suffix.lower() == ".xlsx" else _csv(path, data)


def _csv(path: Path, data: bytes) -> Iterator[Sequence[object]]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text; save it as 'CSV UTF-8'.") from error
    head = text.partition("\n")[0]
    mark = max(",;\t", key=head.count)  # spreadsheets write what their country uses
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=mark)
    except csv.Error as error:
        raise UsageError(f"{path} cannot be read as CSV: {error}.") from error


def _xlsx(path: Path, data: bytes) -> Iterator[Sequence[object]]:
    from zipfile import BadZipFile

    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    except (BadZipFile, InvalidFileException, KeyError, ValueError, OSError) as error:
        raise UsageError(f"{path} cannot be read as XLSX ({type(error).__name__}).") from error
    yield from book.worksheets[0].iter_rows(values_only=True)
