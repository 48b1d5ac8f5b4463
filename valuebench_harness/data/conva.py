"""The data published with ConVA (Jin et al., ACL 2025): open questions and contrastive pairs.

Reads the CSV files of hr-jin/ConVA, ``data/value/``, from one flat folder.
"""

from __future__ import annotations

from pathlib import Path

from valuebench_harness.data import sources
from valuebench_harness.data.reading import csv_rows, read_csv
from valuebench_harness.data.schemas import ContrastivePair, OpenQuestion, PairForm
from valuebench_harness.data.values import load_value_system
from valuebench_harness.errors import UsageError

FORMS: tuple[PairForm, ...] = ("first-sentence", "third-sentence", "first-question", "third-question")
"""Order of the four forms in the published files, 25 pairs each (Appendix B)."""


def questions(value: str, folder: Path | None = None) -> list[OpenQuestion]:
    """The open questions of a value, from ``test_{value}_new.csv`` (one column, ``text``).

    Raises:
        UsageError: unknown value, the file is not at hand, or it is malformed.
    """
    name = load_value_system("schwartz").get(value).id
    path = _path(folder, f"test_{name}_new.csv")
    rows = (
        (line, {"id": f"conva-{name}-{number:03}", "value": name, "question": row["text"]})
        for number, (line, row) in enumerate(csv_rows(path, ("text",)), 1)
    )
    return read_csv(path, OpenQuestion, rows)


def pairs(value: str, *, controlled: bool = True, folder: Path | None = None) -> list[ContrastivePair]:
    """The training pairs of a value, context-controlled or not.

    ``question_1`` is the positive text, ``question_2`` its negative. The files do not say
    which form a pair has: in a context-controlled file it follows from the position, 25 pairs
    a form; the others hold statements in the third person only.

    Raises:
        UsageError: unknown value, the file is not at hand, or it is malformed.
    """
    name = load_value_system("schwartz").get(value).id
    kind = "context_controlled" if controlled else "non_context_controlled"
    path = _path(folder, f"{name}_{kind}.csv")
    table = list(csv_rows(path, ("question_1", "question_2")))
    rows = (
        (
            line,
            {
                "id": f"conva-{name}-{'p' if controlled else 's'}{number + 1:03}",
                "value": name,
                "form": FORMS[number * len(FORMS) // len(table)] if controlled else "third-sentence",
                "positive": row["question_1"],
                "negative": row["question_2"],
            },
        )
        for number, (line, row) in enumerate(table)
    )
    return read_csv(path, ContrastivePair, rows)


def _path(folder: Path | None, name: str) -> Path:
    path = (folder or sources.require("conva")) / name
    if not path.is_file():
        raise UsageError(f"ConVA file {name} is not in {path.parent}. Get it: vharness data pull conva")
    return path
