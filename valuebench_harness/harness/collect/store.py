"""A collection on disk: what is asked, then replies and verdicts, appended so that a kill loses at most one batch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from pydantic import ValidationError

from valuebench_harness.errors import UsageError
from valuebench_harness.harness.collect.records import (
    SCHEMA_VERSION,
    CollectInfo,
    Person,
    Question,
    Reply,
    Setting,
)
from valuebench_harness.harness.records import Record, VerdictRecord
from valuebench_harness.harness.store import (
    ShardWriter,
    lock_folder,
    read_records,
    record_lines,
    write_atomically,
)

INFO, SETTINGS, ROLES, ITEMS = "collect.json", "settings.jsonl", "roles.jsonl", "items.jsonl"


class CollectStore:
    """Reads and writes a collection's folder.

    Args:
        folder: made when first written to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def exists(self) -> bool:
        """Whether the folder holds a collection."""
        return (self.folder / INFO).is_file()

    def info(self) -> CollectInfo:
        """``collect.json``.

        Raises:
            UsageError: where there is none, or one of another schema version.
        """
        path = self.folder / INFO
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UsageError(f"{self.folder} is no collection: it has no {INFO}.") from None
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} cannot be read as JSON ({error}); collect again.") from error
        version = data.get("schema_version") if isinstance(data, dict) else None
        if version != SCHEMA_VERSION:
            raise UsageError(
                f"{path} has schema version {version}, this vharness reads {SCHEMA_VERSION}. Collect again."
            )
        try:
            return CollectInfo.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            raise UsageError(f"{path}: '{'.'.join(map(str, first['loc']))}': {first['msg']}.") from error

    def write_info(self, info: CollectInfo) -> None:
        """Replaces ``collect.json``."""
        write_atomically(self.folder / INFO, info.model_dump_json(indent=1) + "\n")

    def write_plan(self, settings: Sequence[Setting], people: Sequence[Person], items: Sequence[Question]) -> None:
        """Writes what will be asked, before the first answer."""
        parts: tuple[tuple[str, Sequence[Record]], ...] = ((SETTINGS, settings), (ROLES, people), (ITEMS, items))
        for name, records in parts:
            write_atomically(self.folder / name, record_lines(records))

    def settings(self) -> list[Setting]:
        """All settings, the unsteered one first."""
        return list(read_records(self.folder / SETTINGS, Setting))

    def people(self) -> list[Person]:
        """All roles, the empty one first."""
        return list(read_records(self.folder / ROLES, Person))

    def items(self) -> list[Question]:
        """All items."""
        return list(read_records(self.folder / ITEMS, Question))

    def replies(self) -> Iterator[Reply]:
        """Finished replies in the order in which they were written."""
        for path in sorted((self.folder / "answers").glob("*.jsonl")):
            yield from read_records(path, Reply)

    def verdicts(self, judge: str) -> dict[str, VerdictRecord]:
        """A judge's verdicts by key of what was judged."""
        paths = sorted((self.folder / "verdicts").glob("*.jsonl"))
        found = (v for path in paths for v in read_records(path, VerdictRecord))
        return {v.sample: v for v in found if v.judge == judge}

    def answers_writer(self) -> ShardWriter:
        """Appends replies to a new shard."""
        return ShardWriter(self.folder / "answers")

    def verdicts_writer(self) -> ShardWriter:
        """Appends verdicts to a new shard."""
        return ShardWriter(self.folder / "verdicts")

    def write_text(self, name: str, text: str) -> None:
        """Writes a derived file whole."""
        write_atomically(self.folder / name, text)

    def lock(self) -> AbstractContextManager[None]:
        """Keeps other sessions off the collection."""
        return lock_folder(self.folder)
