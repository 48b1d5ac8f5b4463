from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

CASE = """\
model: mini
steerer: caa
values: [security]
limit: 16
expect:
  csr: {min: 0.6}
"""


@pytest.fixture(scope="session")
def imported(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Imports all that a session does: pytester forgets modules after each, and torch cannot be imported twice."""
    import valuebench_harness.pytest_plugin.summary  # noqa: F401 - with what it imports
    from valuebench_harness import evaluate

    evaluate("mini", "caa", values=("security",), limit=16, out=tmp_path_factory.mktemp("first") / "run")


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project of somebody else's, with one file of expectations."""
    write(pytester, "test_security", CASE)
    return pytester


def write(pytester: pytest.Pytester, name: str, text: str) -> Path:
    """Writes a file of expectations."""
    path = pytester.path / f"{name}.vharness.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def run_folders(pytester: pytest.Pytester) -> Callable[[], list[Path]]:
    """Folders of the runs that were made, all sessions together."""
    return lambda: sorted(p.parent for p in (pytester.path / ".vharness").rglob("run.json"))


@pytest.fixture
def forget(pytester: pytest.Pytester) -> Callable[[], None]:
    """Forgets the sessions, as a fresh checkout does."""
    return lambda: shutil.rmtree(pytester.path / ".vharness", ignore_errors=True)
