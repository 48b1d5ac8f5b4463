"""Do context words tell the two sides of a training set apart? ConVA's analysis of frequent words (its Table 2).

A probe that is trained on texts whose scenes differ between the sides learns the scenes: "digital", not security.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from valuebench_harness.data.schemas import ContrastivePair
from valuebench_harness.data.stems import content_stems

FREQUENT = 25
"""Words of a side that are looked at (Jin et al., ACL 2025, Table 2)."""

MAX_ONE_SIDED = 8
"""Of those, how many the other side may lack: the figure of ConVA's context-controlled set, whose are the words of
the value itself; its straightforward set has 22."""

RARE = 0.05
"""A word in no more than this share of a side's texts is not frequent, however varied the vocabulary; in the paper's
small vocabulary the question did not arise."""

MIN_PAIRS = 20
"""In fewer pairs a word is one-sided by chance."""


def one_sided_words(pairs: Sequence[ContrastivePair]) -> tuple[list[str], list[str]]:
    """Stems among the most frequent of a side, and not rare, that no text of the other side has.

    A stem counts once a text; function words do not count.

    Args:
        pairs: of one value.

    Returns:
        Those of the positive and those of the negative texts, most frequent first.
    """
    positive, negative = (
        Counter(stem for text in side for stem in dict.fromkeys(content_stems(text)))
        for side in ([p.positive for p in pairs], [p.negative for p in pairs])
    )
    rare = RARE * len(pairs)
    return _lacking(positive, negative, rare), _lacking(negative, positive, rare)


def _lacking(stems: Counter[str], other: Counter[str], rare: float) -> list[str]:
    return [stem for stem, texts in stems.most_common(FREQUENT) if texts > rare and not other[stem]]
