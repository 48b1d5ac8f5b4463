"""Checkpoints on disk and on the Hugging Face hub: what a name leads to, and downloads in parts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from valuebench_harness.engine.fingerprint import weight_files
from valuebench_harness.errors import UsageError

_DESCRIPTION = ("*.json", "*.jinja", "*.txt", "*.model")
"""Small files that say what a checkpoint is and how its tokenizer works."""

_NO_WEIGHTS = "has no weights in .safetensors or pytorch_model.bin. Other formats are not read: convert it."


def local_folder(name: str) -> Path | None:
    """The folder of a checkpoint on disk, None where the name can only be one on the hub.

    Raises:
        UsageError: a folder without a checkpoint, or a path that leads nowhere.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise UsageError(f"{name} is no checkpoint: it has no config.json.")
        if not weight_files(folder):
            raise UsageError(f"{name} {_NO_WEIGHTS}")
        return folder
    if folder.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1 or folder.exists():
        raise UsageError(f"{name} is no folder. Give the folder of a checkpoint, or its id on the hub.")
    return None


def download_description(name: str, revision: str | None, *, code: bool) -> Path:
    """Downloads what is small: configuration and tokenizer.

    Args:
        name: id on the hub.
        revision: branch, tag or commit.
        code: fetch Python files as well.

    Returns:
        The folder, named after the commit.

    Raises:
        UsageError: no such repository or revision, no access to it, or no connection.
    """
    return download(name, revision, [*_DESCRIPTION, *(["*.py"] if code else [])])


def download_weights(name: str, revision: str | None, *, code: bool) -> Path:
    """Downloads the rest: the safetensors of a checkpoint, or where it has none its ``pytorch_model*.bin``.

    Args:
        name: id on the hub.
        revision: branch, tag or commit.
        code: fetch Python files as well.

    Returns:
        The folder, named after the commit.

    Raises:
        UsageError: as for :func:`download_description`, or no weights.
    """
    description = [*_DESCRIPTION, *(["*.py"] if code else [])]
    folder = download(name, revision, [*description, "*.safetensors"])
    if not any(path.is_file() for path in weight_files(folder)):
        folder = download(name, revision, [*description, "pytorch_model*.bin"])
    if not weight_files(folder):
        raise UsageError(f"{name} on the hub {_NO_WEIGHTS}")
    return folder


def download(name: str, revision: str | None, patterns: Sequence[str]) -> Path:
    """Downloads the files of a repository that match, or finds them in the cache.

    Args:
        name: id on the hub.
        revision: branch, tag or commit.
        patterns: of file names.

    Raises:
        UsageError: no such repository or revision, no access to it, or no connection.
    """
    try:
        found = snapshot_download(
            name, revision=revision, allow_patterns=list(patterns), ignore_patterns=["*/*", "consolidated*"]
        )
    except GatedRepoError:
        raise UsageError(f"Access to {name} on the hub has to be asked for; then set HF_TOKEN.") from None
    except RevisionNotFoundError:
        raise UsageError(f"{name} on the hub has no revision '{revision}'.") from None
    except LocalEntryNotFoundError:
        raise UsageError(
            f"Model '{name}' was not found locally and the hub cannot be reached. "
            "Give the folder of a checkpoint, or connect and try again."
        ) from None
    except (RepositoryNotFoundError, HFValidationError):
        raise UsageError(
            f"Model '{name}' is no folder here and no model on the hub (private ones need HF_TOKEN)."
        ) from None
    except (HfHubHTTPError, OSError) as error:
        raise UsageError(f"Downloading '{name}' from the hub failed: {first_line(error)}") from None
    return Path(found)


def first_line(error: BaseException) -> str:
    """The first line of an error's message, cut to what a terminal shows."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
