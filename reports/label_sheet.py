"""Sheets for raters: blind, safe to open in a spreadsheet, with a column to fill in for each question."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from valuebench_harness.errors import UsageError
from valuebench_harness.harness.calibration import text_id
from valuebench_harness.harness.label_sample import Judged
from valuebench_harness.harness.store import write_atomically
from valuebench_harness.judges.base import LABELS, Question
from valuebench_harness.judges.labels import ID, SUFFIXES
from valuebench_harness.reports.clean import clean
from valuebench_harness.reports.data import inert

if TYPE_CHECKING:
    from valuebench_harness.data.datasets import DataSet

LONGEST = 8_000
"""Characters of a cell; a spreadsheet takes 32,767."""
WIDTHS = {"question": 60, "options": 40, "answer": 60, "definition": 40, "comment": 30}


@dataclass(frozen=True)
class SheetRow:
    """One item to label; neither the condition that it comes from nor any verdict on it is told.

    Attributes:
        id: of the item.
        value: name of the value at stake.
        definition: of it.
        question: what the model was asked; empty for a training text.
        options: the two acts of a dilemma.
        answer: what is to be judged; untrusted text.
    """

    id: str
    value: str
    definition: str
    question: str
    options: str
    answer: str


def answer_rows(items: Sequence[Judged]) -> list[SheetRow]:
    """Rows for answers of a run."""
    return [
        SheetRow(
            id=j.id,
            value=j.item.value_name,
            definition=j.item.definition,
            question=j.item.prompt,
            options=" / ".join(j.item.options or ()),
            answer=j.item.answer,
        )
        for j in items
    ]


def text_rows(data: DataSet, texts: Sequence[tuple[str, str, str]]) -> list[SheetRow]:
    """Rows for training texts; the side that each was written for is not told.

    Args:
        data: whose they are.
        texts: value, text and side.
    """
    values = {value: data.system.get(value) for value, _, _ in texts}
    return [SheetRow(text_id(v, text), values[v].name, values[v].definition, "", "", text) for v, text, _ in texts]


def write_sheet(rows: Sequence[SheetRow], asks: Sequence[Question], path: Path) -> None:
    """Writes a sheet as CSV or XLSX, by the ending of ``path``.

    Raises:
        UsageError: for another ending, or a folder that cannot be written.
    """
    columns = (ID, "value", "definition", "question", "options", "answer", *asks, "comment")
    table = [[*(_safe(getattr(row, c)) for c in columns[:6]), *[""] * (len(asks) + 1)] for row in rows]
    if path.suffix.lower() == ".csv":
        out = io.StringIO(newline="")
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow(columns)
        writer.writerows([[inert(cell) for cell in row] for row in table])
        write_atomically(path, "\N{ZERO WIDTH NO-BREAK SPACE}" + out.getvalue())  # Excel takes UTF-8 by its mark
    elif path.suffix.lower() == ".xlsx":
        _write_xlsx(columns, table, asks, path)
    else:
        raise UsageError(f"{path}: a sheet's name must end in {' or '.join(SUFFIXES)}.")


def _safe(text: str) -> str:
    found = clean(text)
    return found if len(found) <= LONGEST else f"{found[:LONGEST]} [...]"


def _write_xlsx(columns: Sequence[str], table: Sequence[Sequence[str]], asks: Sequence[Question], path: Path) -> None:
    from openpyxl import Workbook
    from openpyxl.styles import Alignment, Font
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = "labels"
    for number, name in enumerate(columns, 1):
        sheet.cell(1, number, name).font = Font(bold=True)
        sheet.column_dimensions[get_column_letter(number)].width = WIDTHS.get(name, 18)
    for line, row in enumerate(table, 2):
        for number, text in enumerate(row, 1):
            cell = sheet.cell(line, number)
            if text:
                cell.value = text
                cell.data_type = "s"  # text, whatever it begins with: no cell is a formula
            cell.alignment = Alignment(wrap_text=True, vertical="top")
    for question in asks:
        column = get_column_letter(columns.index(question) + 1)
        choice = DataValidation(type="list", formula1=f'"{",".join(LABELS[question])}"', allow_blank=True)
        sheet.add_data_validation(choice)
        choice.add(f"{column}2:{column}{max(2, len(table) + 1)}")
    sheet.freeze_panes = "B2"
    temporary = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        book.save(temporary)
        temporary.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}.") from error
