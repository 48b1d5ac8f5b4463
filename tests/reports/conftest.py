from __future__ import annotations

from pathlib import Path

import pytest

from tests.reports.runs import HOSTILE, Spec, write_run
from valuebench_harness.harness.run import Run


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Three values at one strength, with a gate and an exam."""
    return write_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Steered answers that try to break whatever shows them, some of them unscored."""
    return write_run(tmp_path_factory.mktemp("hostile"), Spec(texts=HOSTILE, unscored=0.1, per_value=24))


@pytest.fixture(scope="session")
def base_only(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return write_run(tmp_path_factory.mktemp("base"), Spec(levels=(), steerer="base"))


@pytest.fixture(scope="session")
def levels(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Three strengths."""
    return write_run(tmp_path_factory.mktemp("levels"), Spec(levels=(1.0, 2.0, 4.0)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"
