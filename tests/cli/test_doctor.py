"""``vharness doctor``"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command

SECRET = "sk-this-must-never-be-shown"


def test_doctor_looks_at_everything_and_shows_no_secret(vharness: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    done = vharness("doctor", "--format", "json")
    found = {c["name"]: c for c in json.loads(done.out)}
    assert SECRET not in done.out
    assert found["OPENAI_API_KEY"]["found"].startswith("set;")
    for name in ("python", "packages", "extra sae", "cache", "runs", "HF_TOKEN", "device", "data schwartz", "mini"):
        assert name in found
    assert found["python"]["level"] == "ok"
    assert "torch " in found["packages"]["found"]
    assert found["data mmlu"]["level"] == "warn"
    assert "vharness data pull mmlu" in found["data mmlu"]["advice"]
    for check in found.values():
        assert check["level"] == "ok" or check["advice"]
    assert done.code == (1 if any(c["level"] == "fail" for c in found.values()) else 0)


def test_a_malformed_file_of_model_names_fails(
    vharness: Command, own_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_folders / "models.yaml").write_text("mine: {idd: a/b}")
    monkeypatch.setenv("VHARNESS_MODELS", str(own_folders / "models.yaml"))
    done = vharness("doctor", "--format", "json")
    found = {c["name"]: c for c in json.loads(done.out)}
    assert found["model names"]["level"] == "fail"
    assert "Did you mean 'id'?" in found["model names"]["found"]
    assert done.code == 1


def test_a_cache_folder_that_cannot_be_written_fails(
    vharness: Command, own_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_folders / "file").write_text("")
    monkeypatch.setenv("VHARNESS_HOME", str(own_folders / "file" / "below"))
    done = vharness("doctor")
    assert done.code == 1
    assert "cannot be written" in done.out
    assert "Set VHARNESS_HOME to another folder." in done.out
