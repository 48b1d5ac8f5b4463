"""Untrusted text made harmless to look at: model output, judges' reasons, names from data files.

What a renderer needs on top (HTML's entities, Markdown's escapes, a spreadsheet's quote) it adds
itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_ESCAPE_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor, erase
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f]).*?(?:\x07|\x1b\\|\x9c)"  # OSC, DCS and their like: titles, links, clipboard
    r"|\x1b[ -/]*[0-~]",
    re.DOTALL,
)
_LINE_ENDS = re.compile(r"\r\n?|[\u0085\u2028\u2029]")
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tab and newline
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks that turn the direction of text
    r"\ufeff\U000e0000-\U000e007f]"  # byte order marks and invisible tags
)
_SURROGATES = re.compile(r"[\ud800-\udfff]")


_STEPS = ((_ESCAPE_SEQUENCES, ""), (_LINE_ENDS, "\n"), (_INVISIBLE, ""), (_SURROGATES, "\ufffd"))


def clean(text: str) -> str:
    """Removes terminal escapes, control characters, marks of direction and invisible tags; keeps lines and tabs."""
    for pattern, instead in _STEPS:
        text = pattern.sub(instead, text)
    return text


def clean_places(text: str, places: Sequence[int]) -> list[int]:
    """Where places in a text, as numbers of characters before them, stand in the clean text."""
    for pattern, instead in _STEPS:
        matches = [match.span() for match in pattern.finditer(text)]
        if matches:
            places = [place + sum(_shift(span, len(instead), place) for span in matches) for place in places]
            text = pattern.sub(instead, text)
    return list(places)


def _shift(span: tuple[int, int], length: int, place: int) -> int:
    """By how much a place moves when a stretch of text is replaced by one of some length."""
    start, end = span
    return 0 if place <= start else length - (min(end, place) - start)


def cut(text: str, length: int) -> str:
    """At most ``length`` characters of clean text; what is left out is said."""
    text = clean(text)
    if len(text) <= length:
        return text
    return f"{text[:length].rstrip()} ... [{len(text) - length:,} characters more in samples.parquet]"


def one_line(text: str, length: int) -> str:
    """Clean text as one line of at most ``length`` characters, an ellipsis included."""
    line = " ".join(clean(text).split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"
