"""How much of a steering effect stays when the same items are asked another way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from valuebench_harness.errors import UsageError
from valuebench_harness.harness.config import make_config
from valuebench_harness.harness.progress import Reporter
from valuebench_harness.harness.robustness import (
    CHANGES,
    ChangedRun,
    Robustness,
    RobustnessPlan,
    plan_robustness,
    run_robustness,
)
from valuebench_harness.harness.run import load_run
from valuebench_harness.reports.robustness import ROBUSTNESS_FORMATS, render_robustness, write_robustness

QUIET = Reporter(quiet=True)


def planned(steerer: str = "caa", *, changes: tuple[str, ...] = CHANGES, **keys: Any) -> RobustnessPlan:
    return plan_robustness(
        make_config(**{"steerer": steerer, "values": ("security",), "limit": 6, **keys}), changes=changes
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Robustness, Path]:
    folder = tmp_path_factory.mktemp("robustness")
    return run_robustness(planned(changes=("counter", "upper")), folder, QUIET), folder


def test_every_change_has_the_method_and_its_floor() -> None:
    plans = planned().plans
    assert {(k.change, p.config.steerer) for k, p in plans.items()} == {
        *((c, m) for c in ("plain", "role", "lower", "upper") for m in ("caa", "random:caa")),
        *(("counter", m) for m in ("ica-negative", "ica-negative+caa", "ica-negative+random:caa")),
    }
    strengths = {
        c.strength for k, p in plans.items() if k.role != "counter" for c in p.conditions if c.value is not None
    }
    assert len(strengths) == 1, "all is steered as strongly"
    assert planned().default_folder.name.startswith("mini-robustness-caa-")
    assert planned().default_folder != planned(seed=1).default_folder


def test_changes_are_made_to_the_question_alone() -> None:
    plans = planned().plans
    plain, upper = (plans[ChangedRun(c, "method")].documents for c in ("plain", "upper"))
    assert [d.text.upper() for d in plain] == [d.text for d in upper]
    assert [d.model_copy(update={"text": ""}) for d in plain] == [d.model_copy(update={"text": ""}) for d in upper]
    assert plans[ChangedRun("role", "method")].documents == plain
    assert "nurse" in (plans[ChangedRun("role", "floor")].config.system_prompt or "")


def test_rewordings_come_from_a_file_that_has_all_of_them(tmp_path: Path) -> None:
    documents = planned(changes=()).plans[ChangedRun("plain", "method")].documents
    path = tmp_path / "reworded.jsonl"
    lines = [json.dumps({"id": d.id, "text": f"Well. {d.text}"}) for d in documents]
    path.write_text("\n".join(lines), encoding="utf-8")
    config = make_config(steerer="caa", values=("security",), limit=6)
    plan = plan_robustness(config, changes=(), rewordings=path)
    reworded = plan.plans[ChangedRun("reworded", "method")].documents
    assert [d.text for d in reworded] == [f"Well. {d.text}" for d in documents]
    path.write_text(lines[0], encoding="utf-8")
    with pytest.raises(UsageError, match="no text for 5 of the dilemmas"):
        plan_robustness(config, changes=(), rewordings=path)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"changes": ("uper",)}, "Did you mean 'upper'"),
        ({"steerer": "random:caa"}, "name the method itself"),
        ({"steerer": "ica+caa"}, "one method at a time"),
        ({"steerer": "base"}, "Name a method"),
        ({"system_prompt": "Be brief."}, "leave out --system-prompt"),
        ({"strength": (1.0, 2.0)}, "Give one --strength"),
    ],
)
def test_what_does_not_fit_is_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        planned(**keys)


def test_numbers_are_those_of_the_runs(made: tuple[Robustness, Path]) -> None:
    found, folder = made
    by = {kept.change: kept for kept in found.kept}
    assert list(by) == ["plain", "counter", "upper"]
    (plain,) = load_run(folder / found.runs["plain/method"]).results.pooled
    assert plain.success is not None
    assert (by["plain"].unsteered, by["plain"].steered) == (plain.success.before, plain.success.after)
    assert by["plain"].effect.estimate == plain.success.change.estimate
    (guided,) = load_run(folder / found.runs["counter/counter"]).results.pooled
    assert guided.condition.direction == "negative"
    assert guided.csr is not None
    assert by["counter"].unsteered.hits <= guided.csr.after.n - guided.csr.after.hits
    for kept in found.kept:
        assert kept.effect.n == 6, "unscored answers are failures, not missing"
        share = kept.share
        if share is not None and share.estimate is not None:
            assert kept.effect.estimate is not None
            assert by["plain"].effect.estimate is not None
            assert share.estimate * by["plain"].effect.estimate == pytest.approx(kept.effect.estimate)


def test_finished_runs_are_found_again_and_written(made: tuple[Robustness, Path]) -> None:
    found, folder = made
    assert run_robustness(planned(changes=("counter", "upper")), folder, QUIET) == found
    paths = write_robustness(found, folder)
    assert Robustness.model_validate_json(paths["json"].read_text(encoding="utf-8")) == found
    with pytest.raises(UsageError, match="another configuration"):
        run_robustness(planned(changes=("upper",), seed=1), folder, QUIET)


def test_every_format_names_every_change(made: tuple[Robustness, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    for output in ("text", "md"):
        text = render_robustness(made[0], output)
        assert all(words in text for words in ("as they are", "behind a counter-prompt", "in capitals", "caa"))
        assert "nan" not in text
    assert "No room here for: unscored" not in render_robustness(made[0], "text")
    assert set(ROBUSTNESS_FORMATS) == {"text", "md", "json"}
    with pytest.raises(UsageError, match="format"):
        render_robustness(made[0], "xml")
