"""lm-eval's tasks within a run: the user's own, and what can be wrong with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lm_eval import evaluate, simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from tests.support.checkpoints import build_checkpoint
from valuebench_harness.engine.loading import load
from valuebench_harness.errors import IncompleteError, UsageError
from valuebench_harness.harness.cache import Cache
from valuebench_harness.harness.config import RunConfig, make_config
from valuebench_harness.harness.family import family_of
from valuebench_harness.harness.lm import SteeredLM
from valuebench_harness.harness.lm_eval_tasks import check_tasks
from valuebench_harness.harness.lm_prompts import Method
from valuebench_harness.harness.plan import make_plan
from valuebench_harness.harness.progress import Reporter
from valuebench_harness.harness.session import execute
from valuebench_harness.tasks import include_path

COLOURS = """
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

SHOUT = """
task: my_shout
dataset_path: json
dataset_kwargs: {{data_files: {{test: {folder}/colours.jsonl}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{question}}}}"
doc_to_target: ""
generation_kwargs: {{until: [], max_gen_toks: 8}}
process_results: !function scoring.letters
metric_list:
  - {{metric: letters, aggregation: mean, higher_is_better: true}}
"""

SCORING = """
def letters(doc, results):
    return {"letters": float(sum(map(str.isalpha, results[0])))}
"""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_checkpoint(tmp_path_factory.mktemp("llama"), length=512)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder of two tasks and a group of both."""
    folder = tmp_path / "own tasks"
    folder.mkdir()
    rows = [
        {"question": f"Which colour has the {thing}?", "choices": ["red", "green", "pale blue"], "answer": n % 3}
        for n, thing in enumerate(("sky", "grass", "sun", "sea", "road", "bridge"))
    ]
    (folder / "colours.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "colours.yaml").write_text(COLOURS.format(folder=folder), encoding="utf-8")
    (folder / "shout.yaml").write_text(SHOUT.format(folder=folder), encoding="utf-8")
    (folder / "scoring.py").write_text(SCORING, encoding="utf-8")
    (folder / "group.yaml").write_text("group: mine\ntask: [my_colours, my_shout]\n", encoding="utf-8")
    return folder


def config(checkpoint: Path, **settings: Any) -> RunConfig:
    return make_config(model=str(checkpoint), dtype="float32", max_unscored=1.0, **settings)


def run(config: RunConfig, folder: Path, *, resume: bool = False) -> Any:
    return execute(make_plan(config), folder, resume=resume, report=Reporter(quiet=True))


def test_a_run_holds_the_numbers_of_stock_lm_eval(
    checkpoint: Path, own: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = config(checkpoint, steerer="ica", values="power", tasks=("mine",), include_path=own, limit=5)
    found = run(asked, tmp_path / "run").results.lm_eval
    assert capfd.readouterr() == ("", "")
    assert list(found) == ["base", "ica:power:+1"]
    assert set(found["base"]) >= {"my_colours", "my_shout"}
    stock = simple_evaluate(
        model=HFLM(pretrained=str(checkpoint), device="cpu", dtype="float32"),
        tasks=["mine"],
        task_manager=TaskManager(include_path=str(own), include_defaults=False),
        limit=5,
        apply_chat_template=True,
        bootstrap_iters=100,
    )
    assert stock is not None
    for task, metric in (("my_colours", "acc"), ("my_shout", "letters")):
        for suffix in ("", "_stderr"):
            expected = stock["results"][task][f"{metric}{suffix},none"]
            assert found["base"][task][metric + suffix] == pytest.approx(expected)
    assert found["base"]["my_shout"] != found["ica:power:+1"]["my_shout"]


@pytest.mark.parametrize("sampled", [False, True])
def test_lm_eval_and_our_own_loop_give_the_same_samples(checkpoint: Path, tmp_path: Path, *, sampled: bool) -> None:
    settings = {"n_samples": 2, "temperature": 0.8} if sampled else {}
    plan = make_plan(config(checkpoint, steerer="ica", values="power", tasks=("schwartz_power",), limit=4, **settings))
    ours = execute(plan, tmp_path / "run", resume=False, report=Reporter(quiet=True)).samples
    method = Method(plan.steerer, plan.family.data.system.get("power"), "positive", 1.0)
    model = load(str(checkpoint), device="cpu", dtype="float32")
    for condition, chosen in (("base", ()), ("ica:power:+1", method)):
        manager = TaskManager(include_path=str(include_path()), include_defaults=False)
        task = manager.load(["schwartz_power"])["tasks"]["schwartz_power"]
        task.set_config("repeats", 2 if sampled else 1)
        if sampled:
            task.set_config("generation_kwargs", {"do_sample": True, "temperature": 0.8}, update=True)
        theirs = evaluate(
            SteeredLM(model, chosen), {"tasks": {"schwartz_power": task}}, limit=4, apply_chat_template=True
        )
        assert theirs is not None
        samples = theirs["samples"]["schwartz_power"]
        assert len(samples) == 4
        for sample in samples:
            answers = [ours[f"{condition}|{sample['doc']['id']}|{n}"].answer for n in range(2 if sampled else 1)]
            assert sample["resps"][0] == answers
            assert any(answers)


def test_a_gated_fitted_method_runs_on_lm_eval_tasks(checkpoint: Path, own: Path, tmp_path: Path) -> None:
    asked = config(
        checkpoint, steerer="caa", strength=(8.0,), gate="probe", values="power", tasks=("my_shout",), include_path=own
    )
    decided = Cache().sizes().get("gate", 0)
    gated = run(asked, tmp_path / "gated")
    assert Cache().sizes()["gate"] == decided + 6
    ungated = run(asked.model_copy(update={"gate": "none"}), tmp_path / "ungated")
    base, steered = ungated.results.lm_eval.values()
    assert base != steered
    assert list(gated.results.lm_eval) == ["base", "caa:power:+8"]


def test_a_task_that_fails_leaves_a_run_that_can_be_resumed(checkpoint: Path, own: Path, tmp_path: Path) -> None:
    asked = config(checkpoint, tasks=("my_shout",), include_path=own, limit=2)
    (own / "scoring.py").write_text("def letters(doc, results):\n    return {'letters': 1 / 0}\n", encoding="utf-8")
    with pytest.raises(IncompleteError, match=r"'my_shout' failed.*ZeroDivisionError.*scoring\.py:2.*--resume"):
        run(asked, tmp_path / "run")
    (own / "scoring.py").write_text(SCORING, encoding="utf-8")
    assert run(asked, tmp_path / "run", resume=True).results.lm_eval["base"]["my_shout"]["letters"] > 0


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("shout.yaml", "task: my_shout\nmetric_list: [", r"shout\.yaml does not load.*ParserError"),
        ("shout.yaml", "task: my_shout\ninclude: nowhere.yaml\n", r"shout\.yaml does not load.*nowhere\.yaml"),
        ("scoring.py", "", r"'my_shout' \(.*shout\.yaml\) does not load: AttributeError"),
        ("scoring.py", "import nowhere\n", r"'my_shout'.*No module named 'nowhere'.*scoring\.py:1"),
        ("colours.jsonl", "{no json\n", r"'my_shout' \(.*shout\.yaml\) does not load"),
    ],
)
def test_a_task_that_does_not_load_is_named_with_its_file(
    checkpoint: Path, own: Path, file: str, text: str, message: str
) -> None:
    (own / file).write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=message) as caught:
        make_plan(config(checkpoint, tasks=("my_shout",), include_path=own))
    assert "\n" not in str(caught.value)


def test_a_folder_of_tasks_must_be_one(checkpoint: Path, own: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        make_plan(config(checkpoint, tasks=("my_shout",), include_path=own / "shout.yaml"))


@pytest.mark.slow
def test_unknown_tasks_are_told_with_the_nearest_known_one(checkpoint: Path, own: Path) -> None:
    family = family_of(config(checkpoint))
    for wrong, right in (("my_shoot", "my_shout"), ("schwartz_powr", "schwartz_power"), ("hellaswagg", "hellaswag")):
        with pytest.raises(UsageError, match=f"Unknown task '{wrong}'. Did you mean '{right}'"):
            check_tasks([wrong], own, family)
