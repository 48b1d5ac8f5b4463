"""lm-eval's own command line with steered models in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lm_eval import simple_evaluate
from lm_eval.api.registry import get_model
from lm_eval.tasks import TaskManager

from tests.support.checkpoints import build_checkpoint
from valuebench_harness.errors import UsageError
from valuebench_harness.harness import lm_command
from valuebench_harness.harness.lm import SteeredLM
from valuebench_harness.harness.lm_command import CommandLineLM, config_of
from valuebench_harness.tasks import include_path

TASK = """
task: my_colours
dataset_path: json
dataset_kwargs: {{data_files: {{test: {folder}/colours.jsonl}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: answer
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
"""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_checkpoint(tmp_path_factory.mktemp("llama"), length=512)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "tasks"
    folder.mkdir()
    rows = [
        {"question": f"Which colour has the {thing}?", "choices": ["red", "green", "pale blue"], "answer": n % 3}
        for n, thing in enumerate(("sky", "grass", "sun", "sea", "road", "bridge"))
    ]
    (folder / "colours.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "colours.yaml").write_text(TASK.format(folder=folder), encoding="utf-8")
    return folder


def test_arguments_become_a_configuration() -> None:
    config = config_of(
        {"pretrained": "mini", "steerer": "caa", "value": "power:1+security:-0.5", "strength": 2, "layers": "1-2"}
        | {"settings.scope": "prompt", "gate": "probe", "gate_settings.g0": 0.6, "dtype": "float32", "seed": 3},
        {"batch_size": 8, "device": "cpu", "max_batch_size": None},
    )
    assert (config.model, config.steerer, config.values) == ("mini", "caa", ("power:1+security:-0.5",))
    assert (config.strength, config.layers, config.seed) == ((2.0,), (1, 2), 3)
    assert (config.settings, config.gate_settings) == ({"scope": "prompt"}, {"g0": 0.6})
    assert (config.batch_size, config.device_map) == (8, "cpu")
    defaults = config_of({"pretrained": "mini"}, {"batch_size": 1, "device": "cuda:0"})
    assert (defaults.batch_size, defaults.device_map, defaults.steerer) == (None, None, "base")
    assert config_of({}, {"batch_size": "auto"}).batch_size is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"valu": "power"}, "Unknown key of --model_args 'valu'. Did you mean 'value'"),
        ({"limit": 3}, "Unknown key of --model_args 'limit'"),
        ({"strength": "much"}, "'strength': 'much' in 'much' is not a number"),
        ({"steerer": "caa"}, "'caa' steers a value: add value=security"),
        ({"steerer": "caa", "value": "power", "strength": "1:3"}, "one condition"),
        ({"steerer": "caa", "value": "pwoer"}, "Did you mean 'power'"),
        ({"steerer": "caaa", "value": "power"}, "Did you mean 'caa'"),
    ],
)
def test_bad_arguments_are_named_before_a_model_is_loaded(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        CommandLineLM.create_from_arg_obj({"pretrained": "no-such-folder", **arguments})


def test_stock_lm_eval_finds_the_model_by_name_and_steers_it(checkpoint: Path, own: Path) -> None:
    assert get_model("vharness") is CommandLineLM
    manager = TaskManager(include_path=str(own), include_defaults=False)

    def logprobs(arguments: str) -> list[float]:
        found = simple_evaluate(
            model="vharness",
            model_args=f"pretrained={checkpoint},dtype=float32,{arguments}",
            tasks=["my_colours"],
            task_manager=manager,
            log_samples=True,
        )
        return [r[0][0] for s in found["samples"]["my_colours"] for r in s["resps"]]

    base = logprobs("steerer=base")
    assert logprobs("steerer=caa,value=security,strength=0") == base
    steered = logprobs("steerer=caa,value=security,strength=30")
    assert steered != base
    assert logprobs("steerer=caa,value=power:1+security:-1,strength=30") != steered


def test_a_gated_model_is_made_with_its_gate(checkpoint: Path) -> None:
    lm = CommandLineLM.create_from_arg_string(
        f"pretrained={checkpoint},steerer=caa,value=security,gate=probe", {"batch_size": "4"}
    )
    assert isinstance(lm, SteeredLM)
    assert lm.batch_size == 4
    (method,) = lm._prompter._methods
    assert method.gate is not None
    assert method.gate_artifact is not None


def test_an_option_that_would_lose_conversations_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for option in ("--cache_requests=true", "--cache_requests"):
        with pytest.raises(UsageError, match="--cache_requests"):
            lm_command.run(["--model", "vharness", option])


@pytest.mark.slow
def test_the_command_runs_stock_lm_eval(checkpoint: Path, own: Path, tmp_path: Path) -> None:
    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        start = "from valuebench_harness.cli.main import main; main()"
        environment = {**os.environ, "VHARNESS_HOME": str(tmp_path / "home")}
        return subprocess.run(
            [sys.executable, "-c", start, "lm-eval", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )

    arguments = f"pretrained={checkpoint},steerer=caa,value=security,strength=30,dtype=float32"
    done = command(
        *("--model", "vharness", "--model_args", arguments, "--tasks", "my_colours"),
        *("--include_path", str(own), "--output_path", str(tmp_path / "out")),
    )
    assert done.returncode == 0, done.stderr
    assert "|my_colours|" in done.stdout
    (file,) = (tmp_path / "out").rglob("results_*.json")
    assert "acc,none" in json.loads(file.read_text(encoding="utf-8"))["results"]["my_colours"]
    assert "lm-eval" in command("--help").stdout
    wrong = command("--model", "vharness", "--model_args", "pretrained=mini,valu=power", "--tasks", "mini_power")
    assert wrong.returncode == 2
    assert wrong.stderr.strip().splitlines()[-1] == "error: Unknown key of --model_args 'valu'. Did you mean 'value'?"
    assert "Traceback" not in wrong.stderr


def test_shipped_tasks_do_not_trip_over_the_models_arguments() -> None:
    """lm-eval hands a task's function the model's arguments as well, so 'value' must be theirs alone."""
    manager = TaskManager(include_path=str(include_path()), include_defaults=False, metadata={"value": "security"})
    task = manager.load(["schwartz_power"])["tasks"]["schwartz_power"]
    assert {doc["value"] for doc in task.test_docs()} == {"power"}
