"""A whole run on real data: a Llama folder, MMLU, ValueBench, a judge over HTTP - killed and resumed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.chat_server import ChatServer, Reply, Request
from tests.support.checkpoints import build_model, build_tokenizer
from valuebench_harness.data import mmlu, valuebench
from valuebench_harness.harness.records import VerdictRecord
from valuebench_harness.harness.run import Run, load_run

VHARNESS = Path(sys.executable).with_name("vharness")
N_EXAM, N_ITEMS = 460, 366


def judge(request: Request, _number: int) -> Reply:
    """A verdict that depends on the judged text alone; one in ten is nonsense."""
    judged = re.search(r"Question: (.*)\n===", request.content, re.DOTALL)
    assert judged is not None
    number = hashlib.sha256(judged.group(1).encode()).digest()[0]
    return Reply("I would rather not say" if number % 10 == 0 else f"Label: {('yes', 'no', 'unsure')[number % 3]}")


def build_llama(folder: Path, data: Path, *, width: int, layers: int) -> Path:
    """A Llama of random weights whose tokenizer was trained on the questions it is asked."""
    texts = [q.question for q in valuebench.items(data / "valuebench")]
    texts += [e.question for s in mmlu.VALUE_UNRELATED for e in mmlu.subject(s, "test", data / "mmlu")]
    tokenizer = build_tokenizer(vocab_size=4000, corpus=texts)
    model = build_model("llama", vocab_size=len(tokenizer), layers=layers, width=width, length=1024)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def command(model: Path, out: Path, server: ChatServer, *more: str) -> list[str]:
    return [
        *(str(VHARNESS), "eval", "--model", str(model), "--steerer", "caa", "--values", "achievement"),
        *("--tasks", "valuebench,mmlu_value_unrelated", "--judge", "openai", "--judge-url", server.url),
        *("--max-new-tokens", "8", "--max-unscored", "0.5", "--format", "json", "--quiet", "--out", str(out), *more),
    ]


def environment(home: Path, data: Path) -> dict[str, str]:
    return {
        **os.environ,
        "VHARNESS_HOME": str(home),
        "VHARNESS_DATA_DIR": str(data),
        "OPENAI_API_KEY": "sk-secret-of-the-test",
    }


def finish(arguments: list[str], env: dict[str, str]) -> None:
    done = subprocess.run(arguments, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["results"]["verdicts"] == 2 * N_ITEMS


def kill_when(arguments: list[str], env: dict[str, str], folder: Path, lines: int) -> None:
    """Starts a run and kills it with SIGKILL once so many lines stand in the shards of ``folder``."""
    process = subprocess.Popen(arguments, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        written = sum(path.read_bytes().count(b"\n") for path in folder.glob("*.jsonl"))
        if written >= lines:
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.02)
    assert process.wait() == -signal.SIGKILL, "the run was over before it could be killed"


def verdicts(run: Run) -> dict[tuple[str, str], VerdictRecord]:
    found = run.store.verdicts(run.info.judge)
    return {key: v.model_copy(update={"tokens": 0}) for key, v in found.items()}


def check(data: Path, folder: Path, *, width: int, layers: int, min_parameters: int) -> None:
    model = build_llama(folder / "model", data, width=width, layers=layers)
    assert (model / "model.safetensors").stat().st_size > 4 * min_parameters
    with ChatServer(judge).running() as server:
        finish(command(model, folder / "whole", server), environment(folder / "home-a", data))
        asked = len(server.requests)
        env = environment(folder / "home-b", data)
        again = command(model, folder / "broken", server)
        kill_when(again, env, folder / "broken" / "samples", 300)
        kill_when([*again, "--resume"], env, folder / "broken" / "verdicts", 60)
        finish([*again, "--resume"], env)
        # Equal answers are judged once; a kill may cost the calls that were under way, no more.
        assert asked <= 2 * N_ITEMS
        assert len(server.requests) - asked <= asked + 64 + 16

    whole, broken = load_run(folder / "whole"), load_run(folder / "broken")
    assert broken.samples == whole.samples
    assert len(whole.samples) == 2 * (N_EXAM + N_ITEMS)
    assert verdicts(broken) == verdicts(whole)
    same = {"cost"}
    assert broken.results.model_dump(exclude=same) == whole.results.model_dump(exclude=same)
    assert whole.results.unscored > 0
    exam = whole.results.base_exam
    assert exam is not None
    assert exam.n == N_EXAM
    assert len(whole.results.conditions[0].orientations) == 17
    stored = b"".join(p.read_bytes() for p in (folder / "whole").rglob("*") if p.is_file())
    assert b"sk-secret" not in stored


def test_real_data_survive_two_kills(real_data: Path, tmp_path: Path) -> None:
    check(real_data, tmp_path, width=256, layers=6, min_parameters=5_000_000)


@pytest.mark.slow
def test_real_data_on_sixty_million_parameters(real_data: Path, tmp_path: Path) -> None:
    check(real_data, tmp_path, width=1024, layers=7, min_parameters=55_000_000)
