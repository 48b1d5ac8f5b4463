from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.checkpoints import build_checkpoint
from valuebench_harness.cli.main import main


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.err.strip().splitlines()


Command = Callable[..., Outcome]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama of five layers that reads 1,024 tokens."""
    return build_checkpoint(tmp_path_factory.mktemp("models") / "tiny", length=1024)


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test works in its own folder, with its own cache and without data of the user."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VHARNESS_HOME", str(tmp_path / "home"))
    for name in ("VHARNESS_DATA_DIR", "OPENAI_API_KEY", "OPENAI_BASE_URL", "HF_ENDPOINT", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def vharness(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs the console script's function; an exception that reaches a user as a traceback fails the test."""

    def call(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["vharness", *map(str, arguments)])
        capsys.readouterr()
        code: object = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code
        captured = capsys.readouterr()
        assert "Traceback" not in captured.out + captured.err
        return Outcome(int(str(code or 0)), captured.out, captured.err)

    return call
