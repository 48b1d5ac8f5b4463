"""Every method that is shipped keeps its promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.steerers.test_sae import write_sae
from tests.support.checkpoints import build_checkpoint
from valuebench_harness.engine.loading import load
from valuebench_harness.harness.check.outcome import Conformance
from valuebench_harness.harness.check.suite import check_steerer
from valuebench_harness.harness.config import make_config
from valuebench_harness.harness.fit_values import fit_values
from valuebench_harness.harness.progress import Reporter
from valuebench_harness.steerers.registry import BUILT_IN

QUIET = Reporter(quiet=True)
QUICK: dict[str, dict[str, Any]] = {"caa": {}, "ica": {}, "conva": {}}
OTHERS: dict[str, dict[str, Any]] = {
    "base": {},
    "role": {"settings": {"text": "You are careful."}},
    "instruction": {},
    "repe": {},
    "iti": {},
    "actadd": {},
    "ablate": {},
    "sft": {},
    "random:conva": {},
    "random:caa": {},
    "ica-negative+conva": {},
}
WITH_FILES = {"sae", "vector"}


def passes(found: Conformance) -> None:
    assert found.failed == [], {c.check: c.words for c in found.checks if c.status == "failed"}


def test_none_is_forgotten() -> None:
    assert {name.partition(":")[0] for name in (*QUICK, *OTHERS)} | WITH_FILES >= set(BUILT_IN)


@pytest.mark.parametrize("name", QUICK)
def test_it_keeps_its_promises(name: str) -> None:
    passes(check_steerer(make_config(steerer=name, **QUICK[name]), QUIET))


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_so_do_the_others(name: str) -> None:
    passes(check_steerer(make_config(steerer=name, **OTHERS[name]), QUIET))


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings", [{"per": "prompt"}, {"per": "token", "min_accuracy": 0.0}], ids=["per prompt", "every layer"]
)
def test_conva_both_ways_and_down(settings: dict[str, Any]) -> None:
    passes(check_steerer(make_config(steerer="conva", settings=settings, direction="negative"), QUIET))


@pytest.mark.slow
def test_vectors_of_a_file(tmp_path: Path) -> None:
    fitted = list(fit_values(make_config(steerer="caa", values="power"), tmp_path, QUIET, ("safetensors",)))
    (file,) = tmp_path.glob("*.vectors.safetensors")
    assert len(fitted) == 1
    found = check_steerer(make_config(steerer="vector", values="power", settings={"file": str(file)}), QUIET)
    passes(found)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["add", "clamp"])
def test_a_feature_of_an_autoencoder(tmp_path: Path, mode: str) -> None:
    checkpoint = str(build_checkpoint(tmp_path / "llama", length=1024))
    autoencoder = write_sae(tmp_path / "sae", load(checkpoint, device="cpu"))
    settings = {"path": str(autoencoder), "feature": 7, "mode": mode}
    passes(check_steerer(make_config(steerer="sae", model=checkpoint, settings=settings), QUIET))
