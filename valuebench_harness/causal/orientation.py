"""From a skeleton to directions: colliders, then Meek's rules.

Three ways to settle conflicts between colliders:

* ``first``: the first collider wins, in causal-learn's order, so that the graph is the one that its
  ``pc`` returns. The result depends on the order of the columns.
* ``open``: an edge claimed both ways is marked ``<->`` and no rule uses it, and all rules of a round
  fire at once (Colombo and Maathuis 2014, Section 4.3), so that the order of the columns is
  irrelevant.
* ``stronger``: of colliders x --> y <-- z that contradict each other the one counts whose ends depend
  the more on each other given y, in the set given which they depend least. A collider that one weak
  edge too many has made loses so. It is causal-learn's ``uc_priority=3``, with all of Meek's rules of
  a round at once; the order of the columns is irrelevant.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from valuebench_harness.causal.graph import BoolArray, reachability
from valuebench_harness.causal.skeleton import Skeleton
from valuebench_harness.causal.table import IntArray

Conflicts = Literal["first", "open", "stronger"]

Triple = tuple[int, int, int]


def orient(skeleton: Skeleton, conflicts: Conflicts = "open", exogenous: int = 0) -> BoolArray:
    """Directions that the separating sets imply.

    Args:
        skeleton: with its separating sets.
        conflicts: how colliders that contradict each other are settled.
        exogenous: how many of the last variables nothing causes: their edges point away from them.

    Returns:
        ``[i, j]``: an arrowhead at j of the edge between i and j. Both ways: ``<->``; neither: ``---``.
    """
    n = len(skeleton.adjacent)
    head = np.zeros((n, n), dtype=np.bool_)
    if exogenous:
        head[n - exogenous :] = skeleton.adjacent[n - exogenous :]
    colliders = [
        (x, y, z)
        for x, y, z in _unshielded(skeleton.adjacent)
        if not (head[y, x] or head[y, z]) and y not in skeleton.separators(x, z)
    ]
    if conflicts == "first":
        for x, y, z in colliders:
            if not (_directed(head, y, x) or _directed(head, y, z)):
                head[x, y] = head[z, y] = True
        return _meek_in_turn(skeleton.adjacent, head)
    if conflicts == "stronger":
        colliders = _by_strength(skeleton, colliders)
    for x, y, z in colliders:
        if conflicts == "open" or not (_directed(head, y, x) or _directed(head, y, z)):
            head[x, y] = head[z, y] = True
    return _meek_at_once(skeleton.adjacent, head)


def _by_strength(skeleton: Skeleton, colliders: list[Triple]) -> list[Triple]:
    """Colliders that contradict others last, the strongest of them first."""
    claimed = {(end, y) for x, y, z in colliders for end in (x, z)}
    disputed = {t for t in colliders if (t[1], t[0]) in claimed or (t[1], t[2]) in claimed}
    strength = {(x, y, z): skeleton.least_dependence(x, z, y) for x, y, z in disputed}
    return [t for t in colliders if t not in disputed] + sorted(disputed, key=lambda t: (-strength[t], t))


def _unshielded(adjacent: BoolArray) -> Iterator[Triple]:
    """Triples x - y - z without an edge x - z, x before z, in causal-learn's order: by y, x, z."""
    for y in range(len(adjacent)):
        around = np.flatnonzero(adjacent[y]).tolist()
        for a, x in enumerate(around):
            for z in around[a + 1 :]:
                if not adjacent[x, z]:
                    yield x, y, z


def _directed(head: BoolArray, i: int, j: int) -> bool:
    return bool(head[i, j] and not head[j, i])


def _open(adjacent: BoolArray, head: BoolArray, i: int, j: int) -> bool:
    return bool(adjacent[i, j] and not head[i, j] and not head[j, i])


def _meek_at_once(adjacent: BoolArray, head: BoolArray) -> BoolArray:
    apart = (~adjacent & ~np.eye(len(adjacent), dtype=np.bool_)).astype(np.float32)
    while True:
        arrow = head & ~head.T
        undirected = adjacent & ~head & ~head.T
        steps = arrow.astype(np.float32)
        first = (steps.T @ apart) > 0  # i -> j, i and k apart: j -> k
        second = (steps @ steps) > 0  # i -> j -> k: i -> k
        fired = undirected & (first | second)
        for i, end in np.argwhere(undirected & ~fired):
            between = np.flatnonzero(undirected[i] & arrow[:, end])  # i - j -> end <- k - i, j and k apart: i -> end
            fired[i, end] = apart[np.ix_(between, between)].any()
        if not fired.any():
            return head
        head = head | fired


def _meek_in_turn(adjacent: BoolArray, head: BoolArray) -> BoolArray:
    """Meek's rules one by one in causal-learn's order, none of which may close a cycle."""
    pairs = _pairs(adjacent, head)
    follows: dict[int, list[int]] = {}
    for i, j in pairs:
        follows.setdefault(i, []).append(j)
    paths = [(i, j, k) for i, j in pairs for k in follows.get(j, ()) if k != i]
    chains = [(i, j, k) for i, j, k in paths if not adjacent[i, k]]
    triangles = [(i, j, k) for i, j, k in paths if adjacent[i, k]]
    by_ends: dict[tuple[int, int], list[int]] = {}
    for i, j, k in triangles:
        by_ends.setdefault((i, k), []).append(j)
    kites = [(i, j, k, end) for i, j, end in triangles for k in by_ends[i, end] if j < k and not adjacent[j, k]]
    changed = True
    while changed:
        changed = False
        for i, j, k in chains:
            if _directed(head, i, j) and _open(adjacent, head, j, k):
                changed |= _point(head, j, k)
        for i, j, k in triangles:
            if _directed(head, i, j) and _directed(head, j, k) and _open(adjacent, head, i, k):
                changed |= _point(head, i, k)
        for i, j, k, end in kites:
            if (
                _open(adjacent, head, i, j)
                and _open(adjacent, head, i, k)
                and _directed(head, j, end)
                and _directed(head, k, end)
                and _open(adjacent, head, i, end)
            ):
                changed |= _point(head, i, end)
    return head


def _point(head: BoolArray, i: int, j: int) -> bool:
    """Directs i -> j, unless a directed path leads back."""
    if reachability(head & ~head.T)[j, i]:
        return False
    head[i, j] = True
    return True


def _pairs(adjacent: BoolArray, head: BoolArray) -> list[tuple[int, int]]:
    """Ordered adjacent pairs as causal-learn lists them: ends at tails first, each by (second, first)."""
    ends: IntArray = np.argwhere(adjacent)
    tails = [(int(b), int(a)) for a, b in ends if not head[b, a]]
    heads = [(int(b), int(a)) for a, b in ends if head[b, a]]
    return tails + heads
