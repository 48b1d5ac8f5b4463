"""Baselines: the outcomes of runs, kept as small JSON files that are committed and read in review.

``FOLDER/NAME/KEY.json`` holds one run. An item stands on a line of its own, so that a diff shows the flips. A digest
over the whole file tells a baseline that was edited by hand from one that was saved.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock
from pydantic import ValidationError

from valuebench_harness.errors import UsageError
from valuebench_harness.harness.compare.observations import Observations
from valuebench_harness.harness.compare.statistics import metric_of
from valuebench_harness.harness.store import write_atomically

BASELINE_SCHEMA = 1


class Baseline:
    """The named baseline of a project: a folder with a file for each run.

    Args:
        folder: of all baselines.
        name: of this one.

    Raises:
        UsageError: for a name that is no plain file name.
    """

    def __init__(self, folder: Path, name: str) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            raise UsageError(f"Baseline '{name}' must be a plain name of letters, digits, dots and dashes.")
        self.name = name
        self.folder = folder / name

    @property
    def held(self) -> list[str]:
        """Keys of the runs it holds."""
        return sorted(path.stem for path in self.folder.glob("*.json"))

    def path(self, key: str) -> Path:
        """Where a run's outcomes lie."""
        return self.folder / f"{key}.json"

    def load(self, key: str) -> Observations:
        """The outcomes of a run.

        Raises:
            UsageError: where the file is missing, edited by hand, damaged, or of another schema.
        """
        return load_baseline(self.path(key))

    def save(self, key: str, observations: Observations, *, overwrite: bool) -> Path:
        """Writes a run's outcomes.

        Raises:
            UsageError: where they are there already and may not be overwritten.
        """
        path = self.path(key)
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / ".lock"):
            if path.exists() and not overwrite:
                raise UsageError(
                    f"{path} is there already; nothing was overwritten. Take another name, or update it on purpose "
                    f"(--vharness-compare {self.name} --vharness-update)."
                )
            write_atomically(path, render(observations))
        return path


def render(observations: Observations) -> str:
    """A baseline as text: keys in order, one item a line, the digest last."""
    record = {"schema_version": BASELINE_SCHEMA, **observations.model_dump(mode="json")}
    record["outcomes"] = {m: {k: _plain(v) for k, v in x.items()} for m, x in observations.outcomes.items()}
    record["metrics"] = _metrics(observations)
    return "\n".join([*_body(record), f' "digest": "{_digest(record)}"', "}", ""])


def _plain(outcomes: Sequence[float | None]) -> list[float | int | None]:
    """Whole numbers without a point: a diff of 1 and 0 reads better."""
    return [int(o) if o is not None and o == int(o) else o for o in outcomes]


def _body(record: Mapping[str, Any]) -> Iterator[str]:
    yield "{"
    for key in ("schema_version", "model", "revision", "judge"):
        yield f' "{key}": {json.dumps(record[key])},'
    for key in ("identity", "metrics", "questions"):
        yield f' "{key}": {{'
        yield from _lines(record[key], "  ")
        yield " },"
    yield ' "outcomes": {'
    metrics = sorted(record["outcomes"])
    for metric in metrics:
        yield f'  "{metric}": {{'
        yield from _lines(record["outcomes"][metric], "   ")
        yield "  }," if metric != metrics[-1] else "  }"
    yield " },"


def _lines(record: Mapping[str, Any], indent: str) -> Iterator[str]:
    keys = sorted(record)
    for key in keys:
        comma = "," if key != keys[-1] else ""
        yield f"{indent}{json.dumps(key)}: {json.dumps(record[key])}{comma}"


def _metrics(observations: Observations) -> dict[str, float | None]:
    """The numbers, for readers of the file."""
    found = {metric: metric_of(metric, outcomes) for metric, outcomes in observations.outcomes.items()}
    return {metric: None if number is None else round(number, 6) for metric, number in found.items()}


def _digest(record: Mapping[str, Any]) -> str:
    text = json.dumps({k: v for k, v in record.items() if k != "digest"}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def load_baseline(path: Path) -> Observations:
    """Reads a baseline's file; errors name the line.

    Raises:
        UsageError: where the file is missing, edited by hand, damaged, or of another schema.
    """
    if not path.is_file():
        raise UsageError(f"There is no baseline {path}.")
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        record = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"{path}:{error.lineno}: no valid JSON ({error.msg}). {_AGAIN}") from error
    if not isinstance(record, dict):
        raise UsageError(f"{path}:1: no baseline. {_AGAIN}")
    version = record.get("schema_version")
    if version != BASELINE_SCHEMA:
        raise UsageError(
            f"{path}:{_line(text, 'schema_version')}: schema version {version}, this vharness reads "
            f"{BASELINE_SCHEMA}. {_AGAIN}"
        )
    fields = {k: v for k, v in record.items() if k in Observations.model_fields}
    try:
        observations = Observations.model_validate(fields)
        metrics = _metrics(observations)
    except (ValidationError, ValueError) as error:
        where = ".".join(map(str, error.errors()[0]["loc"])) if isinstance(error, ValidationError) else "outcomes"
        raise UsageError(
            f"{path}:{_line(text, where.rpartition('.')[2] or where)}: '{where}' is malformed. {_AGAIN}"
        ) from None
    if record.get("digest") != _digest(record):
        edited = [m for m in metrics if record.get("metrics", {}).get(m) != metrics[m]]
        line = _line(text, edited[0], after='"metrics"') if edited else _line(text, "digest")
        raise UsageError(f"{path}:{line}: edited by hand, its digest no longer fits. {_AGAIN}")
    return observations


_AGAIN = "Restore the file, or save it again (--vharness-update)."


def _line(text: str, key: str, after: str = "") -> int:
    """Number of the line that holds a key, from 1; the first line where it stands nowhere."""
    start = text.find(after) if after else 0
    place = text.find(f'"{key}"', max(start, 0))
    return text.count("\n", 0, place) + 1 if place >= 0 else 1
