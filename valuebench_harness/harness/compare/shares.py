"""The difference of a share of answers between two sides, paired on the same documents.

A document is asked under many conditions: an exam under every value steered, a dilemma under every strength. Its
answers may be copies of each other, as behind a closed gate, so the documents are the sample and the answers to one
of them a cluster. The answers weigh as they do in the share itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import NormalDist

import numpy as np

from valuebench_harness.harness.compare.difference import Difference, Floats, detectable, directions
from valuebench_harness.harness.compare.observations import document_of
from valuebench_harness.metrics.clusters import cluster_sums
from valuebench_harness.metrics.comparison import item_differences
from valuebench_harness.metrics.paired_margin import fall_exceeds
from valuebench_harness.metrics.rates import Z
from valuebench_harness.metrics.sign_flips import permutation_test


def share_difference(
    first: Mapping[str, Sequence[float | None]], second: Mapping[str, Sequence[float | None]], margin: float
) -> Difference:
    """The gate asks two things: that there is a fall at all, exactly, and that it exceeds the margin.

    The sign-flip permutation test, which exchanges the two sides a document at a time, is exact in small samples but
    knows no margin; Tango's score test knows it but is approximate, and Agresti and Min's interval stands in for it
    where a document has several answers. The larger p of both keeps the level (an intersection-union test).

    Args:
        first: item to the outcomes of its answers, 1 or 0, ``None`` being unscored.
        second: the same items.
        margin: harm that would not matter, as a share.
    """
    before, after = _booleans(first), _booleans(second)
    differences, items = item_differences(before, after)
    unscored = sum(1 for item in first if item in second) - len(items)
    if not items:
        return Difference(None, None, None, None, None, n=0, unscored=unscored)
    documents = [document_of(item) for item in items]
    estimate = float(differences.mean())
    parts = _parts(differences, documents)
    centre, error = _adjusted(parts)
    two_sided = permutation_test(differences, documents)
    assert two_sided is not None
    fall = two_sided / 2 if estimate < 0 else 1 - two_sided / 2
    up, down = directions(cluster_sums(differences, documents))
    return Difference(
        before=_rate(before, items),
        after=_rate(after, items),
        estimate=estimate,
        low=max(-1.0, min(estimate, centre - Z * error)),
        high=min(1.0, max(estimate, centre + Z * error)),
        n=len(parts),
        unscored=unscored,
        up=up,
        down=down,
        p_worse=max(fall, _beyond(parts, centre, error, margin)),
        detectable=detectable(error),
    )


def _parts(differences: Floats, documents: Sequence[str]) -> Floats:
    """What each document adds to the difference, ``[n_documents]``; their mean is the mean of all items.

    Where all documents have as many items, these are the documents' means. Else the mean of all items is a ratio, of
    sums to numbers of items, and a document's part is that of its linearisation (Cochran 1977, Sect. 6.4).
    """
    sums, sizes = cluster_sums(differences, documents), cluster_sums(np.ones_like(differences), documents)
    mean = differences.mean()
    return np.asarray(mean + (sums - mean * sizes) / sizes.mean())


def _adjusted(parts: Floats) -> tuple[float, float]:
    """Centre and standard error of Agresti and Min's interval (Statistics in Medicine 2005).

    As in :func:`valuebench_harness.metrics.paired.paired_change`, whose items all weigh alike: two documents whose
    differences sum to 0 and their squares to 1 are added, so that it keeps a width where nothing changed.
    """
    size, total = len(parts) + 2, float(parts.sum())
    return total / size, sqrt(float(parts @ parts) + 1 - total**2 / size) / size


def _beyond(parts: Floats, centre: float, error: float, margin: float) -> float:
    """P of a fall that does not exceed the margin."""
    up, down = directions(parts)
    if np.allclose(np.abs(parts[parts.nonzero()]), 1, rtol=0, atol=1e-9):
        return fall_exceeds(down, up, len(parts), margin)
    return NormalDist(-margin, error).cdf(centre) if margin else 0.0


def _rate(outcomes: Mapping[str, Sequence[bool | None]], items: Sequence[str]) -> float:
    """The rate over the items that are compared."""
    scored = [o for item in items for o in outcomes[item] if o is not None]
    return sum(scored) / len(scored)


def _booleans(outcomes: Mapping[str, Sequence[float | None]]) -> dict[str, list[bool | None]]:
    return {item: [None if o is None else bool(o) for o in found] for item, found in outcomes.items()}
