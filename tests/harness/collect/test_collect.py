"""Collections on ``mini``, whole and in pieces."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.harness.collect.conftest import Collect, configured
from valuebench_harness import evaluate, load_run
from valuebench_harness.causal.interventions import Target
from valuebench_harness.causal.table import read_table
from valuebench_harness.causal.targets import read_targets
from valuebench_harness.data.grammar import roles as grammar
from valuebench_harness.data.grammar import scm
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.cache import Cache
from valuebench_harness.harness.collect import session
from valuebench_harness.harness.collect.plan import make_collect_plan
from valuebench_harness.harness.collect.store import CollectStore
from valuebench_harness.harness.store import ShardWriter

SMALL: dict[str, Any] = {"roles": 4, "test_roles": 1, "limit": 4, "steerers": ("caa",), "values": ("power",)}

MADE = ("train.csv", "test.csv", "answers.parquet")


def made(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in MADE}


def test_steering_moves_its_value_under_every_role(collected: Collect, tmp_path: Path) -> None:
    info = collected("run", score="probability", **SMALL)
    assert (info.status, info.counts["train_unscored"], info.counts["test_unscored"]) == ("complete", 0, 0)
    assert info.fits[0].value == "power"
    targets = read_targets(tmp_path / "run")
    up, down = targets
    assert targets == {up: Target(value="power", sign=1), down: Target(value="power", sign=-1)}
    train = read_table(tmp_path / "run" / "train.csv")
    assert len(train) == 3 * 4
    column = train.values.index("power")
    base, raised, lowered = (train.by_role(s, train.role_names)[:, column] for s in ("", up, down))
    assert (raised > base).all()
    assert (lowered < base).all()
    assert (raised - lowered).mean() > 0.5
    answers = pq.read_table(tmp_path / "run" / "answers.parquet").to_pydict()
    assert len(answers["score"]) == info.counts["train"] + info.counts["test"]
    assert {len({*answers["role"]}), len({*answers["setting"]})} == {5, 3}


def test_written_answers_follow_the_planted_values(collected: Collect, tmp_path: Path) -> None:
    """Twelve roles, greedy answers: orientations rise with the roles' planted z."""
    info = collected("run", roles=12, test_roles=0, item_share=1.0, limit=10, measured=("power", "security"))
    assert info.counts["train_unscored"] <= 0.02 * info.counts["train"]
    table = read_table(tmp_path / "run" / "train.csv")
    people = grammar.roles(12, seed=0)
    for value in ("power", "security"):
        planted = [role.z()[scm.INDEX[value]] for role in people]
        found = table.scores[1:, table.values.index(value)]
        assert np.corrcoef(planted, found)[0, 1] > 0.5
    answers = pq.read_table(tmp_path / "run" / "answers.parquet").to_pydict()
    agree = [a == t for a, t in zip(answers["label"], answers["thought_label"], strict=True)]
    assert np.mean(agree) > 0.9


def test_runs_and_collections_read_each_others_answers(collected: Collect, tmp_path: Path) -> None:
    def answers() -> int:
        return Cache().sizes()["answer"]

    own: dict[str, Any] = {"roles": 2, "test_roles": 0, "item_share": 1.0, "limit": 4}
    asked: dict[str, Any] = {"values": ("power",), "limit": 4, "out": tmp_path / "eval"}
    evaluate("mini", "caa", tasks=("mini_questionnaire",), **asked)
    evaluated = answers()
    info = collected("run", steerers=("caa",), values=("power",), **own)
    assert info.status == "complete"
    assert answers() - evaluated < info.counts["train"], "none was read from the cache"
    collections = answers()
    evaluate("mini", "caa", tasks=("mini_questionnaire",), direction="negative", **{**asked, "out": tmp_path / "again"})
    samples = [s for s in load_run(tmp_path / "again").samples.values() if s.steered]
    assert answers() - collections < len(samples), "none was read from the cache"
    assert all(s.moved_prompt for s in samples)


def test_a_collection_is_continued_where_it_stopped(
    collected: Collect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted twice while writing, the last line cut short: the files are those of the unbroken collection."""
    collected("whole", **SMALL)
    monkeypatch.setenv("VHARNESS_HOME", str(tmp_path / "other"))
    folder, write, left = tmp_path / "broken", ShardWriter.write, [0]

    def dying(writer: ShardWriter, records: Any) -> None:
        write(writer, records)
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt

    def counted() -> int:
        return len({reply.key for reply in CollectStore(folder).replies()})

    before = 0
    for _ in range(2):
        left[0] = 1
        with monkeypatch.context() as patch:
            patch.setattr(ShardWriter, "write", dying)
            with pytest.raises(KeyboardInterrupt):
                collected("broken", resume=True, **SMALL)
        shard = sorted((folder / "answers").glob("*.jsonl"))[-1]
        shard.write_bytes(shard.read_bytes()[:-20])
        assert counted() > before
        before = counted()
    with pytest.raises(UsageError, match="--resume"):
        collected("broken", **SMALL)
    info = collected("broken", resume=True, **SMALL)
    assert counted() == info.counts["train"] + info.counts["test"]
    assert made(folder) == made(tmp_path / "whole")


def test_a_finished_collection_is_tabulated_again_without_the_model(
    collected: Collect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collected("run", **SMALL)
    before = made(tmp_path / "run")
    (tmp_path / "run" / "train.csv").unlink()

    def no_model(*_: object) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(session, "load_run_model", no_model)
    collected("run", **SMALL)
    assert made(tmp_path / "run") == before


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"roles": 5}, "its 'roles' is 4, not 5"),
        ({"seed": 1}, "its 'seed' is 0, not 1"),
        ({"values": ("security",)}, "its 'values'"),
        ({"score": "probability"}, "its 'score' is 'answers', not 'probability'"),
    ],
)
def test_a_folder_with_another_collection_is_named(
    collected: Collect, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    settings = {**SMALL, "oracle": True}
    collected("run", **settings)
    before = made(tmp_path / "run")
    with pytest.raises(UsageError) as caught:
        collected("run", resume=True, **{**settings, **changes})
    assert words in str(caught.value)
    assert made(tmp_path / "run") == before


def test_a_run_is_no_collection(collected: Collect, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match="vharness eval"):
        collected("run", roles=3, oracle=True)


def test_the_judge_may_change_and_the_plan_may_not() -> None:
    first = make_collect_plan(configured(roles=3)).plan_hash
    assert make_collect_plan(configured(roles=3, batch_size=2, max_unscored=0.5)).plan_hash == first
    assert make_collect_plan(configured(roles=3, limit=5)).plan_hash != first


SCRIPT = """
import json, sys
from pathlib import Path
from tests.harness.collect.conftest import configured
from valuebench_harness.harness.collect.plan import make_collect_plan
from valuebench_harness.harness.collect.session import collect
from valuebench_harness.harness.progress import Reporter
plan = make_collect_plan(configured(**json.loads(sys.argv[2])))
collect(plan, Path(sys.argv[1]), resume=True, report=Reporter(quiet=True))
"""


@pytest.mark.slow
def test_126_roles_and_25_settings_killed_twice(
    collected: Collect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kang's crossing, 125 roles and nobody by the unsteered model and 24 steered ones, through two SIGKILLs."""
    values = ("power", "security", "hedonism", "tradition", "universalism", "achievement")
    settings: dict[str, Any] = {
        "steerers": ("caa", "conva"),
        "values": values,
        "measured": ("power", "security", "conformity"),
        "limit": 2,
    }
    whole = collected("whole", **settings)
    people, plan = CollectStore(tmp_path / "whole").people(), CollectStore(tmp_path / "whole").settings()
    assert (len(people), len(plan)) == (126, 25)
    monkeypatch.setenv("VHARNESS_HOME", str(tmp_path / "other"))
    folder, total = tmp_path / "killed", whole.counts["train"] + whole.counts["test"]
    for share in (0.2, 0.6):
        command = [sys.executable, "-c", SCRIPT, str(folder), json.dumps(settings)]
        with subprocess.Popen(command) as process:
            while lines(folder) < share * total:
                assert process.poll() is None, "the collection ended before it could be killed"
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
        assert lines(folder) < total
    collected("killed", resume=True, **settings)
    assert lines(folder) == total
    assert made(folder) == made(tmp_path / "whole")


def lines(folder: Path) -> int:
    return sum(p.read_bytes().count(b"\n") for p in (folder / "answers").glob("*.jsonl"))
