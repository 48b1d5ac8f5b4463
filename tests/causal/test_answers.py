from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from valuebench_harness.causal.answers import answer_consistency
from valuebench_harness.errors import UsageError


def answer(setting: str, role: str, item: str, score: float | None, **more: Any) -> dict[str, Any]:
    labels = {1.0: "yes", -1.0: "no", None: None}
    said = {"label": labels[score], "thought_label": labels[score], "part": "test", "value": "Power"}
    return {"setting": setting, "role": role, "item": item, "score": score, **said, **more}


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def test_by_hand(tmp_path: Path) -> None:
    rows = [
        *(answer("", "x", item, -1.0) for item in "abcd"),
        answer("", "x", "e", -1.0, thought_label="yes"),
        *(answer("f", "x", item, 1.0) for item in "abc"),  # three questions moved up
        answer("f", "x", "d", -1.0, thought_label="yes"),
        answer("f", "x", "e", None),
        answer("", "y", "a", 1.0),
        answer("f", "y", "a", -1.0),  # one moved down
        answer("f", "y", "z", 1.0),  # never asked unsteered
        answer("f", "x", "a", 1.0, part="train"),
    ]
    found = answer_consistency(written(tmp_path / "answers.parquet", rows))
    assert found.answers == 13
    assert (found.inverse.hits, found.inverse.n) == (1, 4)
    assert found.thought_answer is not None
    before, after = found.thought_answer.before, found.thought_answer.after
    assert (before.hits, before.n, before.unscored) == (1, 6, 0)
    assert (after.hits, after.n, after.unscored) == (1, 6, 1)


def test_thoughts_that_nobody_judged(tmp_path: Path) -> None:
    rows = [answer(s, "x", "a", 1.0, thought_label=None) for s in ("", "f")]
    schema = pa.Table.from_pylist([answer("", "x", "a", 1.0)]).schema
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
    assert answer_consistency(path).thought_answer is None


def test_what_is_no_table_of_answers_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    with pytest.raises(UsageError, match="No answers at"):
        answer_consistency(path)
    path.write_bytes(b"PAR1 no")
    with pytest.raises(UsageError, match="not a table of answers"):
        answer_consistency(path)
    with pytest.raises(UsageError, match=r"not a table of answers \(.*score"):
        answer_consistency(written(path, [{k: v for k, v in answer("", "x", "a", 1.0).items() if k != "score"}]))
    with pytest.raises(UsageError, match="no answers of the part 'test'"):
        answer_consistency(written(path, [answer("", "x", "a", 1.0, part="train")]))
