"""The cache: shared, trimmed, damaged, deleted."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import pytest

from valuebench_harness.errors import UsageError
from valuebench_harness.harness.cache import Cache, content_key


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache.sqlite")


def test_entries_come_back(cache: Cache) -> None:
    entries = {"a": {"answer": "caf\u00e9 \U0001f600 \x00", "new_tokens": 3}, "b": [1.5, None]}
    cache.put("answer", entries)
    assert cache.get(["a", "b", "missing", "a"]) == entries
    assert Cache(cache.path).get(["a"]) == {"a": entries["a"]}
    assert cache.get([]) == {}


def test_the_first_entry_of_a_key_stays(cache: Cache) -> None:
    cache.put("answer", {"a": 1})
    cache.put("answer", {"a": 2, "b": 3})
    assert cache.get(["a", "b"]) == {"a": 1, "b": 3}


def test_more_keys_than_a_query_takes(cache: Cache) -> None:
    cache.put("answer", {str(i): i for i in range(2500)})
    assert len(cache.get(str(i) for i in range(5000))) == 2500
    assert cache.sizes() == {"answer": 2500}


def test_a_key_covers_kind_and_every_part() -> None:
    keys = {
        content_key("answer", prompt="p", seed=1),
        content_key("verdict", prompt="p", seed=1),
        content_key("answer", prompt="p", seed=2),
        content_key("answer", prompt="p"),
        content_key("answer", prompt="p", seed="1"),
        content_key("answer", prompt="p", settings={"seed": 1}),
    }
    assert len(keys) == 6
    assert content_key("answer", a=1, b=2) == content_key("answer", b=2, a=1)


def test_gc_keeps_what_was_used_last(cache: Cache) -> None:
    text = "x" * 5000
    for i in range(60):
        cache.put("answer", {str(i): text})
    assert cache.get(["0", "1", "2"]).keys() == {"0", "1", "2"}
    removed = cache.gc(100_000)
    assert 30 < removed < 60
    assert cache.bytes() <= 100_000
    assert cache.get(["0", "1", "2", "59", "3"]).keys() == {"0", "1", "2", "59"}
    assert sum(cache.sizes().values()) == 60 - removed


def test_gc_to_nothing_leaves_an_empty_cache_that_works(cache: Cache) -> None:
    cache.put("answer", {str(i): i for i in range(100)})
    assert cache.gc(0) == 100
    assert cache.gc(0) == 0
    cache.put("answer", {"a": 1})
    assert cache.get(["a"]) == {"a": 1}


def test_gc_of_a_small_cache_removes_nothing(cache: Cache) -> None:
    cache.put("answer", {"a": 1})
    assert cache.gc(10_000_000) == 0
    assert cache.get(["a"]) == {"a": 1}


WORK = """
import sys
from pathlib import Path
from valuebench_harness.harness.cache import Cache
me, path = sys.argv[1], Path(sys.argv[2])
cache = Cache(path)
for i in range(40):
    cache.put("answer", {f"{me}-{i}-{j}": [me, i, j] for j in range(5)} | {f"shared-{i}": i})
    assert len(cache.get([f"{me}-{i}-{j}" for j in range(5)])) == 5
    if i % 20 == 19:
        cache.gc(100_000_000)
"""


def test_two_processes_share_a_cache(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    workers = [subprocess.Popen([sys.executable, "-c", WORK, me, str(path)]) for me in ("a", "b")]
    assert [w.wait(timeout=120) for w in workers] == [0, 0]
    cache = Cache(path)
    assert cache.sizes() == {"answer": 2 * 40 * 5 + 40}
    assert cache.get(["shared-7", "a-3-2", "b-39-4"]) == {"shared-7": 7, "a-3-2": ["a", 3, 2], "b-39-4": ["b", 39, 4]}


def test_many_find_a_new_cache_at_once(tmp_path: Path) -> None:
    together = Barrier(4)

    def work(me: str) -> int:
        for i in range(30):
            together.wait()
            Cache(tmp_path / f"{i}.sqlite").put("answer", {me: i})
        return 1

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, "abcd")) == 4
    assert all(Cache(tmp_path / f"{i}.sqlite").sizes() == {"answer": 4} for i in range(30))


@pytest.mark.parametrize("content", [b"this is no database, but long enough to be taken for one" * 40, b"\x00" * 8192])
def test_a_file_that_is_no_cache_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cache.sqlite"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="VHARNESS_HOME") as caught:
        Cache(path)
    assert str(path) in str(caught.value)


def test_a_damaged_cache_is_named_when_it_is_read(cache: Cache) -> None:
    cache.put("answer", {str(i): "x" * 500 for i in range(500)})
    cache.gc(10**9)  # moves everything from the journal to the file
    data = bytearray(cache.path.read_bytes())
    data[4096:] = b"\x5a" * (len(data) - 4096)
    cache.path.write_bytes(data)
    damaged = Cache(cache.path)
    with pytest.raises(UsageError, match=r"cache\.sqlite cannot be used"):
        damaged.get(str(i) for i in range(500))
    with pytest.raises(UsageError, match=r"cache\.sqlite cannot be used"):
        damaged.put("answer", {"new": 1})
    with pytest.raises(UsageError):
        damaged.gc(0)


def test_a_damaged_entry_is_named(cache: Cache) -> None:
    cache.put("answer", {"a": {"answer": "x"}})
    with closing(sqlite3.connect(cache.path)) as db, db:
        db.execute("UPDATE entries SET value = '{\"answer' WHERE key = 'a'")
    with pytest.raises(UsageError, match=r"cache\.sqlite cannot be used"):
        cache.get(["a"])


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="VHARNESS_HOME"):
        Cache(tmp_path / "file" / "cache.sqlite")


FULL = """
import resource, sys
from pathlib import Path
from valuebench_harness.harness.cache import Cache
cache = Cache(Path(sys.argv[1]))
cache.put("answer", {"kept": 1})
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
cache.put("answer", {str(i): "x" * 1000 for i in range(500)})
print(cache.get(["kept", "499"]))
"""


def test_a_full_disk_costs_a_recomputation_and_no_entry(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL, str(tmp_path / "cache.sqlite")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{'kept': 1}"
    assert Cache(tmp_path / "cache.sqlite").get(["kept"]) == {"kept": 1}


def test_the_cache_may_be_deleted_between_runs(cache: Cache) -> None:
    cache.put("answer", {"a": 1})
    for path in cache.path.parent.glob("cache.sqlite*"):
        path.unlink()
    assert Cache(cache.path).get(["a"]) == {}
