"""Does a text show the marks of a model driven off its manifold?

Steering that is too strong ends in loops, fragments and stray symbols long before it ends in
wrong grammar. This finds those marks and nothing finer: text that passes may still be clumsy.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

MIN_WORDS_FOR_LOOPS = 8
LONGEST_LOOP = 10
WINDOW = 48
"""Words looked at together: a loop after a good beginning is found, and long texts may reuse words."""

UNDECODED = "\N{REPLACEMENT CHARACTER}"
MOJIBAKE = re.compile(r"[\u00c2\u00c3][^\x00-\x7f]|\u00e2\u20ac")
"""UTF-8 read as Latin-1: what was an accented letter, or a curly quote."""

_QUOTES_AND_DASHES = {"Pi", "Pf", "Pd", "Ps", "Pe"}
_WORD = re.compile(r"\w+(?:['\N{RIGHT SINGLE QUOTATION MARK}]\w+)?")
_MARKDOWN = re.compile(r"(?m)^\s*(?:#{1,6}|[-*>])\s|(?P<mark>\*{1,3}|_{1,3}|`{1,3})(?=\S)(?P<inner>[^*_`]+)(?P=mark)")


def degenerate(text: str) -> str:
    """The first mark of degeneration found, in words; empty where there is none."""
    stripped = text.strip()
    if not stripped:
        return "empty"
    whole = stripped.rstrip(UNDECODED)  # an answer may be cut off within a character
    if UNDECODED in whole or not whole:
        return "undecodable bytes"
    if MOJIBAKE.search(whole):
        return "garbled encoding"
    # Marks belong to the letters before them, in Hindi or Thai as in a decomposed accent.
    plain = _MARKDOWN.sub(lambda m: m["inner"] or "", whole.lower())
    bare = "".join(c for c in plain if unicodedata.category(c)[0] != "M").replace("_", " ").strip()
    words = _WORD.findall(bare)
    if not words:
        return "no words"
    if sum(_is_readable(c) for c in bare) / len(bare) < 0.8:
        return "mostly symbols"
    if re.search(r"([^\s.\-=*])\1{5,}", bare):
        return "one character over and over"
    return _repeated(words, bare) or next(filter(None, map(_loop, _windows(words))), "")


def _is_readable(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] in "LNZ" or category in _QUOTES_AND_DASHES or character in ".,;:!?'\"\n\N{HORIZONTAL ELLIPSIS}"


def _repeated(words: Sequence[str], text: str) -> str:
    """Four times the same word, or three times with nothing between where that is most of the text."""
    longest = max(len(list(run)) for _, run in groupby(words))
    bare_triple = re.search(r"\b(\w+)(?:\s+\1\b){2}", text) is not None
    if longest >= 4 or (bare_triple and longest > len(words) / 2):
        return "one word over and over"
    return ""


def _windows(words: Sequence[str]) -> list[Sequence[str]]:
    last = max(0, len(words) - WINDOW)
    return [words[start : start + WINDOW] for start in (*range(0, last, WINDOW // 2), last)]


def _loop(words: Sequence[str]) -> str:
    if len(words) < MIN_WORDS_FOR_LOOPS:
        return ""
    for n in range(2, LONGEST_LOOP + 1):
        grams = Counter(zip(*(words[i:] for i in range(n)), strict=False))
        if not grams:
            break
        gram, count = max(grams.items(), key=itemgetter(1))
        # "The more you save, the more you have; the more you have, the more you worry" is at three quarters.
        if count >= 3 and count * n > 0.75 * len(words):
            return f"loops on '{' '.join(gram)}'"
    return "few distinct words" if len(set(words)) / len(words) < 0.3 else ""
