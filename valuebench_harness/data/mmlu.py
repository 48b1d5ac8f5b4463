"""MMLU: four-choice questions in 57 subjects (Hendrycks et al., ICLR 2021)."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from valuebench_harness.data import sources
from valuebench_harness.data.reading import csv_rows, read_csv, read_text
from valuebench_harness.data.schemas import ExamItem
from valuebench_harness.errors import UsageError, unknown_name

VALUE_UNRELATED = ("astronomy", "business_ethics", "global_facts", "jurisprudence")
"""The four subjects that ConVA calls unrelated to all ten values (Jin et al., ACL 2025, Section 4.3)."""

SUBJECTS = (
    "abstract_algebra", "anatomy", "astronomy", "business_ethics", "clinical_knowledge", "college_biology",
    "college_chemistry", "college_computer_science", "college_mathematics", "college_medicine", "college_physics",
    "computer_security", "conceptual_physics", "econometrics", "electrical_engineering", "elementary_mathematics",
    "formal_logic", "global_facts", "high_school_biology", "high_school_chemistry", "high_school_computer_science",
    "high_school_european_history", "high_school_geography", "high_school_government_and_politics",
    "high_school_macroeconomics", "high_school_mathematics", "high_school_microeconomics", "high_school_physics",
    "high_school_psychology", "high_school_statistics", "high_school_us_history", "high_school_world_history",
    "human_aging", "human_sexuality", "international_law", "jurisprudence", "logical_fallacies", "machine_learning",
    "management", "marketing", "medical_genetics", "miscellaneous", "moral_disputes", "moral_scenarios", "nutrition",
    "philosophy", "prehistory", "professional_accounting", "professional_law", "professional_medicine",
    "professional_psychology", "public_relations", "security_studies", "sociology", "us_foreign_policy", "virology",
    "world_religions",
)  # fmt: skip
"""All 57 subjects."""

Split = Literal["dev", "test"]

HEADER = ("question", "choice0", "choice1", "choice2", "choice3", "answer")
_ANSWERS: dict[str, int] = {**{str(i): i for i in range(4)}, **{letter: i for i, letter in enumerate("ABCD")}}


def subject(name: str, split: Split = "test", folder: Path | None = None) -> list[ExamItem]:
    """Items of a subject, from ``{split}/{subject}_{split}.csv``.

    Two layouts are read: a header ``question,choice0..choice3,answer`` with the answer as an
    index from 0, and the original without a header and with the answer as a letter.

    Args:
        name: one of :data:`SUBJECTS`; case, blanks and ``-`` do not matter.
        split: ``test``, or ``dev`` (the five items of few-shot prompts).
        folder: where the files are; default: wherever ``mmlu`` is found.

    Raises:
        UsageError: an unknown subject, no such file, a malformed row.
    """
    key = name.strip().lower().replace(" ", "_").replace("-", "_")
    if key not in SUBJECTS:
        raise unknown_name("MMLU subject", name, SUBJECTS)
    if split not in ("dev", "test"):
        raise unknown_name("MMLU split", split, ("dev", "test"))
    path = (folder or sources.require("mmlu")) / split / f"{key}_{split}.csv"
    if not path.is_file():
        raise UsageError(f"MMLU subject '{key}' is not at hand: no {path}. Get it: vharness data pull mmlu:{key}")
    return list(_read(path, key, split))


def subjects(folder: Path) -> list[str]:
    """Subjects whose test file is in a folder, sorted."""
    return [name for name in SUBJECTS if (folder / "test" / f"{name}_test.csv").is_file()]


@lru_cache(maxsize=128)
def _read(path: Path, name: str, split: str) -> tuple[ExamItem, ...]:
    first = read_text(path, "MMLU file").partition("\n")[0]
    rows = csv_rows(path, HEADER) if first.strip().startswith("question,") else _headerless(path)
    return tuple(read_csv(path, ExamItem, _shape(rows, name, split)))


def _headerless(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.reader(read_text(path, "MMLU file").splitlines(keepends=True), strict=True)
    try:
        for row in reader:
            if len(row) != len(HEADER):
                expected = f"{len(HEADER)} columns (question, four choices, answer)"
                raise UsageError(f"{path}:{reader.line_num}: {len(row)} columns, expected {expected}.")
            yield reader.line_num, dict(zip(HEADER, (cell.strip() for cell in row), strict=True))
    except csv.Error as error:
        raise UsageError(f"{path}:{reader.line_num}: not a CSV ({error}).") from None


def _shape(
    rows: Iterator[tuple[int, dict[str, str]]], name: str, split: str
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, (line, row) in enumerate(rows, 1):
        yield (
            line,
            {
                "id": f"mmlu-{name}-{split}-{number:04}",
                "subject": name,
                "question": row["question"],
                "choices": tuple(row[f"choice{i}"] for i in range(4)),
                "answer": _ANSWERS.get(row["answer"].upper(), row["answer"]),
            },
        )
