"""``vharness eval`` and what reads its runs, on a random model."""

from __future__ import annotations

import json
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import Command, Outcome
from tests.cli.test_bad_input import refused
from tests.support.chat_server import ChatServer, Reply
from tests.support.checkpoints import build_checkpoint

FEW = ("--values", "power", "--tasks", "schwartz_power", "--limit", "2", "--max-new-tokens", "4")


@pytest.fixture
def evaluate(vharness: Command, checkpoint: Path) -> Command:
    """A small run of an instruction, in the folder ``run`` unless told otherwise."""

    def call(*options: object, out: str = "run", steerer: str = "ica") -> Outcome:
        return vharness("eval", "-m", checkpoint, "-s", steerer, "-o", out, *FEW, *options)

    return call


def test_a_run_from_the_command_line_to_its_reports(evaluate: Command, vharness: Command, own_folders: Path) -> None:
    first = evaluate("--max-unscored", "1", "--quiet", "--format", "json")
    assert first.code == 0
    assert first.err == ""
    found = json.loads(first.out)
    assert [c["id"] for c in found["conditions"]] == ["base", "ica:power:+1"]
    assert found["run"]["status"] == "complete"
    for name in ("report.html", "report.md", "report.json", "report.csv", "samples.parquet", "run.json"):
        assert (own_folders / "run" / name).is_file()

    again = evaluate("--max-unscored", "1", "--quiet", "--format", "json")
    assert again.out == first.out

    for form, start in (("json", "{"), ("csv", "condition,"), ("html", "<!doctype html>")):
        shown = vharness("report", "run", "--format", form)
        assert shown.code == 0
        assert shown.out.lower().startswith(start)
    written = vharness("report", "run", "--out", "copies/power.csv")
    assert written.code == 0
    assert (own_folders / "copies" / "power.csv").read_text().startswith("condition,")

    (run,) = json.loads(vharness("ls", "runs", ".", "--format", "json").out)
    assert (run["folder"], run["status"], run["steerer"]) == ("run", "complete", "ica")
    other = evaluate("--quiet", "--system-prompt", "Be brief.")
    refused(other, "run holds a run of another configuration", "'system_prompt'", "'Be brief.'")


def test_too_many_unscored_answers_end_with_3_and_reasons(evaluate: Command) -> None:
    """A random model's babble is no answer: nothing is dropped and nothing is scored as a miss."""
    done = evaluate("--quiet", "--max-unscored", "0", "--n-samples", "3")
    assert done.code == 3
    assert "verdicts are unscored" in done.err
    assert "--judge openai" in done.err
    assert done.out.strip()  # the report is shown all the same


def test_what_cannot_be_run_leaves_no_folder_behind(vharness: Command, checkpoint: Path, own_folders: Path) -> None:
    """A folder that nothing can finish would be listed for ever."""
    call = ("eval", "-m", checkpoint, "--values", "power", "--tasks", "schwartz_power", "--limit", 1, "--quiet")
    refused(vharness(*call, "-s", "role"), "needs a role")
    assert not list((own_folders / "vharness-runs").iterdir())
    # Answers that were made are never thrown away: here the unsteered ones.
    refused(vharness(*call, "-s", "caa", "--strength", "3e38", "--batch-size", 1), "range of float32")
    (kept,) = (own_folders / "vharness-runs").iterdir()
    assert list((kept / "samples").iterdir())


def test_a_dry_run_counts_and_leaves_nothing(evaluate: Command, own_folders: Path) -> None:
    done = evaluate("--dry-run")
    assert done.code == 0
    assert "conditions   2 (the base among them)" in done.out
    assert "dilemma               4 answers" in done.out
    assert "tokens       about" not in done.out  # the tokenizer is here, so they are counted
    assert not (own_folders / "run").exists()


def test_side_effects_are_held_against_a_graph(vharness: Command, checkpoint: Path, own_folders: Path) -> None:
    """By the configuration's keys; the same command without them shows the section again."""
    (own_folders / "config.yaml").write_text("report: causal\ngraph: mine.json\n")
    (own_folders / "mine.json").write_text('[["power", "security"]]')
    tasks = ("--tasks", "schwartz_power,schwartz_security", "--values", "power", "--limit", 3, "--max-new-tokens", 2)
    call = ("eval", "-m", checkpoint, "-s", "ica", *tasks, "--max-unscored", 1, "--quiet", "-o", "run")
    dry = vharness(*call, "--config", "config.yaml", "--dry-run")
    assert "causal       graph 'mine', 1 edges, 1 of 2 pairs connected by a path" in dry.out
    first = vharness(*call, "--config", "config.yaml")
    assert first.code == 0, first.err
    assert "the graph 'mine' foretells" in first.out
    (own_folders / "mine.json").unlink()
    assert vharness(*call).out == first.out
    alone = ("--tasks", "schwartz_power", "--report", "causal", "-o", "other")
    refused(vharness(*call, *alone), "no value but 'power'", "Leave --tasks out")
    assert not (own_folders / "other").exists()


def test_the_command_line_wins_over_the_configuration(evaluate: Command, own_folders: Path) -> None:
    (own_folders / "config.yaml").write_text("limit: 7\nseed: 5\n")
    done = evaluate("--config", "config.yaml", "--quiet", "--max-unscored", "1", "--format", "json")
    config = json.loads(done.out)["run"]["config"]
    assert (config["limit"], config["seed"]) == (2, 5)


def test_a_folder_that_cannot_be_written(evaluate: Command, own_folders: Path) -> None:
    (own_folders / "file").write_text("")
    refused(evaluate("--quiet", out="file/run"), "file/run cannot be written", code=3)


def test_a_cache_that_cannot_be_written(evaluate: Command, own_folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (own_folders / "file").write_text("")
    monkeypatch.setenv("VHARNESS_HOME", str(own_folders / "file"))
    refused(evaluate("--quiet"), "The cache at", "VHARNESS_HOME")


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file of this process may grow beyond ``size`` bytes: what a full disk does to a writer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_loses_nothing(evaluate: Command, own_folders: Path) -> None:
    """Samples that fit are kept, the run says how to go on, and goes on."""
    many = ("--n-samples", "48", "--quiet", "--max-unscored", "1")
    with largest_file(56 * 1024):
        stopped = evaluate(*many)
    refused(stopped, "cannot be written", "--resume", code=3)
    (shard,) = (own_folders / "run" / "samples").glob("*.jsonl")
    kept = shard.read_text()
    assert kept.endswith("}\n")
    refused(evaluate(*many), "unfinished", "--resume")
    assert evaluate(*many, "--resume").code == 0
    assert shard.read_text() == kept
    whole = evaluate(*many, "--format", "json", out="unbroken")
    resumed = json.loads((own_folders / "run" / "report.json").read_text())
    assert json.loads(whole.out)["results"]["conditions"] == resumed["results"]["conditions"]


def test_try_shows_base_beside_steered(vharness: Command, checkpoint: Path) -> None:
    options = ("--value", "power", "--max-new-tokens", "4")
    done = vharness("try", "Should I take the lead?", "-m", checkpoint, "-s", "ica", *options)
    assert done.code == 0
    assert "base" in done.out
    assert "ica:power:+1" in done.out


def test_fit_keeps_artifacts_that_load(vharness: Command, checkpoint: Path, own_folders: Path) -> None:
    from valuebench_harness.steerers.artifact import Artifact

    options = ("--values", "power,security", "--layers", "1,2", "--quiet", "-o", "fits")
    done = vharness("fit", "-s", "caa", "-m", checkpoint, *options)
    assert done.code == 0
    for value in ("power", "security"):
        meta = Artifact.load(own_folders / "fits" / f"caa-{value}.safetensors").meta
        assert (meta.method, meta.value, meta.n_layers) == ("caa", value, 5)


def test_report_of_an_unfinished_run(evaluate: Command, vharness: Command, own_folders: Path) -> None:
    evaluate("--quiet", "--max-unscored", "1")
    (own_folders / "run" / "metrics.json").unlink()
    refused(vharness("report", "run"), "no metrics")


STOPPING = '''
import os
import signal
from pathlib import Path

from valuebench_harness.steerers.base import Settings, Steered, Steerer


class Stopping(Steerer[Settings]):
    """Presses Ctrl-C while the file "stop" is there."""

    name = "stopping"
    source = "-"

    def plan(self, request, artifact):
        if Path("stop").exists():
            os.kill(os.getpid(), signal.SIGINT)
        return Steered(request.messages)
'''


def test_ctrl_c_says_how_to_go_on(evaluate: Command, own_folders: Path) -> None:
    # A shell starts what runs in its background with Ctrl-C switched off.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    (own_folders / "stopping.py").write_text(STOPPING)
    (own_folders / "stop").touch()
    options = ("--quiet", "--max-unscored", "1")
    stopped = evaluate(*options, steerer="stopping.py:Stopping")
    assert stopped.code == 130
    assert stopped.lines == ["Stopped. What was finished is kept; --resume goes on."]
    (own_folders / "stop").unlink()
    assert evaluate(*options, "--resume", steerer="stopping.py:Stopping").code == 0
    signal.signal(signal.SIGINT, before)


class TestPaidJudge:
    """An OpenAI-protocol server on loopback."""

    KEY = "sk-this-must-never-be-stored"

    @pytest.fixture(autouse=True)
    def key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", self.KEY)

    def test_nonsense_is_unscored_and_the_key_stays_secret(self, evaluate: Command, own_folders: Path) -> None:
        with ChatServer(lambda *_: Reply("banana")).running() as server:
            done = evaluate("--quiet", "--judge", "openai", "--judge-url", server.url, "--judge-model", "m")
        assert done.code == 3
        assert "100.0%" in done.err
        results = json.loads((own_folders / "run" / "metrics.json").read_text())
        assert results["unscored"] == results["verdicts"] > 0
        stored = b"".join(p.read_bytes() for p in own_folders.rglob("*") if p.is_file())
        assert self.KEY.encode() not in stored + done.out.encode() + done.err.encode()

    def test_a_judged_run_is_shown_again_without_the_key(
        self, evaluate: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        options = ("--quiet", "--judge", "openai", "--format", "csv", "--max-unscored", "1")
        with ChatServer(lambda *_: Reply("Label: yes")).running() as server:
            first = evaluate(*options, "--judge-url", server.url)
        assert first.code == 0
        monkeypatch.delenv("OPENAI_API_KEY")
        assert evaluate(*options, "--judge-url", server.url).out == first.out, "though the server is gone, too"
        refused(evaluate(*options), "OPENAI_API_KEY")  # without the address OpenAI itself is asked, another judge

    def test_a_server_that_refuses_the_key(self, evaluate: Command) -> None:
        with ChatServer(lambda *_: Reply(status=401)).running() as server:
            done = evaluate("--quiet", "--judge", "openai", "--judge-url", server.url)
        refused(done, "OPENAI_API_KEY")

    def test_a_judge_without_a_key_is_refused_before_the_model_runs(
        self, evaluate: Command, own_folders: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("OPENAI_API_KEY")
        refused(evaluate("--quiet", "--judge", "openai"), "OPENAI_API_KEY")
        assert not list(own_folders.rglob("samples/*"))


def test_a_tokenizer_without_chat_template_is_noted(vharness: Command, tmp_path: Path) -> None:
    folder = build_checkpoint(tmp_path / "plain", length=1024, chat_template=None)
    done = vharness("eval", "-m", folder, "-s", "base", "-o", "run", *FEW, "--max-unscored", "1")
    assert done.code == 0
    assert "no chat template: messages are joined with blank lines" in done.err


@pytest.mark.parametrize(
    ("options", "needles"),
    [
        (("-s", "ica+instruction"), ("'ica' and 'instruction' both rewrite the user message",)),
        (("-s", "ica+"), ("a method is missing beside the plus",)),
        (("-s", "random:ica"), ("'ica' rewrites the prompt",)),
        (("-s", "ica", "--tune"), ("--tune", "on or off")),
        (("-s", "caa", "--tune", "--match-kl", "1"), ("--tune and --match-kl",)),
        (("-s", "caa", "--tune-target", "0.5"), ("--tune-target", "add --tune")),
        (("-s", "caa", "--match-kl", "0"), ("'match_kl'", "greater than 0")),
        (("-s", "caa", "--set", "cca.scope=all"), ("Unknown method in",)),
        (("-s", "caa+conva", "--set", "cca.scope=all"), ("Did you mean 'caa'",)),
        (("-s", "conva", "-m", "openai:some-model"), ("steers activations", "base, ica, role, instruction")),
        (("-s", "ica", "--model-url", "http://localhost/v1"), ("--model openai:NAME",)),
    ],
)
def test_what_does_not_go_together_is_refused(
    evaluate: Command, options: tuple[str, ...], needles: tuple[str, ...]
) -> None:
    refused(evaluate("--dry-run", *options), *needles)


def test_a_dry_run_counts_what_tuning_would_ask(vharness: Command) -> None:
    done = vharness("eval", "-s", "caa", "--values", "power,security", "--limit", "4", "--tune", "--dry-run")
    assert done.code == 0
    lines = {line.split()[0]: line for line in done.out.splitlines()}
    assert "trials, at most" in lines["tuning"]
    grid = ("--strength", "1:3")
    tuned = vharness("eval", "-s", "caa", "--values", "power,security", "--limit", "4", "--tune", "--dry-run", *grid)
    assert "conditions   3 (the base among them)" in tuned.out, "one strength of the grid is reported"
    assert vharness("eval", "-m", "openai:some-model", "-s", "ica", "--dry-run").out.startswith(
        "model        openai:some-model (paid calls)"
    )


def test_a_model_behind_a_server_runs_like_any_other(
    evaluate: Command, own_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-do-not-write-me")
    with ChatServer(lambda *_: Reply("I would.")).running() as server:
        done = evaluate(
            "-m", "openai:some-model", "--model-url", server.url, "--max-unscored", "1", "-q", "--format", "json"
        )
    assert done.code == 0
    found = json.loads(done.out)
    assert found["run"]["model"]["name"] == "openai:some-model"
    assert len(server.requests) == 4
    assert not any(b"sk-test" in p.read_bytes() for p in own_folders.rglob("*") if p.is_file())
