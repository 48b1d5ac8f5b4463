"""Errors that a user is meant to read.

Every error names what was wrong, where, and what to do. The command line prints
``str(error)`` and leaves with ``error.exit_code``; nothing else of it is shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

AGAIN = "start the same command again, with --resume where it has that option"
"""How to go on, for errors that many commands share; commands whose work is all cached have no such option."""


class VharnessError(Exception):
    """Base of the errors this package raises on purpose.

    Attributes:
        exit_code: what ``vharness`` exits with when the error reaches the command line.
    """

    exit_code = 2


class UsageError(VharnessError):
    """Bad input: an unknown name, a malformed file, a value out of range."""


class IncompleteError(VharnessError):
    """A run was left incomplete; finished samples are on disk and it can be resumed."""

    exit_code = 3


def unknown_name(kind: str, name: str, known: Iterable[str], hint: str = "") -> UsageError:
    """Builds the error for a name that does not exist, with the nearest that does.

    Args:
        kind: what the name should have been, such as ``"value"``.
        name: what the user wrote.
        known: the names that exist.
        hint: what to do, appended as it is.
    """
    names = sorted(set(known))
    near = get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    text = f"Unknown {kind} '{name}'."
    if near:
        text += f" Did you mean '{near[0]}'?"
    elif len(names) <= 20:
        text += f" Known: {', '.join(names) or 'none'}."
    return UsageError(f"{text} {hint}".rstrip())
