"""What a text must be like before another request is spent on it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from valuebench_harness.data.checks import DUPLICATE_JACCARD
from valuebench_harness.data.schemas import PairForm
from valuebench_harness.data.stems import words


@dataclass(frozen=True)
class FormWords:
    """How a prompt asks for a form.

    Attributes:
        name: as in "write one ...".
        rule: that the text must keep.
    """

    name: str
    rule: str


FORMS: Mapping[PairForm, FormWords] = {
    "first-sentence": FormWords("first-person sentence", "The narrator says I or we, and asks nothing."),
    "first-question": FormWords(
        "first-person question", "It is one question of a narrator who says I or we, and ends with a question mark."
    ),
    "third-sentence": FormWords("third-person sentence", "It is about he, she, they or a name, and asks nothing."),
    "third-question": FormWords(
        "third-person question", "It is one question about he, she, they or a name, and ends with a question mark."
    ),
}
"""ConVA's four forms (Jin et al., ACL 2025, Appendix B), in the order in which they are asked for."""

_QUOTED = re.compile(r'"[^"]*"|\u201c[^\u201d]*\u201d')
_NARRATOR = re.compile(r"\b(?:I|[Mm]e|[Mm]y|[Mm]yself|[Ww]e|us|[Oo]urs?|[Oo]urselves)\b")
"""Without "mine", where coal comes from, and "US", where people live."""

_NARRATOR_ACTS = re.compile(r"\b(?:I|[Ww]e)\b")
"""A text about "my dentist" is still about the dentist."""


def form_fault(text: str, form: PairForm) -> str:
    """Why a text is not of a form; empty where it is."""
    person, mood = form.split("-")
    asks = text.rstrip("\"'\u201d\u2019 ").endswith("?")
    if asks != (mood == "question"):
        return "it is no question" if mood == "question" else "it is a question"
    unquoted = _QUOTED.sub(" ", text)
    if person == "first" and not _NARRATOR.search(unquoted):
        return "it is not in the first person"
    if person == "third" and _NARRATOR_ACTS.search(unquoted):
        return "it is in the first person"
    return ""


class Seen:
    """Texts that a new one must not repeat.

    Args:
        texts: to begin with.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._sets: list[tuple[str, frozenset[str]]] = []
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        """Remembers a text."""
        self._sets.append((text, frozenset(words(text))))

    def repeated(self, text: str) -> str:
        """The text whose words overlap most with a new one, where :data:`DUPLICATE_JACCARD` is reached; else empty."""
        new = frozenset(words(text))
        overlaps = ((len(new & old) / max(1, len(new | old)), seen) for seen, old in self._sets)
        overlap, nearest = max(overlaps, default=(0.0, ""))
        return nearest if overlap >= DUPLICATE_JACCARD else ""
