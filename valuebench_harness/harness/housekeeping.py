"""What the cache folder holds, and how it is made smaller. Pulled data sets are counted, never removed."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from valuebench_harness.data.sources import home
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.cache import Cache


@dataclass(frozen=True)
class CacheUsage:
    """What lies under ``VHARNESS_HOME``; sizes in bytes.

    Attributes:
        folder: where.
        entries: number of cached answers, gate decisions and verdicts, by kind.
        entries_bytes: their file.
        artifacts: number of fitted methods and gates.
        artifacts_bytes: their files.
        data_bytes: pulled data sets.
    """

    folder: Path
    entries: dict[str, int]
    entries_bytes: int
    artifacts: int
    artifacts_bytes: int
    data_bytes: int


def usage() -> CacheUsage:
    """Measures the cache.

    Raises:
        UsageError: where the cache cannot be opened.
    """
    cache = Cache()
    fitted = _artifacts()
    return CacheUsage(
        folder=home(),
        entries=cache.sizes(),
        entries_bytes=cache.bytes(),
        artifacts=len(fitted),
        artifacts_bytes=_size(fitted),
        data_bytes=_size(p for p in (home() / "data").rglob("*") if p.is_file()),
    )


def trim(max_bytes: int) -> tuple[int, int]:
    """Removes what was used longest ago until entries and artifacts together take at most ``max_bytes``.

    Artifacts are few and dear, so entries go first.

    Returns:
        How many entries and how many artifacts were removed.

    Raises:
        UsageError: where the cache cannot be compacted.
    """
    fitted = sorted(_artifacts(), key=lambda p: p.stat().st_mtime)
    entries = Cache().gc(max(0, max_bytes - _size(fitted)))
    removed = 0
    while removed < len(fitted) and _size(fitted[removed:]) > max_bytes:
        fitted[removed].unlink(missing_ok=True)
        removed += 1
    return entries, removed


def clear() -> None:
    """Deletes all entries and artifacts, also where the file of entries is damaged.

    Raises:
        UsageError: where something cannot be deleted.
    """
    try:
        for path in home().glob("cache.sqlite*"):
            path.unlink(missing_ok=True)
        if (home() / "artifacts").is_dir():
            shutil.rmtree(home() / "artifacts")
    except OSError as error:
        raise UsageError(f"{error.filename or home()} cannot be deleted: {error.strerror}.") from error


def _artifacts() -> list[Path]:
    return list((home() / "artifacts").glob("*.safetensors"))


def _size(files: Iterable[Path]) -> int:
    return sum(p.stat().st_size for p in files)
