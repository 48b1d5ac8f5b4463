"""``vharness fit --report``"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.cli.test_bad_input import refused
from valuebench_harness.harness.fit_study.records import FitStudy


def test_a_page_for_one_value(vharness: Command, own_folders: Path) -> None:
    done = vharness("fit", "-s", "caa", "--values", "power", "--report", "-q")
    assert done.code == 0, done.err
    study = FitStudy.model_validate_json((own_folders / "vharness-artifacts" / "fit.json").read_text())
    (value,) = study.values
    assert value.gate is None
    assert study.notes == ("The method has no gate, so there are no gate scores.",)
    assert len(value.accuracy) == study.n_layers
    assert (own_folders / "vharness-artifacts" / "figures" / "accuracy.svg").is_file()


@pytest.mark.slow
def test_a_page_with_everything(vharness: Command, own_folders: Path) -> None:
    ran = vharness(
        "eval", "--steerer", "caa", "--values", "power", "--tasks", "mini", "--limit", "2", "--out", "run", "-q"
    )
    assert ran.code == 0, ran.err
    fitted = ["fit", "-s", "conva", "--values", "power,security", "--report", "--run", "run", "--out", "fits", "-q"]
    fitted.append("--control-by-size")
    done = vharness(*fitted)
    assert done.code == 0, done.err
    assert "page: fits/fit.html" in done.out
    study = FitStudy.model_validate_json((own_folders / "fits" / "fit.json").read_text())
    assert {v.value for v in study.values} == {"security", "power"}
    for value in study.values:
        assert len(value.accuracy) == study.n_layers
        assert {a.layer for a in value.accuracy if a.steered} == set(value.layers)
        assert value.tokens is not None
        assert value.gate is not None
        assert [p.pairs for p in value.control][-1] == value.n_pairs
        # Steered at the strength that is shipped for it, the model acts for the value.
        assert (value.control[-1].rate.estimate or 0.0) > 0.7
        assert value.gate.related_open.estimate == pytest.approx(1.0, abs=0.2)
        assert value.gate.unrelated_open.estimate == pytest.approx(0.0, abs=0.2)
        # Context control is there to leave fewer words that tell the sides apart.
        assert value.straightforward is not None
        assert len(value.words.common) > len(value.straightforward.common)
    assert [run.name.split()[0] for run in study.runs] == ["unsteered", "caa"]
    assert study.runs[1].csr["power"].n == 2


def test_bad_input(vharness: Command, own_folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(vharness("fit", "-s", "caa", "--run", "x", "-q"), "--run", "--report")
    refused(vharness("fit", "-s", "caa", "--control-by-size", "-q"), "--control-by-size", "--report")
    refused(vharness("fit", "-s", "caa", "--report", "--run", "nowhere", "-q"), "nowhere")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    refused(vharness("fit", "-s", "caa", "--report", "-q"), "matplotlib", "plots")
    assert not (own_folders / "vharness-artifacts").exists()
