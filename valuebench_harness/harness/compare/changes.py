"""Side effects and consistency: numbers that are no means of answers, compared between two sides.

Both get their standard error by leaving out one document at a time, from both sides and from all conditions that it
was answered under (the delete-one jackknife; documents are the sample, as for shares). That error is right for a
smooth statistic, and rather too large than too small for one that noise rules (Efron and Stein 1981); resampling would
instead draw the only document of a group over and over, and shift a root mean square upwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from valuebench_harness.harness.compare.difference import Difference, Floats, detectable, directions
from valuebench_harness.harness.compare.observations import document_of, group_of
from valuebench_harness.metrics.clusters import cluster_sums, labels
from valuebench_harness.metrics.ids import METRICS
from valuebench_harness.metrics.rates import student

Outcomes = Mapping[str, Sequence[float | None]]


def root_mean_square(outcomes: Outcomes) -> float | None:
    """Root mean square over groups of the mean change of their items (SteeringControl's entanglement)."""
    items = [item for item in outcomes if _scored(outcomes[item])]
    if not items:
        return None
    groups = [group_of(item) for item in items]
    changes = _means(outcomes, items)
    means = cluster_sums(changes, groups) / cluster_sums(np.ones_like(changes), groups)
    return float(np.sqrt(np.mean(np.square(means))))


def share_aimed(outcomes: Outcomes) -> float | None:
    """Answers that moved the way aimed at, of all that moved; ``None`` where none did."""
    moves = [o for found in outcomes.values() for o in _scored(found) if o]
    return sum(o > 0 for o in moves) / len(moves) if moves else None


def side_effects_difference(first: Outcomes, second: Outcomes, margin: float) -> Difference:
    """The difference of two root mean squares of changes; its interval and p are of what noise does not explain.

    A change that is 0 in truth is measured as its error, and squares of errors add up: of two methods that move
    nothing, the one whose answers merely vary more has the larger root mean square. With R for those shown, U for the
    mean squares less the groups' own error variances (unbiased, 0 in expectation where nothing moves) and V for the
    mean of those variances, interval and p are of

        (U2 - U1) / (R2 + R1)  =  (R2 - R1) - (V2 - V1) / (R2 + R1),

    the difference shown less the part of it that noise alone makes; where both sides vary alike, it is the difference
    shown. It errs towards 0, since the divisor holds the noise; that is never less than noise alone would make it, the
    root of V2 + V1, lest changes that happen to cancel divide by nothing. The interval is drawn out to hold the
    difference shown, is never narrower than what a single answer makes, and nothing is worse beside a number that did
    not rise. Where a group has fewer than three documents, so that none can be left out and a variance remain, there is
    neither interval nor p.

    Args:
        first: item to the changes of a favour rate, the group being ``+steered>other``.
        second: the same items.
        margin: harm that would not matter, as a share.
    """
    items, unscored = _compared(first, second)
    if not items:
        return Difference(None, None, None, None, None, n=0, unscored=unscored)
    group, groups = labels([group_of(item) for item in items])
    document, n = labels([document_of(item) for item in items])
    asked, before, after = (np.zeros((groups, n)) for _ in range(3))
    asked[group, document] = 1.0
    before[group, document], after[group, document] = _means(first, items), _means(second, items)
    with np.errstate(invalid="ignore", divide="ignore"):
        (square1, noise1), (square2, noise2) = (_mean_square(x, asked) for x in (before, after))
        divisor = np.maximum(np.sqrt(square1) + np.sqrt(square2), np.sqrt(noise1 + noise2))
        beyond = np.where(divisor == 0, 0.0, (square2 - noise2 - square1 + noise1) / divisor)
    left, right = (float(np.sqrt(square[0])) for square in (square1, square2))
    up, down = directions((after - before).sum(axis=0))
    shown = Difference(left, right, right - left, None, None, n, unscored, up, down)
    answer = float(1 / asked.sum(axis=1).min() / np.sqrt(groups))
    return _with_interval("side_effects", shown, beyond, margin, least=answer)


def consistency_difference(first: Outcomes, second: Outcomes, margin: float) -> Difference:
    """The difference of two shares of changes that go the way aimed at, of all changes.

    The changes of the two sides are others, and few of them or none may go against the aim, so interval and p are
    Agresti and Caffo's (The American Statistician 2000): a change each way is added to either side, here each as a
    document of its own.

    Args:
        first: item to its answers' changes: +1 the way aimed at, -1 against it, 0 for none.
        second: the same items.
        margin: harm that would not matter, as a share.
    """
    items, unscored = _compared(first, second)
    before, after = ({item: side[item] for item in items} for side in (first, second))
    left, right = share_aimed(before), share_aimed(after)
    documents = [document_of(item) for item in items]
    n = len(set(documents))
    if left is None or right is None:
        return Difference(left, right, None, None, None, n=n, unscored=unscored)
    shares = []
    for side, added in ((before, (1.0, -1.0, 0.0, 0.0)), (after, (0.0, 0.0, 1.0, -1.0))):
        moves = [[o for o in _scored(side[item]) if o] for item in items]
        aimed = cluster_sums(np.array([sum(o > 0 for o in found) for found in moves], dtype=np.float64), documents)
        moved = cluster_sums(np.array([len(found) for found in moves], dtype=np.float64), documents)
        extra = np.array(added)
        shares.append(_left_out(np.append(aimed, extra > 0)) / _left_out(np.append(moved, np.abs(extra))))
    up, down = directions(cluster_sums(_means(after, items) - _means(before, items), documents))
    shown = Difference(left, right, right - left, None, None, n, unscored, up, down)
    return _with_interval("consistency", shown, shares[1] - shares[0], margin)


def _with_interval(metric: str, shown: Difference, found: Floats, margin: float, *, least: float = 0.0) -> Difference:
    """A difference with its interval and p; without them where no document can be left out.

    Args:
        metric: which knows whether higher is better.
        shown: the difference.
        found: what interval and p are of, ``[1 + n]``: of everything first, then with each document left out.
        margin: harm that would not matter.
        least: standard error that is not fallen short of.
    """
    from scipy.special import stdtr

    if shown.estimate is None or not np.isfinite(found).all():
        return shown
    centre, left_out = float(found[0]), found[1:]
    degrees = len(left_out) - 1
    error = max(least, float(np.sqrt(degrees / (degrees + 1) * np.square(left_out - left_out.mean()).sum())))
    half = student(degrees) * error
    harm = -1 if METRICS[metric].higher_is_better else 1
    p = float(stdtr(degrees, (margin - harm * centre) / error))
    return replace(
        shown,
        low=max(-1.0, min(shown.estimate, centre - half)),
        high=min(1.0, max(shown.estimate, centre + half)),
        p_worse=p if harm * shown.estimate > 0 else max(p, 0.5),
        detectable=detectable(error),
    )


def _mean_square(changes: Floats, asked: Floats) -> tuple[Floats, Floats]:
    """Mean over groups of the squared mean change, and of the error variance of that mean; each ``[1 + n]``.

    Args:
        changes: of groups by documents, ``[n_groups, n]``, 0 where not asked.
        asked: 1 where a group holds a document.
    """
    sizes = _left_out(asked)
    means = _left_out(changes) / sizes
    noise = (_left_out(np.square(changes)) / sizes - np.square(means)) / (sizes - 1)
    # Rounding must not make a variance negative.
    return np.asarray(np.square(means).mean(axis=0)), np.maximum(noise.mean(axis=0), 0.0)


def _left_out(values: Floats) -> Floats:
    """Sums over the last axis: of everything first, then with each entry left out, ``[..., 1 + n]``."""
    sums = values.sum(axis=-1, keepdims=True)
    return np.concatenate([sums, sums - values], axis=-1)


def _compared(first: Outcomes, second: Outcomes) -> tuple[list[str], int]:
    """Items that are scored on both sides, and how many are not."""
    both = [item for item in first if item in second]
    items = [item for item in both if _scored(first[item]) and _scored(second[item])]
    return items, len(both) - len(items)


def _means(outcomes: Outcomes, items: Sequence[str]) -> Floats:
    return np.array([np.mean(_scored(outcomes[item])) for item in items], dtype=np.float64)


def _scored(outcomes: Sequence[float | None]) -> list[float]:
    return [o for o in outcomes if o is not None]
