"""Downloads data sets into the cache, with the resolved commit and checksums beside them.

MMLU comes from the Hugging Face Hub (Parquet, rewritten as this package's CSV); ValueBench and
ConVA are files on GitHub at a fixed commit.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from valuebench_harness.data import mmlu
from valuebench_harness.data.download import fetch, write_atomic
from valuebench_harness.data.sources import get_source, pulled_folder
from valuebench_harness.errors import UsageError, unknown_name

HUB = "https://huggingface.co"
GITHUB = "https://raw.githubusercontent.com"
RECORD = "source.json"

MMLU_REFERENCE: dict[str, str] = {
    "astronomy/dev": "f8a39ab3bde9d3c49a805a28b5ffa7c65ec8dd104b9c523e1a3d57e9a8688bd5",
    "astronomy/test": "fd24362d1a2d5d0076411d318b1bb208300493673c9a711b6df1f02bde0ced46",
    "business_ethics/dev": "83c09c0f94a3cf561b982a466f3ef28a88323a4c3d3636cf0ad63a6f0cbd1509",
    "business_ethics/test": "560c3e452ea78fc625a3e51a9af5a7b44ed19f1b34b631c4b40ae32cb40d93e6",
    "global_facts/dev": "77ca453e3ad2dc4cf5e6042dcd5e1b2a94dda9d0be95a5f71787961aae18aa15",
    "global_facts/test": "16c6a6e3ad4c646a328e8f204646faa3f481027454858f030d69af912a7a9b3f",
    "jurisprudence/dev": "18926872d1365bef849dc3331d143a0caa32621c3baf129facd659fafb5bfb70",
    "jurisprudence/test": "883978c0447c24441ab043eae90668547051ce802c8610dd0a329d9c86f409ec",
}
"""SHA-256 of :func:`items_digest` for the files this project's figures were measured on."""

Progress = Callable[[int, int, str], None]
"""Called with (files done, files in all, file just stored)."""


@dataclass(frozen=True)
class RawFile:
    """A file at a fixed commit of a repository on GitHub; ``sha256`` where it is known."""

    commit: str
    path: str
    sha256: str | None = None


_VALUEBENCH = "188773443c1f2f24ff3223e46216bd74ed91ae51"
_CONVA_TESTS = "0f6f0e05311a7bf2941ca45f2904ba15ba4d2858"
_CONVA_PAIRS = "ef39c9baf6b8b86170e4775de6128c3e31973e23"
_CONVA_VALUES = (
    "achievement", "benevolence", "conformity", "hedonism", "power",
    "security", "self-direction", "stimulation", "tradition", "universalism",
)  # fmt: skip

RAW_FILES: dict[str, tuple[RawFile, ...]] = {
    "valuebench": (
        RawFile(
            _VALUEBENCH,
            "data/value_orientation.csv",
            "cb81699e9ed621477d120246b3facd4d2943e880a93e19a68bdb4deaed9f6f11",
        ),
        RawFile(
            _VALUEBENCH,
            "data/value_data.xlsx",
            "b2dcb8e79bd1b4c23631b354788e60928d1a86f5e8706e434f5d5af98d1cc82a",
        ),
    ),
    "conva": (
        *(RawFile(_CONVA_TESTS, f"data/value/test_{value}_new.csv") for value in _CONVA_VALUES),
        *(
            RawFile(_CONVA_PAIRS, f"data/value/{value}_{kind}.csv")
            for value in _CONVA_VALUES
            for kind in ("context_controlled", "non_context_controlled")
        ),
    ),
}


def pull(name: str, endpoint: str | None = None, *, progress: Progress | None = None) -> Path:
    """Downloads a data set into the cache.

    Nothing is stored before every file of the data set has arrived and passed its checks.

    Args:
        name: ``valuebench``, ``conva``, ``mmlu`` (the four subjects that ConVA reports), or
            ``mmlu:anatomy,virology`` or ``mmlu:all``.
        endpoint: base address of another server in place of the hub (default ``HF_ENDPOINT``)
            or of GitHub's raw files.
        progress: called after each file.

    Returns:
        The folder, which now also holds ``source.json``: repository, commit, and the SHA-256
        of each file.

    Raises:
        UsageError: unknown name or subject, or a download that failed, with the reason.
    """
    base, _, chosen = name.partition(":")
    source = get_source(base)
    if source.name == "mmlu":
        files, record = _pull_mmlu(_subjects(chosen), endpoint or os.environ.get("HF_ENDPOINT") or HUB, progress)
    elif chosen:
        raise UsageError(f"'{name}': only mmlu takes a part after the colon; write '{source.name}'.")
    else:
        files, record = _pull_raw(source.name, endpoint or GITHUB, progress)
    folder = pulled_folder(source.name)
    earlier = read_record(folder)
    merged = {
        "name": source.name,
        "repository": source.repository,
        "licence": source.licence,
        "pulled": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": dict(sorted({**earlier.get("files", {}), **record}.items())),
    }
    text = json.dumps(merged, indent=2) + "\n"
    write_atomic(folder, {**files, RECORD: text.encode()})
    return folder


def read_record(folder: Path) -> dict[str, Any]:
    """What ``pull`` wrote beside the files of a folder; empty where the files came another way."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder / RECORD}: cannot be read ({error}); delete it and pull again.") from None
    return record if isinstance(record, dict) else {}


def altered_files(folder: Path) -> list[str]:
    """Files whose content is no longer what ``pull`` stored, by the SHA-256 in the record."""
    return [
        name
        for name, entry in read_record(folder).get("files", {}).items()
        if not (folder / name).is_file()
        or hashlib.sha256((folder / name).read_bytes()).hexdigest() != entry.get("sha256")
    ]


def items_digest(rows: Iterable[tuple[str, Iterable[str], int]]) -> str:
    """SHA-256 of questions, choices and answers, whatever file format they came in.

    Args:
        rows: question, choices, and index of the answer. Blanks at the ends do not count.
    """
    digest = hashlib.sha256()
    for question, choices, answer in rows:
        row = [question.strip(), *(choice.strip() for choice in choices), answer]
        digest.update(json.dumps(row, ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()


def _subjects(chosen: str) -> tuple[str, ...]:
    if not chosen:
        return mmlu.VALUE_UNRELATED
    if chosen.strip().lower() == "all":
        return mmlu.SUBJECTS
    names = tuple(part.strip().lower() for part in chosen.split(","))
    for name in names:
        if name not in mmlu.SUBJECTS:
            raise unknown_name("MMLU subject", name, mmlu.SUBJECTS)
    return names


def _pull_raw(name: str, endpoint: str, progress: Progress | None) -> tuple[dict[str, bytes], dict[str, Any]]:
    repository = get_source(name).repository
    files: dict[str, bytes] = {}
    record: dict[str, Any] = {}
    wanted = RAW_FILES[name]
    for number, file in enumerate(wanted, 1):
        url = f"{endpoint.rstrip('/')}/{repository}/{file.commit}/{file.path}"
        body = fetch(url, sha256=file.sha256)
        stored = Path(file.path).name
        files[stored] = body
        record[stored] = {
            "url": url,
            "commit": file.commit,
            "sha256": hashlib.sha256(body).hexdigest(),
            "checked": "sha256" if file.sha256 else "commit only",
        }
        if progress:
            progress(number, len(wanted), stored)
    return files, record


def _pull_mmlu(
    subjects: tuple[str, ...], endpoint: str, progress: Progress | None
) -> tuple[dict[str, bytes], dict[str, Any]]:
    repository = get_source("mmlu").repository
    root = endpoint.rstrip("/")
    commit, checksums = _hub_revision(root, repository)
    files: dict[str, bytes] = {}
    record: dict[str, Any] = {}
    wanted = [(subject, split) for subject in subjects for split in ("dev", "test")]
    for number, (subject, split) in enumerate(wanted, 1):
        path = f"{subject}/{split}-00000-of-00001.parquet"
        url = f"{root}/datasets/{repository}/resolve/{commit}/{path}"
        rows = _parquet_rows(fetch(url, sha256=checksums.get(path)), url)
        stored = f"{split}/{subject}_{split}.csv"
        files[stored] = _csv_bytes(rows)
        reference = MMLU_REFERENCE.get(f"{subject}/{split}")
        record[stored] = {
            "url": url,
            "commit": commit,
            "sha256": hashlib.sha256(files[stored]).hexdigest(),
            "checked": "sha256" if path in checksums else "commit only",
            "same_as_reference": None if reference is None else items_digest(rows) == reference,
        }
        if progress:
            progress(number, len(wanted), stored)
    return files, record


def _hub_revision(root: str, repository: str) -> tuple[str, dict[str, str]]:
    """Commit of the hub's main branch, and the SHA-256 of its large files by path."""
    url = f"{root}/api/datasets/{repository}/revision/main?blobs=true"
    try:
        answer = json.loads(fetch(url))
        commit = answer["sha"]
        siblings = answer.get("siblings", [])
        sums = {s["rfilename"]: s["lfs"]["sha256"] for s in siblings if (s.get("lfs") or {}).get("sha256")}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(f"{url}: the answer is not that of a Hugging Face Hub; check the endpoint.") from None
    return str(commit), sums


def _parquet_rows(body: bytes, url: str) -> list[tuple[str, list[str], int]]:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(io.BytesIO(body), columns=["question", "choices", "answer"])
    except (pyarrow.ArrowException, KeyError) as error:
        raise UsageError(f"{url}: not MMLU's Parquet ({error}).") from None
    return [(row["question"], row["choices"], int(row["answer"])) for row in table.to_pylist()]


def _csv_bytes(rows: Iterable[tuple[str, list[str], int]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(mmlu.HEADER)
    writer.writerows([question, *choices, answer] for question, choices, answer in rows)
    return text.getvalue().encode()
