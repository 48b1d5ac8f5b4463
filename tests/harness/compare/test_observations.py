"""What is read from a run is what its own report counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reports.runs import Spec, write_run
from valuebench_harness.harness.compare.flips import flips
from valuebench_harness.harness.compare.observations import document_of, observe
from valuebench_harness.harness.compare.statistics import difference, metric_of
from valuebench_harness.harness.run import Run


def _as_of_another_system(run: Run, ending: str) -> None:
    """Turns the documents whose id so ends into items about a value of the same name elsewhere."""
    for name, document in list(run.documents.items()):
        if name.endswith(ending) and document.kind != "exam":
            run.documents[name] = document.model_copy(update={"system": "valuebench"})


def test_another_system_s_values_of_the_same_name_have_no_part(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / str(seed), Spec(seed=seed)) for seed in (0, 1)]
    own, flipped = observe(runs[0]).outcomes, [f for f in flips(*runs) if f.metric == "csr"]
    ending = "/2"
    for run in runs:
        _as_of_another_system(run, ending)
    found = observe(runs[0]).outcomes
    for metric in ("csr", "fr", "success", "consistency", "side_effects"):
        assert found[metric] == {k: v for k, v in own[metric].items() if not k.endswith(ending)}
        assert len(found[metric]) < len(own[metric])
    assert found["exam"] == own["exam"]
    kept = [f for f in flipped if not f.first.document.id.endswith(ending)]
    assert [f for f in flips(*runs) if f.metric == "csr"] == kept
    assert len(kept) < len(flipped)


def test_a_run_without_dilemmas_knows_its_system_by_its_configuration(tmp_path: Path) -> None:
    run = write_run(tmp_path, Spec(per_value=0))
    _as_of_another_system(run, "/1")
    assert {document_of(item) for item in observe(run).outcomes["consistency"]} == {
        d.id for d in run.documents.values() if d.system == "schwartz"
    }


@pytest.mark.parametrize("repeats", [1, 3])
def test_numbers_and_n_are_those_of_the_run_s_report(tmp_path: Path, repeats: int) -> None:
    first, second = (write_run(tmp_path / str(seed), Spec(seed=seed, repeats=repeats, exam=40)) for seed in (0, 1))
    before, after = observe(first).outcomes, observe(second).outcomes
    (report,) = second.results.pooled
    assert report.csr is not None
    assert report.exam is not None
    assert report.exam.gated is not None
    assert report.consistency is not None
    numbers = {
        "csr": report.csr.after.estimate,
        "exam": report.exam.gated.after.estimate,
        "consistency": report.consistency.rate.estimate,
        "side_effects": report.entanglement,
    }
    for metric, number in numbers.items():
        assert metric_of(metric, after[metric]) == pytest.approx(number)
        assert difference(metric, before[metric], after[metric], 0.01).after == pytest.approx(number)
    found = {metric: difference(metric, before[metric], after[metric], 0.01).n for metric in numbers}
    dilemmas, questions = report.csr.change.n, 3 * Spec().questions
    assert found == {
        "csr": dilemmas,
        "exam": report.exam.gated.change.n,
        "consistency": questions,
        "side_effects": dilemmas,
    }
