"""Where code that is not this package's own runs: a method from a user's file or from another package."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from valuebench_harness.errors import IncompleteError, VharnessError

if TYPE_CHECKING:
    from valuebench_harness.steerers.base import Steerer

PACKAGE = "valuebench_harness"


@contextmanager
def told(steerer: Steerer[Any], doing: str) -> Iterator[None]:
    """Turns what a user's own method raises into an error that shows the user's own lines.

    Args:
        steerer: the method that may run inside.
        doing: what was asked of it, for the message.

    Raises:
        IncompleteError: something was raised below the method's own code; what is finished is on disk. An
            error from anywhere else passes through.
    """
    try:
        yield
    except VharnessError:
        raise
    except Exception as error:
        sources = _own_sources(steerer)
        frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).resolve() in sources]
        if not frames:
            raise
        lines = "".join((*traceback.format_list(frames), *traceback.format_exception_only(error))).rstrip()
        raise IncompleteError(
            f"The steerer '{steerer.name}' failed while {doing}:\n{lines}\n"
            "All answers so far are kept: correct it and start the same command again with --resume."
        ) from error


def _own_sources(steerer: Steerer[Any]) -> set[Path]:
    """Files of the classes of a method and its parts that are not this package's."""
    found = {source for part in steerer.parts for source in _own_sources(part)}
    for cls in type(steerer).__mro__:
        if cls.__module__.partition(".")[0] in {PACKAGE, "builtins", "typing", "abc"}:
            continue
        source = inspect.getsourcefile(cls)
        if source is not None:
            found.add(Path(source).resolve())
    return found
