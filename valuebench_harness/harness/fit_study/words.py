"""Frequent context words of the training pairs: what a classifier may learn instead of the value.

ConVA's Table 2: of the 25 most frequent words of the positive and of the negative texts, stop words left
out, how many are found on one side only. Pairs whose context was controlled share most of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from valuebench_harness.harness.fit_study.records import Words

TOP = 25
_WORD = re.compile(r"[^\W\d_]{3,}(?:['’][^\W\d_]+)?")


def context_words(positive: Iterable[str], negative: Iterable[str], top: int = TOP) -> Words:
    """Sorts the most frequent words of both sides into those of one side and those of both.

    Ties go to the word that comes first in the alphabet, so that the table is the same each time.
    """
    ranked = _ranked(positive, top), _ranked(negative, top)
    shared = set(ranked[0]) & set(ranked[1])
    return Words(
        positive=tuple(w for w in ranked[0] if w not in shared),
        negative=tuple(w for w in ranked[1] if w not in shared),
        common=tuple(w for w in ranked[0] if w in shared),
    )


def _ranked(texts: Iterable[str], top: int) -> list[str]:
    counts = Counter(w for text in texts for w in _WORD.findall(text.lower()) if w not in ENGLISH_STOP_WORDS)
    return [word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:top]]
