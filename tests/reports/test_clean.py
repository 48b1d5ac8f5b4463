from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from valuebench_harness.reports.clean import clean, cut, one_line


@given(st.text())
def test_nothing_that_steers_a_terminal_or_turns_text_is_left(text: str) -> None:
    for character in clean(text):
        assert unicodedata.category(character) not in {"Cc", "Cs"} or character in "\n\t"
        assert unicodedata.bidirectional(character) not in {
            "RLO",
            "LRO",
            "RLE",
            "LRE",
            "PDF",
            "RLI",
            "LRI",
            "FSI",
            "PDI",
        }


@given(st.text())
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert clean(clean(text)) == clean(text)


def test_escape_sequences_go_whole_and_words_stay() -> None:
    assert clean("\x1b[1;31mred\x1b[0m \x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\ \x9b2Jend") == "red link end"
    assert clean("a\r\nb\u2028c\td") == "a\nb\nc\td"
    assert clean("naïve 日本語 עברית 👩\u200d🔬") == "naïve 日本語 עברית 👩\u200d🔬"


def test_what_is_cut_is_said() -> None:
    assert cut("x" * 10, 10) == "x" * 10
    assert cut("x" * 1_010, 10).startswith("xxxxxxxxxx ... [1,000 characters more")
    assert one_line("a\n\n  b " + "c" * 50, 8) == "a b ccc…"
