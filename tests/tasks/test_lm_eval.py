"""The YAML tasks in stock lm-eval: they load, ask what our prompts say, and run in its own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import lm_eval
import pytest
import yaml
from lm_eval.tasks import TaskManager
from lm_eval.utils import apply_template

from valuebench_harness.data import mmlu, valuebench
from valuebench_harness.data.datasets import load_dataset
from valuebench_harness.data.values import load_value_system
from valuebench_harness.errors import UsageError
from valuebench_harness.tasks import include_path, metrics, prompts

VALUES = load_value_system("schwartz").ids

MMLU_ROWS = "question,choice0,choice1,choice2,choice3,answer\n" + "".join(
    f'" Which, is {i}? ",one,"two, too",three,four,{i % 4}\n' for i in range(6)
)


@pytest.fixture(scope="module")
def manager() -> TaskManager:
    return TaskManager(include_path=str(include_path()), include_defaults=False)


@pytest.fixture
def copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small folder of the real data sets' formats, named by ``VHARNESS_DATA_DIR``."""
    root = tmp_path / "copies"
    for split in ("dev", "test"):
        (root / "mmlu" / split).mkdir(parents=True)
        for subject in mmlu.VALUE_UNRELATED:
            (root / "mmlu" / split / f"{subject}_{split}.csv").write_text(MMLU_ROWS, encoding="utf-8")
    (root / "valuebench").mkdir()
    rows = "".join(
        f"Q,I do {i}.,{value.name},{1 if i % 2 else -1},Should I do {i}?\n"
        for value in load_value_system("valuebench").values
        for i in range(4)
    )
    (root / "valuebench" / "value_orientation.csv").write_text(
        f"questionnaire,item,value,agreement,question\n{rows}", encoding="utf-8"
    )
    (root / "conva").mkdir()
    for value in VALUES:
        (root / "conva" / f"test_{value}_new.csv").write_text('text\n"Now, should I?"\nShould she?\n', encoding="utf-8")
    monkeypatch.setenv("VHARNESS_DATA_DIR", str(root))
    return root


def load(manager: TaskManager, name: str) -> dict[str, Any]:
    tasks: dict[str, Any] = manager.load([name])["tasks"]
    return tasks


def prompt(task: Any, document: dict[str, Any]) -> str:
    return str(task.fewshot_context(document, 0))


def test_every_task_and_group_is_listed(manager: TaskManager) -> None:
    slugs = load_value_system("valuebench").ids
    expected = {f"{family}_{value}" for family in ("schwartz", "mini", "conva") for value in VALUES}
    expected |= {f"valuebench_{slug}" for slug in slugs} | {"mini_exam"}
    expected |= {f"mmlu_value_unrelated_{subject}" for subject in mmlu.VALUE_UNRELATED}
    assert set(manager.all_subtasks) == expected
    assert set(manager.all_groups) == {"schwartz", "mini", "conva", "valuebench", "mmlu_value_unrelated"}


def test_schwartz_loads_whole_and_asks_what_the_prompts_say(manager: TaskManager) -> None:
    tasks = load(manager, "schwartz")
    assert set(tasks) == {f"schwartz_{value}" for value in VALUES}
    for value in VALUES:
        task, items = tasks[f"schwartz_{value}"], load_dataset("schwartz").dilemmas(value)
        assert task.VERSION == 1.0
        assert [prompt(task, d) for d in task.eval_docs] == [prompts.dilemma(item) for item in items]


def test_the_built_in_models_tasks_hold_out_the_select_half(manager: TaskManager) -> None:
    dataset = load_dataset("mini")
    for value, task in zip(VALUES, load(manager, "mini").values(), strict=True):
        assert task.config.task == f"mini_{value}"
        assert {d["id"] for d in task.eval_docs} == {item.id for item in dataset.dilemmas(value, "test")}
        assert not {d["id"] for d in task.eval_docs} & {item.id for item in dataset.dilemmas(value, "select")}
    exam = load(manager, "mini_exam")["mini_exam"]
    assert [prompt(exam, d) for d in exam.eval_docs] == [prompts.exam(item) for item in dataset.exam()]


def test_a_dilemma_is_scored_by_its_answer(manager: TaskManager) -> None:
    task = load(manager, "schwartz_power")["schwartz_power"]
    for document, item in zip(task.eval_docs, load_dataset("schwartz").dilemmas("power"), strict=True):
        for option in (0, 1):
            scores = task.process_results(document, [f"I would {item.options[option]}."])
            assert scores.get("favour") == float(option == item.favours), item.id
        assert task.process_results(document, ["It depends."]) == {"unscored": 1.0}


@pytest.mark.parametrize("results", [[], [""], ["\x00\u202e\ud83d\ude00"], [None], [["yes"]], ["." * 10_000]])
@pytest.mark.parametrize("metric", [metrics.favour, metrics.agreement, metrics.answered])
def test_no_answer_raises(metric: Any, results: list[Any]) -> None:
    document = {"options": ["go", "stay"], "yes": None, "favours": 0, "agreement": 1}
    assert set(metric(document, results)) <= {"favour", "unscored", "answered"}


def test_agreement_follows_the_side_of_the_item() -> None:
    assert metrics.agreement({"agreement": 1}, ["Yes."]) == {"favour": 1.0, "unscored": 0.0}
    assert metrics.agreement({"agreement": -1}, ["Yes."]) == {"favour": 0.0, "unscored": 0.0}
    assert metrics.agreement({"agreement": -1}, ["No."]) == {"favour": 1.0, "unscored": 0.0}
    assert metrics.agreement({"agreement": 1}, ["Perhaps."]) == {"unscored": 1.0}


@pytest.mark.usefixtures("copies")
def test_tasks_on_the_users_copies(manager: TaskManager) -> None:
    questionnaire = load(manager, "valuebench")
    assert len(questionnaire) == 17
    task = questionnaire["valuebench_breadth_of_interest"]
    items = valuebench.questionnaire("breadth_of_interest")
    assert [prompt(task, d) for d in task.eval_docs] == [prompts.questionnaire(item) for item in items]
    conva = load(manager, "conva")
    assert [prompt(conva["conva_power"], d) for d in conva["conva_power"].eval_docs] == [
        "Now, should I?",
        "Should she?",
    ]
    assert conva["conva_power"].process_results({}, ["Yes."]) == {"answered": 1.0}


@pytest.mark.usefixtures("copies")
def test_mmlu_prompts_equal_those_of_lm_evals_own_task(manager: TaskManager) -> None:
    own = Path(lm_eval.__file__).parent / "tasks" / "mmlu" / "default"
    template = yaml.safe_load((own / "_default_template_yaml").read_text(encoding="utf-8"))
    for subject in mmlu.VALUE_UNRELATED:
        theirs = yaml.safe_load((own / f"mmlu_{subject}.yaml").read_text(encoding="utf-8"))
        task = load(manager, "mmlu_value_unrelated")[f"mmlu_value_unrelated_{subject}"]
        for document in task.eval_docs:
            expected = theirs["description"] + apply_template(template["doc_to_text"], document)
            assert prompt(task, document) == expected
        shot = task.fewshot_context(task.eval_docs[0], 1)
        assert shot.count("Answer:") == 2
        assert shot.split("\n\n")[1].endswith("Answer: A")
        assert task.doc_to_choice(document) == template["doc_to_choice"]


@pytest.mark.parametrize("name", ["conva_power", "valuebench_empathy", "mmlu_value_unrelated"])
def test_without_data_the_error_says_how_to_get_it(
    manager: TaskManager, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("VHARNESS_DATA_DIR", raising=False)
    monkeypatch.setenv("VHARNESS_HOME", str(tmp_path))
    with pytest.raises(UsageError, match=r"VHARNESS_DATA_DIR is not set.*vharness data pull"):
        manager.load([name])


@pytest.mark.slow
def test_stock_lm_eval_runs_the_tasks_in_its_own_process(copies: Path, tmp_path: Path) -> None:
    from tests.support.checkpoints import build_checkpoint

    model = build_checkpoint(tmp_path / "model", length=1024, layers=2)
    names = "schwartz_power,valuebench_empathy,conva_power,mmlu_value_unrelated,mini_tradition,mini_exam"
    subprocess.run(
        [
            sys.executable, "-m", "lm_eval", "--model", "hf",
            "--model_args", f"pretrained={model},dtype=float32", "--device", "cpu", "--batch_size", "8",
            "--include_path", str(include_path()), "--tasks", names, "--limit", "3",
            "--output_path", str(tmp_path / "out"), "--log_samples",
        ],
        check=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "VHARNESS_DATA_DIR": str(copies)},
        timeout=900,
    )  # fmt: skip
    (path,) = (tmp_path / "out").rglob("results_*.json")
    results = json.loads(path.read_text(encoding="utf-8"))["results"]
    assert 0 <= results["schwartz_power"]["unscored,none"] <= 1
    assert 0 <= results["mmlu_value_unrelated"]["acc,none"] <= 1
    (samples,) = (tmp_path / "out").rglob("samples_schwartz_power_*.jsonl")
    first = json.loads(samples.read_text(encoding="utf-8").splitlines()[0])
    assert first["arguments"]["gen_args_0"]["arg_0"] == prompts.dilemma(load_dataset("schwartz").dilemmas("power")[0])
