"""A run on disk after kills, corruption, a second process and a full disk."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from valuebench_harness.errors import IncompleteError, UsageError
from valuebench_harness.harness.config import RunConfig
from valuebench_harness.harness.records import BASE, Condition, Document, RunInfo, Sample, VerdictRecord
from valuebench_harness.harness.store import RunStore


def sample(number: int, answer: str = "I would wait.") -> Sample:
    return Sample(condition="base", document=f"d/{number}", prompt="Should I wait?", answer=answer)


def info(**changes: object) -> RunInfo:
    fields = {"config": RunConfig(), "plan_hash": "p", "data_hash": "d", "created": "2026-01-01T00:00:00+00:00"}
    return RunInfo.model_validate({**fields, **changes})


def filled(folder: Path, n: int = 5) -> RunStore:
    store = RunStore(folder)
    with store.samples_writer() as writer:
        for i in range(n):
            writer.write([sample(i)])
    return store


def shard(store: RunStore) -> Path:
    (path,) = (store.folder / "samples").glob("*.jsonl")
    return path


# What is written is read


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    assert not RunStore(tmp_path / "deep" / "run").exists
    store = RunStore(tmp_path / "deep" / "run")
    conditions = [BASE, Condition(id="caa:power:+1", steerer="caa", value="power", strength=1.0, level=0)]
    documents = [Document(id="d/0", task="t", kind="dilemma", value="power", text="?", options=("a", "b"), favours=1)]
    store.write_plan(conditions, documents)
    store.write_info(info())
    assert store.exists
    assert (store.conditions(), store.documents(), store.info()) == (conditions, documents, info())


@pytest.mark.parametrize(
    "text",
    ["line\nbreak \r\n and \u2028 separators \x85", "\x00 \x1b[31m \ufffd", "\U0001f600 \u00e9 \\n", '{"key": 1}', ""],
)
def test_any_answer_survives(tmp_path: Path, text: str) -> None:
    store = RunStore(tmp_path)
    with store.samples_writer() as writer:
        writer.write([sample(0, text), sample(1)])
    assert store.samples()["base|d/0|0"].answer == text
    assert len(store.samples()) == 2


def test_each_session_appends_a_shard_and_the_later_answer_counts(tmp_path: Path) -> None:
    store = filled(tmp_path)
    with store.samples_writer() as writer:
        writer.write([sample(0, "Changed."), sample(9)])
    assert sorted(p.name for p in (tmp_path / "samples").iterdir()) == ["00000.jsonl", "00001.jsonl"]
    found = store.samples()
    assert len(found) == 6
    assert found["base|d/0|0"].answer == "Changed."
    (tmp_path / "samples" / "00000.jsonl").unlink()
    with store.samples_writer() as writer:
        writer.write([sample(10)])
    assert len(store.samples()) == 3, "a shard that a user removed does not stand in the way of a new one"


def test_a_session_without_records_leaves_no_file(tmp_path: Path) -> None:
    with RunStore(tmp_path).samples_writer() as writer:
        writer.write([])
    assert list(tmp_path.iterdir()) == []


def test_verdicts_are_kept_by_judge(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    with store.verdicts_writer() as writer:
        for judge, label in (("a/1", "yes"), ("b/1", "no"), ("a/1", None)):
            asks = "fr" if label is None else "csr"
            writer.write([VerdictRecord.model_validate({"sample": "s", "asks": asks, "judge": judge, "label": label})])
    assert {k: v.label for k, v in store.verdicts("a/1").items()} == {("s", "csr"): "yes", ("s", "fr"): None}
    assert {k: v.label for k, v in store.verdicts("b/1").items()} == {("s", "csr"): "no"}


# Kills and corruption


def test_a_line_cut_short_by_a_kill_costs_one_sample_at_most(tmp_path: Path) -> None:
    store = filled(tmp_path)
    data = shard(store).read_bytes()
    start = data.rindex(b"\n", 0, -1) + 1
    for end in range(start, len(data) + 1):
        shard(store).write_bytes(data[:end])
        found = store.samples()
        assert len(found) == (5 if end >= len(data) - 1 else 4), end
        assert "base|d/3|0" in found


def test_a_cut_within_a_character_is_no_error(tmp_path: Path) -> None:
    store = filled(tmp_path)
    with shard(store).open("ab") as f:
        f.write('{"condition": "base", "document": "x", "answer": "caf\u00e9'.encode()[:-1])
    assert len(store.samples()) == 5


@pytest.mark.parametrize("damage", [b"not json", b'{"condition": "base"}', b'{"condition": "\xff\xfe"}', b"\x00" * 40])
def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path, damage: bytes) -> None:
    store = filled(tmp_path)
    lines = shard(store).read_bytes().split(b"\n")
    lines[2] = damage
    shard(store).write_bytes(b"\n".join(lines))
    with pytest.raises(UsageError, match=r"00000\.jsonl:3 is not a sample") as caught:
        store.samples()
    assert "\n" not in str(caught.value)


def test_a_wrong_byte_inside_an_answer_is_not_passed_over(tmp_path: Path) -> None:
    store = filled(tmp_path)
    shard(store).write_bytes(shard(store).read_bytes().replace(b"would", b"w\xffuld", 1))
    with pytest.raises(UsageError, match=r"00000\.jsonl:1"):
        store.samples()


def test_run_json_is_replaced_whole(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.write_info(info())
    (tmp_path / "run.json.part").write_text('{"half', encoding="utf-8")  # what a kill leaves behind
    assert store.info().status == "planned"
    store.write_info(info(status="judged"))
    assert store.info().status == "judged"
    assert not (tmp_path / "run.json.part").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "no run.json"),
        ("{", "cannot be read as JSON"),
        ("[]", "schema version None"),
        ('{"schema_version": 99}', "schema version 99.*reads 1"),
        ('{"schema_version": 1}', "config"),
    ],
)
def test_a_folder_that_is_no_run_is_named(tmp_path: Path, text: str | None, words: str) -> None:
    if text is not None:
        (tmp_path / "run.json").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=words) as caught:
        RunStore(tmp_path).info()
    assert str(tmp_path) in str(caught.value)


def test_half_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"half a run: conditions\.jsonl is missing"):
        RunStore(tmp_path).conditions()


# Other processes

HOLD = """
import sys
from pathlib import Path
from valuebench_harness.harness.store import RunStore
with RunStore(Path(sys.argv[1])).lock():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_kept_off_and_a_killed_one_leaves_no_lock(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UsageError, match=r"Another process is writing.*--out"), RunStore(tmp_path).lock():
            pass
        holder.kill()
    with RunStore(tmp_path).lock():
        pass


def test_the_lock_is_given_back_also_after_an_error(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "new")
    with pytest.raises(RuntimeError), store.lock():
        raise RuntimeError
    kept = store.lock()
    with kept, pytest.raises(UsageError), RunStore(store.folder).lock():
        pass
    with RunStore(store.folder).lock():
        pass


def test_a_run_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file", encoding="utf-8")
    with pytest.raises(IncompleteError, match="cannot be written"), RunStore(tmp_path / "run").lock():
        pass


# A full disk

FILL = """
import resource, sys
from pathlib import Path
from valuebench_harness.errors import IncompleteError
from valuebench_harness.harness.records import Sample
from valuebench_harness.harness.store import RunStore
def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
store = RunStore(Path(sys.argv[1]))
written = 0
try:
    with store.samples_writer() as writer:
        writer.write([Sample(condition="base", document="first", prompt="p", answer="a")])
        written += 1
        limit(20_000)
        while written < 200:
            names = [f"{written + i}" for i in range(16)]
            batch = [Sample(condition="base", document=n, prompt="p", answer="x" * 200) for n in names]
            try:
                writer.write(batch)
            except IncompleteError:
                if sys.argv[2] == "full":
                    raise
                limit(1_000_000)
                writer.write(batch)
            written += len(batch)
except IncompleteError as error:
    print(error)
print(written, len(store.samples()))
"""


def fill(folder: Path, then: str) -> list[str]:
    command = [sys.executable, "-c", FILL, str(folder), then]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_a_full_disk_is_named_and_nothing_written_before_is_lost(tmp_path: Path) -> None:
    message, counts = fill(tmp_path, "full")
    assert str(tmp_path) in message
    assert "File too large" in message
    assert "--resume" in message
    written, found = map(int, counts.split())
    assert 16 < written == found
    assert shard(RunStore(tmp_path)).read_bytes().endswith(b"\n"), "what did not fit is cut off again"


def test_writing_goes_on_where_room_was_made(tmp_path: Path) -> None:
    (counts,) = fill(tmp_path, "room")
    written, found = map(int, counts.split())
    assert 200 <= written == found


def test_a_failed_whole_write_keeps_the_old_file(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.write_info(info())
    (tmp_path / "run.json.part").mkdir()
    with pytest.raises(IncompleteError, match="--resume"):
        store.write_info(info(status="judged"))
    assert json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))["plan_hash"] == "p"
    assert store.info().status == "planned"
