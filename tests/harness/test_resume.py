"""Runs that stop half-way: killed, without a judge, with another configuration."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.chat_server import ChatServer, Reply, Request
from tests.support.checkpoints import build_checkpoint
from valuebench_harness.errors import IncompleteError, UsageError
from valuebench_harness.harness.evaluate import evaluate
from valuebench_harness.harness.run import Run
from valuebench_harness.harness.store import RunStore

LENGTH = 640
"""The little tokenizer needs about three times as many tokens for a dilemma as a real one."""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_checkpoint(tmp_path_factory.mktemp("model") / "tiny", "llama", layers=3, width=16, length=LENGTH)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test begins with an empty cache."""
    monkeypatch.setenv("VHARNESS_HOME", str(tmp_path / "home"))


def settings(checkpoint: Path, **changes: Any) -> dict[str, Any]:
    fields = {
        "model": str(checkpoint),
        "steerer": "caa",
        "values": ("security",),
        "tasks": ("schwartz_security", "schwartz_questionnaire"),
        "limit": 2,
        "strength": (4.0,),
        "max_new_tokens": 4,
    }
    return {**fields, **changes}


def numbers(run: Run) -> dict[str, Any]:
    """``metrics.json`` without the seconds."""
    found = json.loads((run.folder / "metrics.json").read_text(encoding="utf-8"))
    found["cost"] = {k: v for k, v in found["cost"].items() if not k.endswith("seconds")}
    return dict(found)


SCRIPT = """
import json, sys
from valuebench_harness.harness.evaluate import evaluate
evaluate(out=sys.argv[1], **json.loads(sys.argv[2]))
"""


def run_and_kill(folder: Path, config: dict[str, Any], *, after: int) -> None:
    """Starts a run in a process and kills it once so many samples are on disk."""
    command = [sys.executable, "-c", SCRIPT, str(folder), json.dumps(config)]
    with subprocess.Popen(command) as process:
        while not (folder / "run.json").is_file() or written(folder) < after:
            assert process.poll() is None, "the run ended before it could be killed"
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL


def written(folder: Path) -> int:
    return sum(p.read_bytes().count(b"\n") for p in (folder / "samples").glob("*.jsonl"))


@pytest.mark.slow
@pytest.mark.parametrize("after", [0, 1])
def test_a_killed_run_goes_on_and_ends_like_an_unbroken_one(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    tasks = ("schwartz_security", "schwartz_power", "schwartz_tradition", "schwartz_questionnaire")
    config = settings(checkpoint, tasks=tasks, limit=6, n_samples=2, max_new_tokens=8, batch_size=4)
    killed, unbroken_folder = tmp_path / "killed", tmp_path / "unbroken"
    run_and_kill(killed, config, after=after)
    store = RunStore(killed)
    kept = store.samples()
    assert store.info().status == "planned"
    if kept:  # a run without a single answer simply starts; one with answers is gone on with on request only
        with pytest.raises(UsageError, match=r"unfinished \(planned\).*--resume"):
            evaluate(out=killed, **config)
    resumed = evaluate(out=killed, resume=True, **config)
    assert resumed.info.status == "complete"
    assert after <= len(kept) < len(resumed.samples)
    assert {k: resumed.samples[k] for k in kept} == kept
    monkeypatch.setenv("VHARNESS_HOME", str(tmp_path / "another home"))  # nothing of the first run is reused
    unbroken = evaluate(out=unbroken_folder, **config)
    assert resumed.samples == unbroken.samples
    assert numbers(resumed) == numbers(unbroken)
    answers = {(s.condition == "base", s.document, s.repeat): s.answer for s in unbroken.samples.values()}
    steered = [k for k in answers if not k[0]]
    assert any(answers[k] != answers[True, *k[1:]] for k in steered), "steering must have done something"


@pytest.fixture
def gone() -> str:
    """The address of a server that is not there."""
    with ChatServer(lambda *_: Reply()).running() as server:
        return server.url


def scripted(request: Request, _: int) -> Reply:
    return Reply("Label: fluent" if "grammatical" in request.content else "Label: yes")


def test_a_run_without_its_judge_is_generated_and_judged_later(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-do-not-write-me")
    folder = tmp_path / "run"
    config = settings(checkpoint, judge="openai", tasks=("schwartz_security",))
    with pytest.raises(IncompleteError, match="cannot be reached"):
        evaluate(out=folder, **config, judge_settings={"base_url": gone, "max_retries": 0})
    store = RunStore(folder)
    assert store.info().status == "generated"
    samples = store.samples()
    assert len(samples) == 4
    with pytest.raises(UsageError, match="no metrics yet: its status is 'generated'"):
        _ = Run(folder).results
    with ChatServer(scripted).running() as server:
        run = evaluate(out=folder, resume=True, **config, judge_settings={"base_url": server.url})
    assert run.info.status == "complete"
    assert run.samples == samples, "the model was not asked again"
    assert run.results.conditions[0].csr is not None
    assert run.results.conditions[0].csr.after.estimate == 1.0
    assert run.results.unscored == 0
    written = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert not any(b"sk-test" in p.read_bytes() for p in written)


def test_a_complete_run_is_read_back_and_can_be_judged_again(checkpoint: Path, tmp_path: Path) -> None:
    config = settings(checkpoint)
    first = evaluate(out=tmp_path / "run", **config)
    assert first.info.status == "complete"
    shards = sorted(p.name for p in (tmp_path / "run" / "samples").iterdir())
    again = evaluate(out=tmp_path / "run", **config)
    assert sorted(p.name for p in (tmp_path / "run" / "samples").iterdir()) == shards
    assert again.samples == first.samples
    assert numbers(again) == numbers(first)
    cached = evaluate(out=tmp_path / "copy", **config)
    assert cached.samples == first.samples
    assert numbers(cached) == numbers(first)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"strength": (5.0,)}, "its 'strength' is (4.0,), not (5.0,)"),
        ({"limit": 3}, "its 'limit' is 2, not 3"),
        ({"seed": 1}, "its 'seed' is 0, not 1"),
        ({"max_new_tokens": 5}, "is 4, not 5"),
        ({"steerer": "ica", "strength": None}, "its 'steerer' is 'caa', not 'ica'"),
    ],
)
def test_a_folder_with_another_configuration_is_named(
    checkpoint: Path, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    config = settings(checkpoint, tasks=("schwartz_security",), limit=2)
    folder = tmp_path / "run"
    evaluate(out=folder, **config)
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    for resume in (False, True):
        with pytest.raises(UsageError) as caught:
            evaluate(out=folder, resume=resume, **{**config, **changes})
        assert words in str(caught.value)
        assert str(folder) in str(caught.value)
        assert "--out" in str(caught.value)
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def test_how_a_run_is_made_may_change_on_resuming(checkpoint: Path, tmp_path: Path) -> None:
    config = settings(checkpoint, tasks=("schwartz_security",))
    first = evaluate(out=tmp_path / "run", **config)
    again = evaluate(out=tmp_path / "run", resume=True, **config, batch_size=1, max_unscored=1.0)
    assert again.samples == first.samples


def test_resuming_where_there_is_no_run_begins_one(checkpoint: Path, tmp_path: Path) -> None:
    """The same command line with ``--resume`` serves a job that is started again and again."""
    run = evaluate(out=tmp_path / "new", resume=True, **settings(checkpoint, tasks=("schwartz_security",)))
    assert run.info.status == "complete"


def test_a_key_given_as_a_setting_is_refused_and_not_written(checkpoint: Path, tmp_path: Path) -> None:
    config = settings(checkpoint, judge="openai", judge_settings={"api_key": "sk-test-do-not-write-me"})
    with pytest.raises(UsageError, match="api_key") as caught:
        evaluate(out=tmp_path / "run", **config)
    assert "sk-test" not in str(caught.value)
    assert not any(b"sk-test" in p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())


def test_a_lost_shard_is_made_again(checkpoint: Path, tmp_path: Path) -> None:
    """A run whose last samples never reached the disk, as after a power cut."""
    config = settings(checkpoint)
    first = evaluate(out=tmp_path / "run", **config)
    store = RunStore(tmp_path / "run")
    (shard,) = (store.folder / "samples").glob("*.jsonl")
    lines = shard.read_bytes().splitlines(keepends=True)
    shard.write_bytes(b"".join(lines[:3]) + lines[3][:40])
    store.write_info(store.info().model_copy(update={"status": "planned"}))
    again = evaluate(out=tmp_path / "run", resume=True, **config)
    assert again.samples == first.samples
    assert numbers(again) == numbers(first)


OWN = '''
from valuebench_harness.engine.plan import Message
from valuebench_harness.steerers import Steered, Steerer

class Shout(Steerer):
    """Asks in capitals."""
    name = "shout"
    source = "a test"
    strengths = "switch"

    def plan(self, request, artifact):
        if request.strength == 0:
            return Steered(request.messages)
        return Steered(tuple(Message(m.role, m.content.upper()) for m in request.messages))
'''


def test_a_users_own_steerer_runs_end_to_end(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text(OWN, encoding="utf-8")
    config = settings(checkpoint, steerer=f"{path}:Shout", strength=None, tasks=("schwartz_security",))
    run = evaluate(out=tmp_path / "run", **config)
    assert list(run.conditions) == ["base", "shout:security:+1"]
    answers = {a.sample.condition: a for a in run.answers()}
    base, shout = answers["base"], answers["shout:security:+1"]
    assert base.document.text in base.sample.prompt
    assert base.document.text.upper() in shout.sample.prompt
    assert (base.sample.steered, shout.sample.steered) == (False, True)
    assert run.results.conditions[0].steered_share == 1
