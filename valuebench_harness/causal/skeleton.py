"""The skeleton of PC in its stable form (Colombo and Maathuis 2014), all tests of a level in a few matrix products.

Conditioning sets of a pair come from the neighbours of either end, as they were when the level began.
A pair is done with as soon as one set separates it; causal-learn goes on through all sets of the
level, because its rule for colliders asks for every one that separates. That question is asked here
only of pairs for which it matters (:meth:`Skeleton.separators`), so that skeleton and colliders are
the same and the tests far fewer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations
from math import comb

import numpy as np

from valuebench_harness.causal.graph import BoolArray
from valuebench_harness.causal.independence import IndependenceTest, critical
from valuebench_harness.causal.table import IntArray

BLOCK = 20_000
"""Tests done at once."""

MOST_BESIDE = 3
"""Further variables given when colliders are weighed: larger sets have little power left."""

FIRST = 8
"""Conditioning sets of a pair that are tried first, before pairs without a separating set try the rest."""


@dataclass(eq=False)
class Skeleton:
    """Which variables are adjacent, and what separated the others.

    Attributes:
        adjacent: ``[columns, columns]``, symmetric.
        tests: independence tests done.
    """

    adjacent: BoolArray
    tests: int = 0
    _test: IndependenceTest | None = None
    _limit: float = 0.0
    _levels: list[BoolArray] = field(default_factory=list)
    _removed_at: dict[tuple[int, int], int] = field(default_factory=dict)
    _separators: dict[tuple[int, int], frozenset[int]] = field(default_factory=dict)

    def separators(self, i: int, j: int) -> frozenset[int]:
        """Variables in any set that separated a pair, at the level at which the pair was separated."""
        pair = (min(i, j), max(i, j))
        if pair not in self._separators:
            self._separators[pair] = self._find_separators(*pair)
        return self._separators[pair]

    def _find_separators(self, i: int, j: int) -> frozenset[int]:
        level = self._removed_at.get((i, j), 0)
        if level == 0:
            return frozenset()
        assert self._test is not None
        found: set[int] = set()
        for a, b in ((i, j), (j, i)):
            others = [int(k) for k in np.flatnonzero(self._levels[level][a]) if k != b]
            if len(others) < level:
                continue
            sets = np.array(others, dtype=np.intp)[_subsets(len(others), level)]
            for block in np.array_split(sets, max(1, len(sets) // BLOCK)):
                z = self._test.z(np.full(len(block), a), np.full(len(block), b), block)
                self.tests += len(block)
                found.update(block[z < self._limit].ravel().tolist())
        return frozenset(found)

    def least_dependence(self, i: int, j: int, given: int) -> float:
        """Smallest statistic of a pair over conditioning sets with one variable among them.

        Sets are drawn from the neighbours of either end, at most ``MOST_BESIDE`` beside the variable.
        """
        assert self._test is not None
        least = np.inf
        for a, b in ((i, j), (j, i)):
            others = np.array([k for k in np.flatnonzero(self.adjacent[a]) if k not in {b, given}], dtype=np.intp)
            for size in range(min(len(others), MOST_BESIDE) + 1):
                sets = others[_subsets(len(others), size)]
                sets = np.column_stack([sets, np.full(len(sets), given, dtype=np.intp)])
                least = min(least, float(self._test.z(np.full(len(sets), a), np.full(len(sets), b), sets).min()))
                self.tests += len(sets)
        return least


def find_skeleton(
    test: IndependenceTest, alpha: float, allowed: BoolArray | None = None, most_given: int | None = None
) -> Skeleton:
    """Removes every adjacency that some conditioning set explains.

    Args:
        test: of conditional independence.
        alpha: level of each test.
        allowed: pairs that may be adjacent, symmetric; default: all.
        most_given: largest conditioning set; default: as large as the neighbourhoods allow.
    """
    n = test.columns
    adjacent = ~np.eye(n, dtype=np.bool_) if allowed is None else allowed & ~np.eye(n, dtype=np.bool_)
    skeleton = Skeleton(adjacent, _test=test, _limit=critical(alpha))
    level = 0
    while adjacent.sum(axis=1).max(initial=0) > level and (most_given is None or level <= most_given):
        before = adjacent.copy()
        skeleton._levels.append(before)
        for i, j in _separated(skeleton, before, level):
            adjacent[i, j] = adjacent[j, i] = False
            skeleton._removed_at[i, j] = level
        level += 1
    skeleton.adjacent = adjacent
    return skeleton


def _separated(skeleton: Skeleton, before: BoolArray, level: int) -> set[tuple[int, int]]:
    """Pairs that a set of ``level`` neighbours separates."""
    gone: set[tuple[int, int]] = set()
    for start, stop in ((0, FIRST), (FIRST, None)):
        for i, j, given in _questions(before, level, gone, start, stop):
            assert skeleton._test is not None
            z = skeleton._test.z(i, j, given)
            skeleton.tests += len(z)
            independent = z < skeleton._limit
            gone.update(
                (min(a, b), max(a, b)) for a, b in zip(i[independent].tolist(), j[independent].tolist(), strict=True)
            )
    return gone


def _questions(
    before: BoolArray, level: int, gone: set[tuple[int, int]], start: int, stop: int | None
) -> Iterator[tuple[IntArray, IntArray, IntArray]]:
    """Blocks of (i, j, given); pairs in ``gone`` are skipped, also those that join it while this runs."""
    parts: list[tuple[IntArray, IntArray, IntArray]] = []
    size = 0
    for i in range(len(before)):
        neighbours = np.flatnonzero(before[i])
        if len(neighbours) - 1 < level:
            continue
        chosen = _subsets(len(neighbours) - 1, level)[start:stop]
        if len(chosen) == 0:
            continue
        for place, j in enumerate(neighbours.tolist()):
            if (min(i, j), max(i, j)) in gone or (level == 0 and j < i):
                continue
            sets = np.delete(neighbours, place)[chosen]
            for block in np.array_split(sets, -(-len(sets) // BLOCK)):
                parts.append((np.full(len(block), i), np.full(len(block), j), block))
                size += len(block)
                if size >= BLOCK:
                    yield _joined(parts)
                    parts, size = [], 0
    if parts:
        yield _joined(parts)


def _joined(parts: list[tuple[IntArray, IntArray, IntArray]]) -> tuple[IntArray, IntArray, IntArray]:
    i, j, given = zip(*parts, strict=True)
    return np.concatenate(i), np.concatenate(j), np.concatenate(given)


@cache
def _subsets(n: int, size: int) -> IntArray:
    """All subsets of ``range(n)`` of a size, ``[subsets, size]``, in lexicographic order."""
    return np.array(list(combinations(range(n), size)), dtype=np.intp).reshape(comb(n, size), size)
