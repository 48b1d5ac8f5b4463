from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from valuebench_harness.harness.collect.config import CollectConfig, make_collect_config
from valuebench_harness.harness.collect.plan import make_collect_plan
from valuebench_harness.harness.collect.records import CollectInfo
from valuebench_harness.harness.collect.session import collect
from valuebench_harness.harness.config import RunConfig, make_config
from valuebench_harness.harness.progress import Reporter

Collect = Callable[..., CollectInfo]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test begins with an empty cache."""
    monkeypatch.setenv("VHARNESS_HOME", str(tmp_path / "home"))


def configured(**settings: Any) -> CollectConfig:
    """A collection on ``mini``: keys of a run and of a collection together."""
    run = {k: v for k, v in settings.items() if k in RunConfig.model_fields}
    own = {k: v for k, v in settings.items() if k not in run}
    return make_collect_config(make_config(**run), **own)


@pytest.fixture
def collected(tmp_path: Path) -> Collect:
    """Collects into a folder below the test's own."""

    def run(name: str, *, resume: bool = False, **settings: Any) -> CollectInfo:
        plan = make_collect_plan(configured(**settings))
        return collect(plan, tmp_path / name, resume=resume, report=Reporter(quiet=True))

    return run
