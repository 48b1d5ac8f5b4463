from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.reports.runs import Spec, write_run
from valuebench_harness.harness.results import Results
from valuebench_harness.harness.run import Run
from valuebench_harness.reports.data import COLUMNS, render_csv, render_json
from valuebench_harness.reports.parquet import write_samples


def _rows(run: Run) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render_csv(run))))


def test_json_holds_the_results_unchanged(run: Run) -> None:
    data = json.loads(render_json(run))
    assert set(data) == {"run", "conditions", "results"}
    assert Results.model_validate(data["results"]) == run.results
    assert data["run"]["plan_hash"] == run.info.plan_hash


def test_csv_has_a_row_for_every_estimate(run: Run) -> None:
    rows = _rows(run)
    assert set(rows[0]) == set(COLUMNS)
    for result in run.results.conditions:
        own = {(r["metric"], r["of"]): r for r in rows if r["condition"] == result.condition.id}
        assert result.csr is not None
        assert float(own["csr", ""]["estimate"]) == result.csr.after.estimate
        assert float(own["csr", ""]["base"]) == result.csr.before.estimate
        assert float(own["csr", ""]["change_low"]) == result.csr.change.low
        assert int(own["csr", ""]["unscored"]) == result.csr.after.unscored
        for value, change in result.side_effects.items():
            assert float(own["favour_change", value]["estimate"]) == change.estimate
    assert {r["of"] for r in rows if r["condition"] == "base" and r["metric"] == "favour"} == set(run.results.base)


def test_no_text_cell_of_the_csv_is_a_formula(tmp_path: Path) -> None:
    task = '=HYPERLINK("http://evil.example","click")'
    run = write_run(tmp_path, Spec(lm_eval={"base": {task: {"@acc": 0.5, "\t+x": -0.25}}}))
    rows = [r for r in _rows(run) if "HYPERLINK" in r["of"]]
    assert [r["of"] for r in rows] == ["'" + task] * 2
    assert [r["metric"][0] for r in rows] == ["'", "'"]
    assert [float(r["estimate"]) for r in rows] == [0.5, -0.25]


def test_parquet_holds_every_sample_as_it_was_said(hostile: Run, tmp_path: Path) -> None:
    rows = pq.read_table(write_samples(hostile, tmp_path / "samples.parquet")).to_pylist()
    assert len(rows) == len(hostile.samples)
    assert {r["answer"] for r in rows} == {s.answer for s in hostile.samples.values()}
    assert any(r["csr"] is None and r["csr_reason"] for r in rows)
    right = [r for r in rows if r["kind"] == "exam" and r["choice"] == r["right"]]
    assert right
    moved = next(s.moved_answer for s in hostile.samples.values() if s.moved_answer)
    assert moved.spans is not None
    stored = {"tokens": moved.tokens, "layers": [*map(list, moved.layers)], "spans": [*map(list, moved.spans)]}
    assert stored in [r["moved_answer"] for r in rows]
    assert all(r["moved_prompt"] is None for r in rows if r["condition"] == "base")


@pytest.mark.parametrize("value", ["power", "achievement"])
def test_parquet_gives_the_rates_of_the_report(run: Run, tmp_path: Path, value: str) -> None:
    rows = pq.read_table(write_samples(run, tmp_path / "samples.parquet")).to_pylist()
    own = [r for r in rows if r["value_steered"] == value == r["value"] and r["kind"] == "dilemma"]
    assert sum(r["aimed"] for r in own) / len(own) == run.csr[value]
