"""The command line answers at once: help imports nothing heavy."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.conftest import Command
from valuebench_harness import __version__

HEAVY = ("torch", "transformers", "lm_eval", "sae_lens", "sklearn", "pandas", "datasets", "numpy", "pydantic", "rich")


def test_the_command_line_imports_nothing_heavy() -> None:
    code = (
        "import sys, valuebench_harness, valuebench_harness.cli.main\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_imports_nothing_heavy_and_names_every_verb() -> None:
    code = (
        "import sys\nfrom valuebench_harness.cli.main import main\nsys.argv = ['vharness', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("[]")
    for verb in ("eval", "try", "fit", "report", "ls", "doctor", "data", "cache"):
        assert f"\n  {verb} " in done.stdout


@pytest.mark.parametrize(
    "verb",
    [
        *(["eval"], ["try"], ["fit"], ["report"], ["ls"], ["doctor"]),
        *(["data", "ls"], ["data", "pull"], ["data", "check"]),
        *(["cache", "show"], ["cache", "gc"], ["cache", "clear"]),
    ],
    ids=" ".join,
)
def test_every_verb_has_help_whose_defaults_are_readable(vharness: Command, verb: list[str]) -> None:
    done = vharness(*verb, "--help")
    assert done.code == 0
    assert done.out.startswith(f"Usage: vharness {' '.join(verb)}")
    if verb == ["eval"]:
        assert "[mini]" in done.out  # not taken for markup and swallowed


def test_version(vharness: Command) -> None:
    assert vharness("--version").out == f"vharness {__version__}\n"


def test_a_mistyped_verb_is_answered_with_the_nearest(vharness: Command) -> None:
    done = vharness("evla")
    assert done.code == 2
    assert "'eval'" in done.err
