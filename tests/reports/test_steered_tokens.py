"""Steered tokens as reports show them."""

from __future__ import annotations

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from valuebench_harness.engine.rows import Moved
from valuebench_harness.reports.clean import clean, clean_places
from valuebench_harness.reports.steered_tokens import in_words, shown_spans

HARMLESS = st.text(st.sampled_from("ab é👩\u2028\u202e\x07\n"), max_size=6)
WHOLE = st.sampled_from(["\x1b[31m", "\x1b]8;;http://x\x1b\\", "\r\n", "\x9b2J", "\ufeff"])
PARTS = st.lists(HARMLESS | WHOLE, max_size=8)


def shown(text: str, spans: tuple[int, ...]) -> list[str]:
    """What a script's ``slice`` gives."""
    units = text.encode("utf-16-le")
    return [units[2 * a : 2 * b].decode("utf-16-le") for a, b in zip(spans[::2], spans[1::2], strict=True)]


@given(PARTS)
def test_places_between_parts_stand_between_the_clean_parts(parts: list[str]) -> None:
    places = list(accumulate(map(len, parts), initial=0))
    wanted = list(accumulate((len(clean(part)) for part in parts), initial=0))
    assert clean_places("".join(parts), places) == wanted


@given(st.text())
def test_places_of_any_text_rise_and_end_with_it(text: str) -> None:
    found = clean_places(text, range(len(text) + 1))
    assert found == sorted(found)
    assert (found[0], found[-1]) == (0, len(clean(text)))


@given(PARTS, st.data())
def test_the_marked_words_are_the_steered_ones(parts: list[str], data: st.DataObject) -> None:
    steered = data.draw(st.lists(st.booleans(), min_size=len(parts), max_size=len(parts)))
    ends = list(accumulate(map(len, parts), initial=0))
    spans = tuple((ends[i], ends[i + 1]) for i, hit in enumerate(steered) if hit)
    text = "".join(parts)
    marked = shown(clean(text), shown_spans(text, 10_000, Moved(len(spans), ((1, len(spans)),), spans)))
    assert marked == [clean(part) for part, hit in zip(parts, steered, strict=True) if hit and clean(part)]


def test_a_mark_ends_where_a_long_text_is_cut() -> None:
    moved = Moved(2, ((0, 2),), ((0, 2), (4, 30)))
    assert shown_spans("abc def ghi and more", 7, moved) == (0, 2, 4, 7)


def test_words_name_layers_of_one_count_together() -> None:
    assert in_words(Moved(13, ((1, 13), (2, 11), (3, 11)), ((0, 9),)), 14) == (
        "13 of 14 tokens steered: 13 at layer 1, 11 at 2-3"
    )
    assert in_words(Moved(4, ((5, 4), (6, 4)), None), 9) == (
        "4 of 9 tokens steered: 4 at layers 5-6; the tokenizer does not tell where they stand"
    )
    assert in_words(Moved(0, (), ()), 9) == "0 of 9 tokens steered"
    assert in_words(None, 9) == ""
