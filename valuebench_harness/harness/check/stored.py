"""The latest findings on each steerer, kept so that a list can show them without loading a model.

A finding belongs to the code it was made on: after an edit of the steerer's file, or with another
version of this package, it is no longer shown.
"""

from __future__ import annotations

import hashlib
import inspect
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from valuebench_harness import __version__
from valuebench_harness.data.sources import home
from valuebench_harness.errors import IncompleteError
from valuebench_harness.harness.check.outcome import Conformance
from valuebench_harness.harness.store import write_atomically

if TYPE_CHECKING:
    from valuebench_harness.steerers.base import Steerer


def keep(found: Conformance, steerer: type[Steerer[Any]]) -> None:
    """Stores a finding under the steerer's name and code; a folder that cannot be written is let pass."""
    with suppress(IncompleteError):  # a cache: what is not kept is checked again
        write_atomically(_path(steerer), found.model_dump_json(indent=1) + "\n")


def recall(steerer: type[Steerer[Any]]) -> Conformance | None:
    """The finding on a steerer as its code is now; ``None`` where it was not checked."""
    try:
        return Conformance.model_validate_json(_path(steerer).read_bytes())
    except (OSError, ValidationError):
        return None


def _path(steerer: type[Steerer[Any]]) -> Path:
    source = inspect.getsourcefile(steerer)
    code = Path(source).read_bytes() if source else b""
    digest = hashlib.sha256(f"{__version__}/{steerer.__qualname__}/".encode() + code).hexdigest()
    return home() / "conformance" / f"{digest[:32]}.json"
