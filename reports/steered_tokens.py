"""Which tokens of a sample were steered, in words and as stretches of the text that a report shows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby

from valuebench_harness.engine.rows import Moved
from valuebench_harness.reports.clean import clean, clean_places
from valuebench_harness.reports.numbers import ranges


@lru_cache(maxsize=4096)
def in_words(moved: Moved | None, of: int) -> str:
    """``13 of 14 tokens steered: 13 at layer 1, 11 at 2-3``; empty where it was not recorded.

    Args:
        moved: the tokens of a prompt or an answer.
        of: how many it has.
    """
    if moved is None:
        return ""
    words = f"{moved.tokens} of {of} tokens steered"
    for number, (n, group) in enumerate(groupby(moved.layers, key=lambda entry: entry[1])):
        layers = [layer for layer, _ in group]
        name = "" if number else f"layer{'s' if len(layers) > 1 else ''} "
        words += f"{', ' if number else ': '}{n} at {name}{ranges(layers)}"
    return words + ("; the tokenizer does not tell where they stand" if moved.tokens and moved.spans is None else "")


def shown_spans(text: str, length: int, moved: Moved | None) -> tuple[int, ...]:
    """First and past-the-last place of every stretch of steered tokens, one after the other.

    Places count UTF-16 units, as a page's script does.

    Args:
        text: as the model read or wrote it.
        length: characters of it that the page shows, see :func:`.clean.cut`.
        moved: its steered tokens.
    """
    if moved is None or not moved.spans:
        return ()
    whole = clean(text)
    places: Sequence[int] = [place for span in moved.spans for place in span]
    if whole != text:
        places = clean_places(text, places)
    end = len(whole) if len(whole) <= length else len(whole[:length].rstrip())
    spans = [(a, min(b, end)) for a, b in zip(places[::2], places[1::2], strict=True) if a < min(b, end)]
    return tuple(_units(whole, place) for span in spans for place in span)


def _units(text: str, place: int) -> int:
    return place if text.isascii() else len(text[:place].encode("utf-16-le")) // 2
