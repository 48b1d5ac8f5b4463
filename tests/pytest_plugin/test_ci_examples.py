"""The workflow and the pre-commit hook of docs/pytest.md, run as far as they run without GitHub and pre-commit."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.pytest_plugin.conftest import CASE, write
from valuebench_harness.data.sources import home
from valuebench_harness.harness.compare.baselines import load_baseline, render

PAGE = Path(__file__).parents[2] / "docs" / "pytest.md"
BEST: dict[str, float | None] = {"csr": 1.0, "fr": 1.0, "exam": 1.0, "side_effects": 0.0}


def example(path: str) -> Any:
    """The block of the page that begins with a comment naming its file."""
    blocks = re.findall(r"```yaml\n# (\S+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return yaml.safe_load(dict(blocks)[path])


@pytest.fixture
def job() -> dict[str, Any]:
    workflow = example(".github/workflows/steering.yml")
    assert workflow[True] == ["pull_request"]  # YAML 1.1, which PyYAML reads, takes "on" for a truth value
    (found,) = workflow["jobs"].values()
    return dict(found)


@pytest.fixture
def hook() -> dict[str, Any]:
    (repo,) = example(".pre-commit-config.yaml")["repos"]
    assert repo["repo"] == "local"
    (found,) = repo["hooks"]
    return dict(found)


@pytest.fixture
def committed(pytester: pytest.Pytester, imported: None) -> Path:
    """A project with a file of expectations and its baseline, made as the page says; returns the baseline."""
    assert "\npytest --vharness-save main " in PAGE.read_text(encoding="utf-8")
    write(pytester, "test_security", CASE.replace("limit: 16", "limit: 4").replace("csr: {min: 0.6}", "fr: {min: 0}"))
    assert pytester.runpytest_inprocess("--vharness-save", "main").ret == 0
    (path,) = (pytester.path / "vharness-baselines" / "main").glob("*.json")
    return path


def test_the_workflow_is_one_that_github_takes(job: dict[str, Any]) -> None:
    assert set(job) == {"runs-on", "steps"}
    for step in job["steps"]:
        assert ("uses" in step) != ("run" in step)
        assert set(step) <= {"uses", "run", "with", "env", "if"}
        if "uses" in step:
            assert re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"])
    named = [step["uses"].split("@")[0] for step in job["steps"] if "uses" in step]
    assert named[:2] == ["actions/checkout", "actions/setup-python"]
    (install, check) = (step["run"] for step in job["steps"] if "run" in step)
    assert install.split()[:2] == ["pip", "install"]
    assert f"--vharness-html={job['steps'][-1]['with']['path']}" in check.split()


def test_the_workflow_fails_on_a_regression_and_writes_the_summary(
    job: dict[str, Any], pytester: pytest.Pytester, committed: Path, tmp_path: Path
) -> None:
    """Run as GitHub runs it: ``bash -e`` on the step's script, environment values as they are written."""
    before = load_baseline(committed)
    best = {metric: {item: [number] for item in before.outcomes[metric]} for metric, number in BEST.items()}
    committed.write_text(render(before.model_copy(update={"outcomes": {**before.outcomes, **best}})), encoding="utf-8")
    # What actions/cache brings back.
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "vharness").symlink_to(home())
    step = next(step for step in job["steps"] if step.get("run", "").startswith("pytest"))
    done = subprocess.run(
        ["bash", "-e", "-c", step["run"]],
        cwd=pytester.path,
        env={
            **os.environ,
            **step["env"],
            "HOME": str(tmp_path),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    assert "regression: " in done.stdout
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8").replace("\\", "")
    assert re.search(r"^\| vharness-mini_caa_security_\w+-\w+ \| \*\*\[worse\]\*\* \|", summary, re.MULTILINE), summary
    assert not (pytester.path / "~").exists()
    for file in ("junit.xml", "vharness.html"):
        assert (pytester.path / file).is_file()


def test_the_hook_runs_on_expectations_only_and_passes_as_committed(
    hook: dict[str, Any], pytester: pytest.Pytester, committed: Path
) -> None:
    """As pre-commit does: ``files`` is searched in each changed path, ``entry`` is split and run from the root."""
    assert (hook["language"], hook["pass_filenames"]) == ("system", False)
    assert {"id", "name", "entry"} <= set(hook)
    changed = ["test_security.vharness.yaml", "sub/test_more.vharness.yaml", "README.md", "test_x.vharness.yaml.orig"]
    assert [bool(re.search(hook["files"], path)) for path in changed] == [True, True, False, False]
    command, *arguments = shlex.split(hook["entry"])
    assert command == "pytest"
    assert pytester.runpytest_inprocess(*arguments).ret == 0
