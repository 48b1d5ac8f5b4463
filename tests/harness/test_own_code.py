"""A user's method that raises: what is finished stays, the user's own lines are shown, the run goes on once mended."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.checkpoints import build_checkpoint
from valuebench_harness.errors import IncompleteError, UsageError
from valuebench_harness.harness.evaluate import evaluate
from valuebench_harness.harness.store import RunStore


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_checkpoint(tmp_path_factory.mktemp("model") / "tiny", "llama", layers=3, width=16, length=640)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VHARNESS_HOME", str(tmp_path / "home"))


IN_PLAN = '''
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
        return Steered(tuple(self.loud(m) for m in request.messages))

    def loud(self, message):
        {body}
'''

IN_FIT = """
import numpy as np
from valuebench_harness.steerers import Steered, Steerer

class Shout(Steerer):
    name = "shout"
    source = "a test"

    def fit(self, context):
        return np.zeros(3) @ np.zeros(4)

    def plan(self, request, artifact):
        return Steered(request.messages)
"""

IN_THE_MIDDLE = """
import numpy as np
from valuebench_harness.engine.arrays import FrozenArray
from valuebench_harness.engine.intervention import Intervention
from valuebench_harness.engine.kinds import register
from valuebench_harness.engine.plan import SteerPlan
from valuebench_harness.steerers import Steered, Steerer

CALLS = []

@register("test-push", vectors=("vector",))
def push(h, params):
    CALLS.append(len(h))
    if len(CALLS) > {allowed}:
        raise FloatingPointError("too hot")
    return h + params["coefficient"] * params["vector"]

class Push(Steerer):
    name = "push"
    source = "a test"

    def plan(self, request, artifact):
        if request.strength == 0:
            return Steered(request.messages)
        vector = FrozenArray(np.ones(request.shape.width, dtype=np.float32))
        step = Intervention("test-push", 1, {{"vector": vector}}, coefficient=request.strength)
        return Steered(request.messages, SteerPlan((step,)))
"""


def settings(checkpoint: Path, steerer: str, **changes: Any) -> dict[str, Any]:
    fields = {
        "model": str(checkpoint),
        "steerer": steerer,
        "values": ("security",),
        "tasks": ("schwartz_security",),
        "limit": 6,
        "max_new_tokens": 3,
        "max_unscored": 1.0,
        "batch_size": 2,
    }
    return {**fields, **changes}


def test_a_plan_that_raises_shows_the_users_own_lines_and_goes_on_once_mended(checkpoint: Path, tmp_path: Path) -> None:
    path, folder = tmp_path / "own.py", tmp_path / "run"
    path.write_text(IN_PLAN.format(body='return {}["key"]'), encoding="utf-8")
    config = settings(checkpoint, f"{path}:Shout")
    with pytest.raises(IncompleteError) as caught:
        evaluate(out=folder, **config)
    text = str(caught.value)
    assert "The steerer 'shout' failed while planning" in text
    assert 'return {}["key"]' in text
    assert "KeyError: 'key'" in text
    assert "--resume" in text
    assert "valuebench_harness/harness" not in text, "only the user's own frames"
    assert RunStore(folder).info().status == "planned"
    path.write_text(IN_PLAN.format(body="return Message(message.role, message.content.upper())"), encoding="utf-8")
    run = evaluate(out=folder, resume=True, **config)
    assert run.info.status == "complete"
    assert all(a.document.text.upper() in a.sample.prompt for a in run.answers() if a.condition.id != "base")
    path.write_text(IN_PLAN.format(body="return message"), encoding="utf-8")
    with pytest.raises(UsageError, match="method's code or its training texts have changed"):
        evaluate(out=folder, resume=True, **config)


def test_answers_of_a_method_since_mended_are_made_again(checkpoint: Path, tmp_path: Path) -> None:
    """A resumed run never mixes answers of two versions of a method."""
    path, folder = tmp_path / "own.py", tmp_path / "run"
    path.write_text(IN_PLAN.format(body="return Message(message.role, '1 ' + message.content)"), encoding="utf-8")
    config = settings(checkpoint, f"{path}:Shout")
    evaluate(out=folder, **config)
    store = RunStore(folder)
    kept = store.samples()
    store.write_info(store.info().model_copy(update={"status": "planned"}))  # as if it had been stopped
    path.write_text(IN_PLAN.format(body="return Message(message.role, '2 ' + message.content)"), encoding="utf-8")
    run = evaluate(out=folder, resume=True, **config)
    for key, sample in run.samples.items():
        assert (sample == kept[key]) == (sample.condition == "base")
        assert sample.condition == "base" or "<|user|>2 " in sample.prompt


def test_a_fit_that_raises_is_told(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text(IN_FIT, encoding="utf-8")
    with pytest.raises(IncompleteError, match=r"failed while fitting 'security'") as caught:
        evaluate(out=tmp_path / "run", **settings(checkpoint, f"{path}:Shout"))
    assert "return np.zeros(3) @ np.zeros(4)" in str(caught.value)
    assert "ValueError: matmul" in str(caught.value)


def test_an_error_of_our_own_is_not_taken_for_the_users(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from valuebench_harness.engine.model import SteeredModel

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("ours")

    path = tmp_path / "own.py"
    path.write_text(IN_PLAN.format(body="return message"), encoding="utf-8")
    monkeypatch.setattr(SteeredModel, "generate", broken)
    with pytest.raises(ZeroDivisionError, match="ours"):
        evaluate(out=tmp_path / "run", **settings(checkpoint, f"{path}:Shout"))


def test_what_is_finished_before_a_failure_in_the_middle_stays(checkpoint: Path, tmp_path: Path) -> None:
    path, folder = tmp_path / "own.py", tmp_path / "run"
    path.write_text(IN_THE_MIDDLE.format(allowed=7), encoding="utf-8")
    config = settings(checkpoint, f"{path}:Push", batch_size=1)
    with pytest.raises(IncompleteError, match="failed while steering the model") as caught:
        evaluate(out=folder, **config)
    assert 'raise FloatingPointError("too hot")' in str(caught.value)
    kept = RunStore(folder).samples()
    steered = [s for s in kept.values() if s.condition != "base"]
    assert 0 < len(steered) < 6
    path.write_text(IN_THE_MIDDLE.format(allowed=10_000), encoding="utf-8")
    run = evaluate(out=folder, resume=True, **config)
    assert run.info.status == "complete"
    assert len(run.samples) == 12
    assert {k: run.samples[k] for k in kept} == kept, "the same plan: nothing is asked again"
    unbroken = evaluate(out=tmp_path / "unbroken", **config)
    assert unbroken.samples == run.samples


@pytest.mark.slow
def test_the_command_line_shows_the_users_lines_and_leaves_with_3(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text(IN_PLAN.format(body="raise RuntimeError('mine')"), encoding="utf-8")
    start = "from valuebench_harness.cli.main import main; main()"
    command = [sys.executable, "-c", start, "eval", "--model", str(checkpoint)]
    command += ["--steerer", f"{path}:Shout", "--values", "security", "--tasks", "schwartz_security", "--limit", "2"]
    done = subprocess.run([*command, "--out", str(tmp_path / "run"), "-q"], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "raise RuntimeError('mine')" in done.stderr
    assert "RuntimeError: mine" in done.stderr
    assert "session.py" not in done.stderr
