"""Generations, gate decisions and verdicts by the content that determines them.

One SQLite file under ``VHARNESS_HOME`` (default: the platform's cache folder). A key covers
everything that can change the value, so a hit is as good as a new computation, and the cache
can be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from itertools import accumulate
from pathlib import Path
from typing import Any

from filelock import FileLock

from valuebench_harness.data.sources import home
from valuebench_harness.errors import UsageError

BATCH = 500
SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, kind TEXT, value TEXT, used REAL) WITHOUT ROWID
"""


def content_key(kind: str, **parts: Any) -> str:
    """Hash of what determines a value; ``kind`` keeps namespaces apart."""
    return hashlib.sha256(json.dumps([kind, parts], sort_keys=True, default=str).encode()).hexdigest()


class Cache:
    """A key-value store on disk, safe to share between processes.

    Args:
        path: of the SQLite file; ``None`` for the one under :func:`home`.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or home() / "cache.sqlite"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(error) from error
        self._prepare()

    def get(self, keys: Iterable[str]) -> dict[str, Any]:
        """The values of those keys that are there.

        Raises:
            UsageError: where the file is damaged.
        """
        wanted = list(dict.fromkeys(keys))
        found: dict[str, Any] = {}
        with self._open() as db:
            for start in range(0, len(wanted), BATCH):
                part = wanted[start : start + BATCH]
                marks = ",".join("?" * len(part))
                rows = db.execute(f"SELECT key, value FROM entries WHERE key IN ({marks})", part).fetchall()  # noqa: S608
                found.update({k: json.loads(v) for k, v in rows})
            # On a full or locked disk only the order in which gc removes suffers.
            with suppress(sqlite3.OperationalError), db:
                db.executemany("UPDATE entries SET used = ? WHERE key = ?", [(time.time(), k) for k in found])
        return found

    def put(self, kind: str, entries: Mapping[str, Any]) -> None:
        """Adds entries; those that are there stay. A cache that cannot be written is no error of the run."""
        rows = [(k, kind, json.dumps(v), time.time()) for k, v in entries.items()]
        try:
            with closing(self._connect()) as db, db:
                db.executemany("INSERT OR IGNORE INTO entries VALUES (?, ?, ?, ?)", rows)
        except sqlite3.OperationalError:
            return  # a full or locked disk costs a later recomputation, not this run
        except sqlite3.DatabaseError as error:
            raise self._unusable(error) from error

    def sizes(self) -> dict[str, int]:
        """Number of entries by kind."""
        with self._open() as db:
            return dict(db.execute("SELECT kind, COUNT(*) FROM entries GROUP BY kind ORDER BY kind").fetchall())

    def bytes(self) -> int:
        """Size on disk."""
        return sum(p.stat().st_size for p in self.path.parent.glob(self.path.name + "*"))

    def gc(self, max_bytes: int) -> int:
        """Removes the entries used longest ago until the file takes at most ``max_bytes``; returns how many.

        An empty file still takes a few pages.

        Raises:
            UsageError: where the disk is too full to compact the file.
        """
        removed = 0
        try:
            with closing(self._connect()) as db:
                while (actual := _compact(db)) > max_bytes:
                    newest_first = db.execute(
                        "SELECT key, LENGTH(key) + LENGTH(CAST(value AS BLOB)) FROM entries ORDER BY used DESC"
                    ).fetchall()
                    if not newest_first:
                        break
                    # The file is larger than its contents; the share that must go is the same.
                    budget = sum(size for _, size in newest_first) * max_bytes / actual
                    running = accumulate(size for _, size in newest_first)
                    doomed = [(key,) for (key, _), total in zip(newest_first, running, strict=True) if total > budget]
                    with db:
                        db.executemany("DELETE FROM entries WHERE key = ?", doomed)
                    removed += len(doomed)
        except sqlite3.Error as error:
            raise UsageError(
                f"The cache at {self.path} cannot be trimmed ({error}). 'vharness cache clear' deletes it whole."
            ) from error
        return removed

    def _prepare(self) -> None:
        """Makes the file, one process at a time.

        Switching to a write-ahead log takes a lock that SQLite does not wait for: of two processes that both find a
        new file, one would be told at once that the database is locked.
        """
        try:
            with FileLock(f"{self.path}.lock"), self._open() as db, db:
                db.execute("PRAGMA journal_mode=WAL")
                db.execute(SCHEMA)
        except OSError as error:
            raise self._unusable(error) from error

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(self._connect()) as db:
                yield db
        except (sqlite3.Error, json.JSONDecodeError) as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> UsageError:
        return UsageError(
            f"The cache at {self.path} cannot be used ({error}). Delete it, or set VHARNESS_HOME to another folder."
        )

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=60)


def _compact(db: sqlite3.Connection) -> int:
    """Gives free pages back; returns the size of the file in bytes."""
    db.execute("VACUUM")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (pages,), (size,) = db.execute("PRAGMA page_count").fetchone(), db.execute("PRAGMA page_size").fetchone()
    return int(pages * size)
