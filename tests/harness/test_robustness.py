"""How much of a steering effect stays when items are asked another way, or training pairs are few."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.chat_server import ChatServer, Reply, Request
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.config import make_config
from valuebench_harness.harness.fitting import some_pairs
from valuebench_harness.harness.generate.ask import WriterSettings
from valuebench_harness.harness.progress import Reporter
from valuebench_harness.harness.robustness.changes import CHANGES, USUAL, parse_sizes
from valuebench_harness.harness.robustness.plan import ChangedRun, RobustnessPlan, plan_robustness
from valuebench_harness.harness.robustness.records import Robustness
from valuebench_harness.harness.robustness.run import run_robustness
from valuebench_harness.harness.run import load_run
from valuebench_harness.reports.robustness import ROBUSTNESS_FORMATS, render_robustness, write_robustness
from valuebench_harness.steerers.artifact import Artifact

QUIET = Reporter(quiet=True)


def planned(
    steerer: str = "caa",
    *,
    changes: tuple[str, ...] = USUAL,
    sizes: tuple[int, ...] = (),
    writer: WriterSettings | None = None,
    **keys: Any,
) -> RobustnessPlan:
    config = make_config(**{"steerer": steerer, "values": ("security",), "limit": 6, **keys})
    return plan_robustness(config, changes=changes, sizes=sizes, writer=writer)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Robustness, Path]:
    folder = tmp_path_factory.mktemp("robustness")
    return run_robustness(planned(changes=("counter", "upper"), sizes=(3, 100)), folder, QUIET), folder


def test_every_change_has_the_method_and_its_floor() -> None:
    plans = planned(changes=CHANGES, sizes=(10,)).plans
    assert {(k.change, p.config.steerer) for k, p in plans.items()} == {
        *((c, m) for c in ("plain", "role", *CHANGES[2:], "pairs-10") for m in ("caa", "random:caa")),
        *(("counter", m) for m in ("ica-negative", "ica-negative+caa", "ica-negative+random:caa")),
    }
    strengths = {
        c.strength for k, p in plans.items() if k.role != "counter" for c in p.conditions if c.value is not None
    }
    assert len(strengths) == 1, "all is steered as strongly"
    assert {k.change for k, p in plans.items() if p.config.pairs == 10} == {"pairs-10"}
    assert planned().default_folder.name.startswith("mini-robustness-caa-")
    assert planned().default_folder != planned(seed=1).default_folder
    assert planned().default_folder != planned(writer=WriterSettings()).default_folder


def test_changes_are_made_to_the_question_alone() -> None:
    plans = planned(changes=CHANGES).plans
    plain, upper, leet, encoded = (
        plans[ChangedRun(c, "method")].documents for c in ("plain", "upper", "leet", "base64")
    )
    assert [d.text.upper() for d in plain] == [d.text for d in upper]
    assert [d.model_copy(update={"text": ""}) for d in plain] == [d.model_copy(update={"text": ""}) for d in upper]
    assert [re.sub("[aeiost]", "", d.text, flags=re.I) for d in plain] == [re.sub(r"\d", "", d.text) for d in leet]
    assert [d.text for d in plain] == [base64.b64decode(d.text.split()[-1]).decode() for d in encoded]
    assert plans[ChangedRun("role", "method")].documents == plain
    assert "nurse" in (plans[ChangedRun("role", "floor")].config.system_prompt or "")


def test_rewordings_come_from_a_file_that_has_all_of_them(tmp_path: Path) -> None:
    documents = planned(changes=()).documents
    path = tmp_path / "reworded.jsonl"
    lines = [json.dumps({"id": d.id, "text": f"Well. {d.text}"}) for d in documents]
    path.write_text("\n".join(lines), encoding="utf-8")
    config = make_config(steerer="caa", values=("security",), limit=6)
    plan = plan_robustness(config, changes=(), rewordings=path)
    reworded = plan.plans[ChangedRun("reworded", "method")].documents
    assert [d.text for d in reworded] == [f"Well. {d.text}" for d in documents]
    with pytest.raises(UsageError, match="choose one"):
        plan_robustness(config, rewordings=path, writer=WriterSettings())
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
        ({"sizes": (10, 101)}, "there are 100 training pairs of 'security'"),
        ({"steerer": "sft", "sizes": (10,)}, "'sft' does not learn from training pairs"),
    ],
)
def test_what_does_not_fit_is_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        planned(**keys)


def test_numbers_of_pairs_are_read_strictly() -> None:
    assert parse_sizes("50, 10,50") == (10, 50)
    for text in ("1", "ten", "-3", "2.5"):
        with pytest.raises(UsageError, match="no number of training pairs"):
            parse_sizes(f"10,{text}")


def test_numbers_are_those_of_the_runs(made: tuple[Robustness, Path]) -> None:
    found, folder = made
    by = {kept.change: kept for kept in found.kept}
    assert list(by) == ["plain", "counter", "upper", "pairs-3", "pairs-100"]
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


def test_the_method_and_its_floor_are_fitted_on_nested_pairs(made: tuple[Robustness, Path]) -> None:
    found, folder = made

    def direction(name: str) -> Artifact:
        (path,) = (folder / found.runs[name] / "artifacts").glob("*.safetensors")
        return Artifact.load(path)

    plain = planned().plain
    pairs = plain.family.data.pairs("security")
    few, more = (some_pairs(pairs, n, seed=0) for n in (3, 50))
    assert [p for p in pairs if p in more] == more
    assert all(p in more for p in few)
    assert some_pairs(pairs, len(pairs), seed=1) == pairs
    assert direction("pairs-100/method").digest == direction("plain/method").digest
    assert direction("pairs-3/method").digest != direction("plain/method").digest
    # The floor's norms are those of the method on as many pairs.
    assert direction("pairs-3/floor").digest == direction("pairs-3/method").digest
    by = {kept.change: kept for kept in found.kept}
    assert (by["pairs-3"].pairs, by["pairs-100"].pairs, by["upper"].pairs) == (3, 100, None)
    assert by["pairs-100"].effect == by["plain"].effect


OWN = """
from valuebench_harness.errors import UsageError
from valuebench_harness.steerers.caa import CAA


class Careful(CAA):
    def fit(self, context):
        if len(context.pairs) < 50:
            raise UsageError(f"{len(context.pairs)} pairs are too few for me.")
        return super().fit(context)
"""


def test_a_size_on_which_the_method_cannot_be_fitted_is_told(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    plan = planned(f"{tmp_path / 'own.py'}:Careful", changes=(), sizes=(10, 60), strength=(1.0,), limit=2)
    found = run_robustness(plan, tmp_path / "study", QUIET)
    assert [kept.change for kept in found.kept] == ["plain", "pairs-60"]
    assert found.unfitted == {10: "10 pairs are too few for me."}
    assert "10 training pairs: the method cannot be fitted. 10 pairs are too few" in render_robustness(found, "md")


def rewording(stubborn: str, says: Callable[[str], str]) -> Callable[[Request, int], Reply]:
    """A server that rewords questions, but for one."""

    def script(request: Request, _number: int) -> Reply:
        (found,) = re.findall(r"^\[\n.*?\n\]$", request.content, re.MULTILINE | re.DOTALL)
        entries = [
            {"number": e["number"], "text": e["question"] if e["question"] == stubborn else says(e["question"])}
            for e in json.loads(found)
        ]
        return Reply(json.dumps(entries))

    return script


def test_a_model_rewords_and_what_it_cannot_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    stubborn = planned().documents[2]
    with ChatServer(rewording(stubborn.text, lambda text: f"Well. {text}")).running() as server:
        settings = WriterSettings(model="some", base_url=server.url)
        found = run_robustness(planned(changes=(), writer=settings), tmp_path, QUIET)
        # Six dilemmas in two requests, then twice the one that is left.
        assert len(server.requests) == 4
        assert len({request.raw for request in server.requests}) == 4, "a later round has another seed"
    plain, reworded = found.kept
    assert (plain.effect.n, plain.left_out) == (6, ())
    assert (reworded.effect.n, reworded.left_out) == (5, (stubborn.id,))
    assert reworded.floor.n == 5
    documents = load_run(tmp_path / found.runs["reworded/method"]).documents
    assert all(d.text.startswith("Well. ") for d in documents.values())
    lines = [json.loads(line) for line in (tmp_path / "rewordings.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {line["id"]: line["text"] for line in lines} == {d.id: d.text for d in documents.values()}
    text = render_robustness(found, "md")
    assert f"1 of 6 items without an acceptable rewording is left out ({stubborn.id})" in text
    assert "Reworded by some" in text
    # The server is gone, and no reply is asked for again.
    assert run_robustness(planned(changes=(), writer=settings), tmp_path, QUIET) == found


def test_finished_runs_are_found_again_and_written(made: tuple[Robustness, Path]) -> None:
    found, folder = made
    assert run_robustness(planned(changes=("counter", "upper"), sizes=(3, 100)), folder, QUIET) == found
    paths = write_robustness(found, folder)
    assert Robustness.model_validate_json(paths["json"].read_text(encoding="utf-8")) == found
    with pytest.raises(UsageError, match="another configuration"):
        run_robustness(planned(changes=("upper",), seed=1), folder, QUIET)


def test_every_format_names_every_change(made: tuple[Robustness, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    for output in ("text", "md"):
        text = render_robustness(made[0], output)
        assert all(words in text for words in ("behind a counter-prompt", "in capitals", "3 training pairs", "caa"))
        assert "nan" not in text
    assert "No room here for: unscored" not in render_robustness(made[0], "text")
    assert set(ROBUSTNESS_FORMATS) == {"text", "md", "json"}
    with pytest.raises(UsageError, match="format"):
        render_robustness(made[0], "xml")
