"""A generation on disk, beside the items it makes: replies appended as they come, the rest written whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import yaml

from valuebench_harness.data.schemas import Item
from valuebench_harness.data.values import Value, ValueSystem, load_value_system
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.generate.records import Exchange, GenerationInfo, Kind, Rejection
from valuebench_harness.harness.store import ShardWriter, lock_folder, read_records, record_lines, write_atomically

SYSTEM = "values.yaml"


class ReplyStore:
    """What a model that writes said, and what of it was rejected.

    Args:
        folder: of both.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def known(self) -> dict[str, Exchange]:
        """Replies of all sessions by key."""
        shards = sorted((self.folder / "steps").glob("*.jsonl"))
        return {exchange.key: exchange for path in shards for exchange in read_records(path, Exchange)}

    def steps_writer(self) -> ShardWriter:
        """Appends replies to a new shard."""
        return ShardWriter(self.folder / "steps")

    def write_rejections(self, rejected: Sequence[Rejection]) -> None:
        """Replaces ``rejected.jsonl``."""
        write_atomically(self.folder / "rejected.jsonl", record_lines(rejected))

    def lock(self) -> AbstractContextManager[None]:
        """Keeps other sessions off."""
        return lock_folder(self.folder)


class GenerationStore(ReplyStore):
    """Reads and writes ``{root}/generation/{kind}/{value}`` and ``{root}/{kind}/{value}.jsonl``.

    Args:
        root: folder of the data set.
        kind: of items.
        value: id of the value they are about.
    """

    def __init__(self, root: Path, kind: Kind, value: str) -> None:
        super().__init__(root / "generation" / kind / value)
        self.root = root
        self.items_path = root / kind / f"{value}.jsonl"

    def claim(self) -> None:
        """Makes sure that the items' file is free, or was made here.

        Raises:
            UsageError: somebody else's file stands in its place.
        """
        taken = [path for path in (self.items_path, self.items_path.with_suffix(".csv")) if path.is_file()]
        if taken and not (self.folder / "generation.json").is_file():
            raise UsageError(f"{taken[0]} exists and was not generated here. Move it away, or choose another --out.")

    def write_items(self, items: Sequence[Item], info: GenerationInfo) -> None:
        """Replaces the items and how they were made."""
        write_atomically(self.folder / "generation.json", info.model_dump_json(indent=1) + "\n")
        rows = (item.model_dump(mode="json", exclude_defaults=True) for item in items)
        write_atomically(self.items_path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def write_system(root: Path, system: ValueSystem, value: Value) -> Path:
    """Adds a value to the value system in a folder of items, so that every command can read them.

    Args:
        root: folder of the items.
        system: that the value is of.
        value: to add; one that stands there already stays as it is.

    Returns:
        The YAML file.

    Raises:
        UsageError: a file is there that is no value system.
    """
    path = root / SYSTEM
    values = {v.id: v for v in (load_value_system(path).values if path.is_file() else ())}
    values.setdefault(value.id, value)
    fields = ("name", "definition", "source", "noun", "opposite")
    content = {
        "name": f"{system.name}-generated",
        "source": system.source,
        "data": ".",
        "values": {
            key: {name: getattr(v, name) for name in fields if getattr(v, name)} for key, v in sorted(values.items())
        },
    }
    write_atomically(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100))
    return path
