"""``vharness ls``"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from valuebench_harness.data.values import load_value_system
from valuebench_harness.harness.documents import make_documents
from valuebench_harness.harness.family import Family
from valuebench_harness.harness.listing import list_models, list_tasks


def test_tasks_that_are_listed_can_be_run() -> None:
    from valuebench_harness.data.datasets import load_dataset

    family = Family(load_dataset("schwartz"), "")
    listed = {t.name: t for t in list_tasks()}
    own = [listed[n] for n in ("schwartz", "schwartz_questionnaire", "schwartz_{value}")]
    names = [name for task in own for name in (task.names or (task.name,))]
    assert len(names) == 2 + len(load_value_system("schwartz").ids)
    for name in names:
        documents, foreign = make_documents([name], family, split="test", limit=1)
        assert documents
        assert not foreign


def test_steerers_with_their_settings(vharness: Command) -> None:
    found = {s["name"]: s for s in json.loads(vharness("ls", "steerers", "--format", "json").out)}
    assert {"base", "ica", "caa", "conva"} <= set(found)
    assert found["conva"]["default_gate"] == "probe"
    assert found["conva"]["settings"]["min_accuracy"] == 0.9
    assert "--set min_accuracy=0.9" in vharness("ls", "steerers", "--long").out
    assert "--set" not in vharness("ls", "steerers").out.replace("--steerer", "")


def test_models_of_the_hub_cache(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = tmp_path / "hub"
    snapshot = hub / "models--someone--tiny" / "snapshots" / ("a" * 40)
    shutil.copytree(checkpoint, snapshot)
    (hub / "models--someone--tiny" / "refs").mkdir()
    (hub / "models--someone--tiny" / "refs" / "main").write_text("a" * 40)
    encoder = hub / "models--someone--encoder" / "snapshots" / ("b" * 40)
    encoder.mkdir(parents=True)
    (encoder / "config.json").write_text('{"architectures": ["BertModel"]}')
    monkeypatch.setattr("huggingface_hub.utils._cache_manager.HF_HUB_CACHE", str(hub))
    found = {m.name: m for m in list_models()}
    assert found["someone/tiny"].commit == "a" * 40
    assert found["someone/tiny"].architecture == "LlamaForCausalLM"
    assert found["someone/tiny"].bytes > 0
    assert not found["someone/tiny"].problem
    assert found["someone/encoder"].problem
    assert "mini" in found


def test_runs_that_cannot_be_read_are_listed_as_such(vharness: Command, own_folders: Path) -> None:
    assert "No runs here yet" in vharness("ls", "runs").out
    (own_folders / "vharness-runs" / "broken").mkdir(parents=True)
    (own_folders / "vharness-runs" / "broken" / "run.json").write_text("{")
    (run,) = json.loads(vharness("ls", "runs", "--format", "json").out)
    assert run["status"] == "unreadable"
    assert "cannot be read as JSON" in run["problem"]
    assert "unreadable" in vharness("ls", "runs").out


def test_an_unknown_kind_of_thing(vharness: Command) -> None:
    done = vharness("ls", "judges")
    assert done.code == 2
    assert "steerers" in done.err
