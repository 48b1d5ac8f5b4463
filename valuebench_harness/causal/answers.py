"""What only single answers tell: thought against answer, and question against question (Kang, Section 3.3)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from valuebench_harness.causal.table import UNSTEERED
from valuebench_harness.errors import UsageError
from valuebench_harness.metrics.consistency import inverse_per_change
from valuebench_harness.metrics.rates import Rate
from valuebench_harness.metrics.thought import Judged, ThoughtAnswer, thought_answer

COLUMNS = ("setting", "role", "part", "item", "value", "label", "thought_label", "score")


class AnswerConsistency(BaseModel):
    """How consistent answers are, without steering and under all settings together.

    Attributes:
        thought_answer: share of answers that contradict their thought (Table 2); ``None`` where no thought was judged.
        inverse: of the changes of single questions, the share that goes against most changes of the same
            value under the same setting ("about one in five").
        answers: that were read.
    """

    model_config = ConfigDict(frozen=True)

    thought_answer: ThoughtAnswer | None
    inverse: Rate
    answers: int


def answer_consistency(path: Path, part: str = "test") -> AnswerConsistency:
    """Reads a collection's ``answers.parquet``.

    Args:
        path: the file.
        part: whose answers.

    Raises:
        UsageError: no such file, not a table of answers, or none of this part.
    """
    rows = list(_rows(path, part))
    if not rows:
        raise UsageError(f"{path}: holds no answers of the part '{part}'.")
    before: dict[str, list[Judged]] = {}
    after: dict[str, list[Judged]] = {}
    for row in rows:
        side = after if row["setting"] != UNSTEERED else before
        side.setdefault(row["item"], []).append((row["thought_label"], row["label"]))
    judged = any(row["thought_label"] is not None for row in rows)
    return AnswerConsistency(
        thought_answer=thought_answer(before, after) if judged and before and after else None,
        inverse=inverse_per_change(_changes(rows)),
        answers=len(rows),
    )


def _rows(path: Path, part: str) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, columns=list(COLUMNS))
    except FileNotFoundError:
        raise UsageError(f"No answers at {path}.") from None
    except (pa.ArrowException, OSError) as error:
        raise UsageError(f"{path}: not a table of answers ({str(error).splitlines()[0]}).") from None
    if missing := set(COLUMNS) - set(table.column_names):
        raise UsageError(f"{path}: not a table of answers (column '{min(missing)}' missing).")
    yield from (row for row in table.to_pylist() if row["part"] == part)


def _changes(rows: list[dict[str, Any]]) -> Iterator[tuple[str, str, float]]:
    """(value under a setting, item, change) of every question that a role was asked with and without steering."""
    plain = _means(row for row in rows if row["setting"] == UNSTEERED)
    for (setting, role, value, item), score in _means(r for r in rows if r["setting"] != UNSTEERED).items():
        base = plain.get((UNSTEERED, role, value, item))
        if base is not None:
            yield f"{value}|{setting}", item, score - base


def _means(rows: Iterator[dict[str, Any]]) -> dict[tuple[str, str, str, str], float]:
    found: dict[tuple[str, str, str, str], list[float]] = {}
    for row in rows:
        if row["score"] is not None:
            found.setdefault((row["setting"], row["role"], row["value"], row["item"]), []).append(row["score"])
    return {key: sum(scores) / len(scores) for key, scores in found.items()}
