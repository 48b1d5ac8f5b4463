"""Families of tests: how often would chance alone show something?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

Key = TypeVar("Key")


def holm(p_values: Mapping[Key, float | None]) -> dict[Key, float | None]:
    """Holm's step-down adjustment (1979): compared with 0.05, the chance of any false finding is at most 5%.

    Args:
        p_values: of the tests of one family; ``None`` is a test that could not be made, which stays so and
            does not count.

    Returns:
        Adjusted p by key, in the order given.
    """
    known = sorted((p, n) for n, p in enumerate(p_values.values()) if p is not None)
    adjusted: dict[int, float] = {}
    largest = 0.0
    for rank, (p, place) in enumerate(known):
        largest = max(largest, min(1.0, p * (len(known) - rank)))
        adjusted[place] = largest
    return {key: adjusted.get(n) for n, key in enumerate(p_values)}
