"""Rich output as a string: as wide as the terminal, in colour where there is one."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Callable

from rich.console import Console

MAX_WIDTH = 120


def printed(show: Callable[[Console], None], max_width: int = MAX_WIDTH) -> str:
    """What a function prints on a console.

    Args:
        show: prints.
        max_width: columns at most; terminals may have fewer.
    """
    width = min(max_width, shutil.get_terminal_size((max_width, 24)).columns)
    out = io.StringIO()
    show(Console(file=out, width=width, force_terminal=sys.stdout.isatty(), legacy_windows=False, highlight=False))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()).rstrip()
