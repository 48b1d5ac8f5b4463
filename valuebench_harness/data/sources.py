"""Where real data sets live: the user's folder (``VHARNESS_DATA_DIR``), else the cache."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from valuebench_harness.errors import UsageError, unknown_name

DATA_DIR_VARIABLE = "VHARNESS_DATA_DIR"
HOME_VARIABLE = "VHARNESS_HOME"


@dataclass(frozen=True)
class Source:
    """A data set that is not shipped.

    Attributes:
        name: name of its folder and on the command line.
        title: one line on what it is.
        repository: ``owner/name`` on the hub or on GitHub.
        licence: licence of the data, as its authors state it.
        marker: glob of a file without which a folder does not hold the data set.
    """

    name: str
    title: str
    repository: str
    licence: str
    marker: str


SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        Source(
            "conva",
            "open questions and contrastive pairs for the ten Schwartz values (Jin et al. 2025)",
            "hr-jin/ConVA",
            "none stated",
            "*_*.csv",
        ),
        Source(
            "mmlu",
            "four-choice questions in 57 subjects (Hendrycks et al. 2021)",
            "cais/mmlu",
            "MIT",
            "test/*_test.csv",
        ),
        Source(
            "valuebench",
            "questionnaire items and definitions of values (Ren et al. 2024)",
            "Value4AI/ValueBench",
            "MIT",
            "value_orientation.csv",
        ),
    )
}


def home() -> Path:
    """The cache folder: ``VHARNESS_HOME``, else the platform's cache folder for this package."""
    if chosen := os.environ.get(HOME_VARIABLE):
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("valuebench-harness", appauthor=False))


def pulled_folder(name: str) -> Path:
    """The folder that ``pull`` writes a data set to."""
    return home() / "data" / get_source(name).name


def get_source(name: str) -> Source:
    """The source of a name.

    Raises:
        UsageError: no such data set; the nearest is suggested.
    """
    if name.lower() not in SOURCES:
        raise unknown_name("data set", name, SOURCES)
    return SOURCES[name.lower()]


def find(name: str) -> Path | None:
    """The folder that holds a data set, ``None`` where it is not at hand.

    Raises:
        UsageError: an unknown name, or ``VHARNESS_DATA_DIR`` names no folder.
    """
    source = get_source(name)
    candidates = [pulled_folder(name)]
    if chosen := os.environ.get(DATA_DIR_VARIABLE):
        root = Path(chosen).expanduser()
        if not root.is_dir():
            raise UsageError(f"{DATA_DIR_VARIABLE} is set to {root}, which is no folder.")
        candidates.insert(0, root / source.name)
    return next((folder for folder in candidates if any(folder.glob(source.marker))), None)


def require(name: str) -> Path:
    """The folder that holds a data set.

    Raises:
        UsageError: it is not at hand; the message says how to get it.
    """
    folder = find(name)
    if folder is not None:
        return folder
    source = get_source(name)
    chosen = os.environ.get(DATA_DIR_VARIABLE)
    where = f"in {DATA_DIR_VARIABLE} ({chosen})" if chosen else f"here ({DATA_DIR_VARIABLE} is not set)"
    raise UsageError(
        f"The data set '{source.name}' is not {where} and was not pulled. {how_to_get(source)}",
    )


def how_to_get(source: Source) -> str:
    """What a user does to get a data set, in one sentence."""
    return (
        f"Run 'vharness data pull {source.name}', or set {DATA_DIR_VARIABLE} to a folder "
        f"that holds {source.name}/{source.marker}."
    )
