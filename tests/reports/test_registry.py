from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.reports.runs import write_run
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.run import Run
from valuebench_harness.reports.registry import FORMATS, check_format, render, write_all


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_format_renders_every_kind_of_run(name: str, run: Run, base_only: Run, levels: Run, hostile: Run) -> None:
    for each in (run, base_only, levels, hostile):
        assert len(render(each, name)) > 200


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_rendering_is_repeatable(name: str, run: Run) -> None:
    assert render(run, name) == render(Run(run.folder), name)


def test_unknown_format_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean 'html'"):
        check_format("htm")


def test_write_all_writes_whole_files_into_the_run(folder: Path) -> None:
    run = write_run(folder)
    files = write_all(run)
    assert set(files) == {"html", "md", "json", "csv", "parquet"}
    assert all(path.parent == folder and path.stat().st_size > 0 for path in files.values())
    assert not list(folder.glob("*.part"))
    assert files["md"].read_text(encoding="utf-8") == render(run, "md")


def test_a_run_without_metrics_says_so(folder: Path) -> None:
    write_run(folder)
    (folder / "metrics.json").unlink()
    with pytest.raises(UsageError, match="has no metrics yet"):
        render(Run(folder), "text")


def test_choosing_a_format_loads_nothing_heavy() -> None:
    code = (
        "import sys; from valuebench_harness.reports.registry import check_format; check_format('md');"
        "assert not {'torch', 'transformers', 'pyarrow', 'jinja2', 'rich'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
