"""pytest's hooks. A project that does not use the plugin pays for this file only; all else is imported on use."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from valuebench_harness.errors import VharnessError

if TYPE_CHECKING:
    from valuebench_harness.pytest_plugin.measured import MeasuredRun

MARK = "vharness"
SUFFIXES = (".vharness.yaml", ".vharness.yml")
SESSION = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options."""
    from valuebench_harness.pytest_plugin.options import add_options

    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Declares the marker, and refuses options that make no sense before anything is run."""
    config.addinivalue_line(
        "markers", "vharness(model=..., steerer=..., value=..., **keys): what the fixture vharness_run evaluates"
    )
    if any(config.getoption(f"--vharness-{name}") for name in ("save", "compare", "update", "update-new")):
        from valuebench_harness.pytest_plugin.state import state_of

        try:
            state_of(config)
        except VharnessError as error:
            raise pytest.UsageError(str(error)) from None


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collects files of expectations."""
    if not (file_path.name.startswith("test_") and file_path.name.endswith(SUFFIXES)):
        return None
    from valuebench_harness.pytest_plugin.items import ExpectationFile

    collector: pytest.Collector = ExpectationFile.from_parent(parent, path=file_path)
    return collector


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Adds the gates of a baseline behind the tests whose runs they look at."""
    if any(_concerns(item) for item in items):
        from valuebench_harness.pytest_plugin.gating import add_gates

        add_gates(config, items)


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Remembers which runs deselected tests belong to, so that their baselines are no orphans."""
    mine = [item for item in items if _concerns(item)]
    if mine:
        from valuebench_harness.pytest_plugin.gating import remember

        remember(mine)


def _concerns(item: pytest.Item) -> bool:
    return item.get_closest_marker(MARK) is not None or hasattr(item, "run_config")


@pytest.fixture(scope="session")
def vharness(request: pytest.FixtureRequest) -> Callable[..., MeasuredRun]:
    """Evaluates a configuration, once a session: ``vharness(model="mini", steerer="caa", values=["security"])``."""
    from valuebench_harness.harness.config import make_config
    from valuebench_harness.pytest_plugin.state import state_of

    def evaluate(**keys: Any) -> MeasuredRun:
        with _told():
            return state_of(request.config).measure(make_config(**keys))

    return evaluate


@pytest.fixture
def vharness_run(request: pytest.FixtureRequest) -> MeasuredRun:
    """The run of the test's ``@pytest.mark.vharness(...)``."""
    from valuebench_harness.pytest_plugin.gating import marked_config
    from valuebench_harness.pytest_plugin.state import state_of

    with _told():
        run = state_of(request.config).measure(marked_config(request.node))
    request.node.user_properties.append(("vharness", json.dumps({"run": run.facts()})))
    return run


@contextmanager
def _told() -> Iterator[None]:
    """Errors that are meant for people fail the test with their words only."""
    try:
        yield
    except VharnessError as error:
        message = str(error)
    else:
        return
    pytest.fail(message, pytrace=False)  # outside of the handler, so that no exception stands behind it


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Says what a number rests on when an assertion about it fails."""
    if type(left).__module__ != "valuebench_harness.pytest_plugin.measured":
        left, right = right, left
        op = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}.get(op, op)
    lines = getattr(left, "lines", None)
    if type(left).__module__ != "valuebench_harness.pytest_plugin.measured" or lines is None:
        return None
    first, *rest = lines()
    return [f"{first}, expected {op} {right}", *rest]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tells the workers of pytest-xdist what only the controller knows."""
    node.workerinput["vharness_complete"] = _complete(node.config)
    node.workerinput["vharness_session"] = session_id(node.config)


def session_id(config: pytest.Config) -> str:
    """Names the session: the same in all its processes and nowhere else."""
    workerinput = getattr(config, "workerinput", None)
    if workerinput is not None:
        return str(workerinput["vharness_session"])
    if SESSION not in config.stash:
        config.stash[SESSION] = f"{int(time.time() * 1000):x}-{os.getpid()}"
    return config.stash[SESSION]


def _complete(config: pytest.Config) -> bool:
    """Whether the session collects the whole project, so that what it lacks is missing."""
    workerinput = getattr(config, "workerinput", None)
    if workerinput is not None:
        return bool(workerinput["vharness_complete"])
    return config.args_source is not pytest.Config.ArgsSource.ARGS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Prints the table of runs and expectations; writes the page and GitHub's summary."""
    reports = [
        r
        for group in terminalreporter.stats.values()
        for r in group
        if isinstance(r, pytest.TestReport)
        and r.when == "call"
        and any(key == "vharness" for key, _ in r.user_properties)
    ]
    if reports:
        from valuebench_harness.pytest_plugin.summary import show

        show(terminalreporter, config, reports)
