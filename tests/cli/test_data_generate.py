"""``vharness data generate``"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.harness.generate.author import Author
from tests.support.chat_server import ChatServer, Reply

SYSTEM = "name: honesty\ndata: ./items\nvalues:\n  honesty:\n    definition: Telling the truth.\n"


def test_pairs_and_dilemmas_of_a_users_value_can_be_checked(
    vharness: Command, own_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    (own_folders / "items").mkdir()
    (own_folders / "honesty.yaml").write_text(SYSTEM)
    with ChatServer(Author()).running() as server:
        common = ("--value", "Honesty", "--value-system", "honesty.yaml", "--judge-url", server.url, "--n", 8, "-q")
        pairs = vharness("data", "generate", "pairs", *common, "--judge-model", "some")
        dilemmas = vharness("data", "generate", "dilemmas", *common)
        assert {request.body["model"] for request in server.requests} == {"some", "gpt-4o-mini"}
    assert (pairs.code, dilemmas.code) == (0, 0)
    assert "8 of 8 items" in " ".join(pairs.out.split())
    assert pairs.out.splitlines()[-1] == "Then: vharness data check honesty.yaml"
    assert len((own_folders / "items" / "dilemmas" / "honesty.jsonl").read_text().splitlines()) == 8
    checked = vharness("data", "check", "honesty.yaml", "--all")
    assert "honesty/honesty/pairs" in checked.out
    assert not (own_folders / "items" / "values.yaml").exists()


def test_a_shipped_value_gets_a_value_system_of_its_own(
    vharness: Command, own_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with ChatServer(Author()).running() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        for value in ("power", "security"):
            done = vharness("data", "generate", "pairs", "-v", value, "--n", 4, "--straightforward", "-q")
            assert done.code == 0
    assert done.out.splitlines()[-1] == "Then: vharness data check generated/values.yaml"
    checked = json.loads(vharness("data", "check", "generated/values.yaml", "--format", "json").out)
    found = {f["where"] for f in checked if f["check"] == "forms" and f["level"] == "ok"}
    assert found == {f"schwartz-generated/{value}/pairs_straightforward" for value in ("power", "security")}


def test_dry_run_counts_requests_and_sends_none(vharness: Command) -> None:
    done = vharness("data", "generate", "pairs", "--value", "power", "--dry-run")
    assert (done.code, "144 requests to gpt-4o-mini" in done.out) == (0, True)


def test_missing_items_leave_with_3(vharness: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    refusing = Author(lambda step, n: Reply("No.") if step == "negative" and n == 0 else None)
    with ChatServer(refusing).running() as server:
        done = vharness(
            "data", "generate", "pairs", "-v", "power", "--n", 4, "--rounds", 1, "--judge-url", server.url, "-q"
        )
    assert done.code == 3
    assert "rejected 1 x negative: the reply is no JSON" in done.out
    assert "1 of 4 items are missing" in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("pears", "-v", "power"), "Did you mean 'pairs'?"),
        (("pairs", "-v", "powr"), "Did you mean 'power'?"),
        (("pairs", "-v", "power", "--judge", "grammar"), "The judge 'grammar' writes no texts"),
        (("pairs", "-v", "power", "--judge-set", "temprature=1"), "'temprature' is not a known field"),
        (("pairs", "-v", "power", "--judge-set", "templates=nowhere"), "holds no template"),
        (("dilemmas", "-v", "power", "--straightforward"), "dilemmas have none"),
        (("pairs", "-v", "power"), "set OPENAI_API_KEY"),
    ],
)
def test_bad_input(vharness: Command, arguments: tuple[str, ...], message: str) -> None:
    done = vharness("data", "generate", *arguments)
    assert done.code == 2
    assert message in done.err


def test_a_killed_process_pays_for_nothing_twice(own_folders: Path, vharness: Command) -> None:
    """SIGKILL in the middle of the last step: what was answered before is on disk."""
    running: list[subprocess.Popen[bytes]] = []

    def kill(step: str, n: int) -> Reply | None:
        if step == "check" and n == 3:
            running[0].kill()
            running[0].wait()
        return None

    author = Author(kill)
    with ChatServer(author).running() as server:
        arguments = ("data", "generate", "pairs", "-v", "power", "--n", "8", "--judge-url", server.url, "-q")
        alone = (*arguments, "--judge-set", "concurrency=1")
        running.append(
            subprocess.Popen([sys.executable, "-c", "from valuebench_harness.cli.main import main; main()", *alone])
        )
        assert running[0].wait(120) == -signal.SIGKILL
        before = len(server.requests)
        assert not (own_folders / "generated" / "pairs").exists()
        assert vharness(*arguments).code == 0
    # 1 for situations, 4 positive, 4 negative, 8 checks. Asked for again is the reply under way at the kill, and the
    # one before it where the kill came between its arrival and its line on disk.
    assert before == 1 + 4 + 4 + 4
    assert len(server.requests) - 17 in {1, 2}
