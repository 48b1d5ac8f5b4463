"""``vharness cache``"""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from valuebench_harness.cli.render import parse_size, size_text
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.cache import Cache


def fill(n: int) -> None:
    Cache().put("answer", {f"{i:064d}": {"answer": "x" * 900} for i in range(n)})


def test_show_counts_by_kind(vharness: Command, own_folders: Path) -> None:
    fill(3)
    Cache().put("gate", {"k": {"score": 0.5, "open": True}})
    found = json.loads(vharness("cache", "show", "--format", "json").out)
    assert found["folder"] == str(own_folders / "home")
    assert found["entries"] == {"answer": 3, "gate": 1}
    assert "4 (3 of kind 'answer', 1 of kind 'gate')" in vharness("cache", "show").out


def test_gc_keeps_the_newest_and_meets_the_size(vharness: Command) -> None:
    fill(2000)
    newest = [f"{i:064d}" for i in range(100)]
    Cache().get(newest)  # reading counts as use
    assert Cache().bytes() > 1_000_000
    done = vharness("cache", "gc", "--max-size", "500KB")
    assert done.code == 0
    assert Cache().bytes() <= 500_000
    assert set(Cache().get(newest)) == set(newest)
    left = Cache().sizes()["answer"]
    assert 300 <= left < 600  # a 900-byte answer each: the budget is used, not wasted
    assert f"Removed {2000 - left:,} entries" in done.out


def test_gc_to_nothing_removes_artifacts_and_spares_data(vharness: Command, own_folders: Path) -> None:
    fill(10)
    for folder in ("artifacts", "data"):
        (own_folders / "home" / folder).mkdir()
        (own_folders / "home" / folder / "x.safetensors").write_bytes(b"x" * 100)
    assert "Removed 10 entries and 1 artifacts" in vharness("cache", "gc", "--max-size", "0").out
    assert (own_folders / "home" / "data" / "x.safetensors").is_file()


def test_clear_asks_first_and_works_on_a_damaged_file(
    vharness: Command, own_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_folders / "home").mkdir()
    damaged = own_folders / "home" / "cache.sqlite"
    damaged.write_text("this is no database, and long enough for SQLite to notice that it is none")
    refused = vharness("cache", "show")
    assert refused.code == 2
    assert "VHARNESS_HOME" in refused.err
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert vharness("cache", "clear").code == 1
    assert damaged.exists()
    assert vharness("cache", "clear", "--yes").code == 0
    assert not damaged.exists()
    assert vharness("cache", "show").code == 0


@pytest.mark.parametrize(
    ("text", "size"), [("2GB", 2 * 10**9), ("1.5 mb", 1_500_000), ("12", 12), ("0", 0), ("7b", 7), ("3KB", 3000)]
)
def test_sizes_as_users_write_them(text: str, size: int) -> None:
    assert parse_size(text, "--max-size") == size


@pytest.mark.parametrize("text", ["", "GB", "two", "-1", "nan", "inf", "1e999GB", "3 apples"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError, match="--max-size"):
        parse_size(text, "--max-size")


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 KB"), (2_340_000_000, "2.3 GB")])
def test_sizes_in_words(size: int, text: str) -> None:
    assert size_text(size) == text
