"""A run on disk: one folder, written so that a kill at any moment loses at most one batch.

``run.json``, ``documents.jsonl`` and ``conditions.jsonl`` are replaced whole; samples and
verdicts are appended to JSONL shards, one shard a session, and synced batch by batch. A line that
a kill cut short is ignored on reading and its sample made again.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from filelock import FileLock, Timeout
from pydantic import ValidationError

from valuebench_harness.errors import IncompleteError, UsageError
from valuebench_harness.harness.records import (
    SCHEMA_VERSION,
    Condition,
    Document,
    Record,
    RunInfo,
    Sample,
    VerdictRecord,
)

if TYPE_CHECKING:
    from types import TracebackType

R = TypeVar("R", bound=Record)


class RunStore:
    """Reads and writes a run's folder.

    Args:
        folder: of the run; made when first written to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def exists(self) -> bool:
        """Whether the folder holds a run."""
        return (self.folder / "run.json").is_file()

    def info(self) -> RunInfo:
        """``run.json``.

        Raises:
            UsageError: where there is no run, or one of another schema version.
        """
        path = self.folder / "run.json"
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UsageError(f"{self.folder} is no run: it has no run.json. 'vharness ls runs' lists runs.") from None
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} cannot be read as JSON ({error}); the run must be made again.") from error
        version = data.get("schema_version") if isinstance(data, dict) else None
        if version != SCHEMA_VERSION:
            raise UsageError(
                f"{path} has schema version {version}, this vharness reads {SCHEMA_VERSION}. Make the run again."
            )
        try:
            return RunInfo.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            raise UsageError(f"{path}: '{'.'.join(map(str, first['loc']))}': {first['msg']}.") from error

    def write_info(self, info: RunInfo) -> None:
        """Replaces ``run.json``."""
        write_atomically(self.folder / "run.json", info.model_dump_json(indent=1) + "\n")

    def write_plan(self, conditions: Sequence[Condition], documents: Sequence[Document]) -> None:
        """Writes what the run will ask, before the first answer."""
        write_atomically(self.folder / "conditions.jsonl", record_lines(conditions))
        write_atomically(self.folder / "documents.jsonl", record_lines(documents))

    def conditions(self) -> list[Condition]:
        """All conditions, the base first."""
        return list(read_records(self.folder / "conditions.jsonl", Condition))

    def documents(self) -> list[Document]:
        """All documents, in the order asked."""
        return list(read_records(self.folder / "documents.jsonl", Document))

    def forget(self) -> None:
        """Takes back a run of which nothing was answered, so that no folder is left that cannot be finished."""
        for name in ("run.json", "conditions.jsonl", "documents.jsonl"):
            (self.folder / name).unlink(missing_ok=True)
        for name in ("artifacts", "samples"):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def samples(self) -> dict[str, Sample]:
        """Finished samples by key."""
        return {s.key: s for path in self._shards("samples") for s in read_records(path, Sample)}

    def verdicts(self, judge: str) -> dict[tuple[str, str], VerdictRecord]:
        """A judge's verdicts by sample key and question."""
        found = (v for path in self._shards("verdicts") for v in read_records(path, VerdictRecord))
        return {(v.sample, v.asks): v for v in found if v.judge == judge}

    def samples_writer(self) -> ShardWriter:
        """Appends samples to a new shard."""
        return ShardWriter(self.folder / "samples")

    def verdicts_writer(self) -> ShardWriter:
        """Appends verdicts to a new shard."""
        return ShardWriter(self.folder / "verdicts")

    def write_text(self, name: str, text: str) -> None:
        """Writes a derived file, such as ``metrics.json``, whole."""
        write_atomically(self.folder / name, text)

    def lock(self) -> AbstractContextManager[None]:
        """Keeps other sessions off the run; see :func:`lock_folder`."""
        return lock_folder(self.folder)

    def _shards(self, name: str) -> list[Path]:
        return sorted((self.folder / name).glob("*.jsonl"))


class ShardWriter:
    """Appends records to one new shard; :meth:`write` returns when they are on disk.

    The file is unbuffered, so that what a full disk refused is not written a second time on
    closing, and is cut back to whole records.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: FileIO | None = None
        self._size = 0

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, records: Iterable[Record]) -> None:
        """Appends and syncs.

        Raises:
            IncompleteError: where the disk is full or the folder cannot be written.
        """
        data = record_lines(records).encode()
        if not data:
            return
        try:
            if self._file is None:
                self._file = self._new_shard()
            left = memoryview(data)
            while left:
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
            self._size += len(data)
        except OSError as error:
            if self._file is not None:
                with suppress(OSError):
                    self._file.truncate(self._size)
                    self._file.seek(self._size)
            raise _disk_error(self._folder, error) from error

    def _new_shard(self) -> FileIO:
        self._folder.mkdir(parents=True, exist_ok=True)
        last = max((int(p.stem) for p in self._folder.glob("*.jsonl") if p.stem.isdecimal()), default=-1)
        return FileIO(self._folder / f"{last + 1:05d}.jsonl", "x")


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Keeps other processes from writing to a folder.

    Raises:
        UsageError: where another process holds it.
        IncompleteError: where the folder cannot be written.
    """
    lock = FileLock(folder / ".lock")
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise UsageError(f"Another process is writing to {folder}. Wait for it, or choose another --out.") from None
    except OSError as error:
        raise _disk_error(folder, error) from error
    try:
        yield
    finally:
        lock.release()
        if is_new:
            with suppress(OSError):  # where anything was written, the folder stays
                if [path.name for path in folder.iterdir()] == [".lock"]:
                    (folder / ".lock").unlink()
                folder.rmdir()


def write_atomically(path: Path, text: str) -> None:
    """Writes a file whole: after a kill it is the old one or the new one.

    Raises:
        IncompleteError: where the disk is full or the folder cannot be written.
    """
    temporary = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8") as f:
            f.write(text)
            f.flush()
            os.fsync(f.fileno())
        temporary.replace(path)
    except OSError as error:
        raise _disk_error(path.parent, error) from error


def _disk_error(folder: Path, error: OSError) -> IncompleteError:
    return IncompleteError(
        f"{folder} cannot be written: {error.strerror or error}. All samples written so far are kept; "
        "make room (or fix the folder's rights) and start the same command again with --resume."
    )


def record_lines(records: Iterable[Record]) -> str:
    """Records as the lines of a JSONL file; what equals its default is left out."""
    return "".join(r.model_dump_json(exclude_defaults=True) + "\n" for r in records)


def read_records(path: Path, kind: type[R]) -> Iterator[R]:
    """The records of a JSONL file; a last line that a kill cut short is left out.

    Raises:
        UsageError: where the file is missing or a line is no such record.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        raise UsageError(f"{path.parent} is half a run: {path.name} is missing. Make the run again.") from None
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            yield kind.model_validate_json(line)
        except ValidationError as error:
            if number == len(lines):
                continue  # the line has no end: a kill cut it short
            raise UsageError(
                f"{path}:{number} is not a {kind.__name__.lower()}: {error.errors()[0]['msg']}."
            ) from error
