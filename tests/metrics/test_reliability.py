"""Intervals of agreement between raters, where resampling says something and where it does not."""

from __future__ import annotations

import pytest

from valuebench_harness.metrics.reliability import Reliability, reliability

LABELS = ("yes", "no")


def of(*pairs: tuple[str, str]) -> Reliability:
    return reliability([{"ann": a, "bob": b} for a, b in pairs], LABELS, range(len(pairs)))


def test_raters_who_always_differ_leave_no_interval() -> None:
    """By hand: of 12 pairs none agrees; chance agrees in 1/2, and without replacement in 11/23."""
    found = of(*[("no", "yes")] * 12)
    assert found.fleiss.estimate == pytest.approx(-1)
    assert found.alpha.estimate == pytest.approx(1 - 1 / (12 / 23))
    assert (found.fleiss.low, found.fleiss.high) == (None, None)
    assert (found.alpha.low, found.alpha.high) == (None, None)


def test_one_item_leaves_no_interval() -> None:
    found = of(("no", "yes"))
    assert found.fleiss.estimate == pytest.approx(-1)
    assert (found.fleiss.low, found.alpha.low) == (None, None)


def test_one_item_that_is_unlike_the_others_gives_one() -> None:
    found = of(*[("no", "yes")] * 11, ("yes", "yes"))
    for estimate in (found.fleiss, found.alpha):
        assert estimate.estimate is not None
        assert estimate.low is not None
        assert estimate.high is not None
        assert estimate.low < estimate.estimate < estimate.high


def test_answers_to_one_question_are_drawn_together() -> None:
    """Copies of an item add no certainty: the interval is that of the items themselves."""
    pairs = [("yes", "yes")] * 12 + [("no", "no")] * 9 + [("yes", "no")] * 5 + [("no", "yes")] * 4
    ratings = [{"ann": a, "bob": b} for a, b in pairs]
    once = reliability(ratings, LABELS, range(30)).fleiss
    copied = reliability(ratings * 6, LABELS, [*range(30)] * 6).fleiss
    naive = reliability(ratings * 6, LABELS, range(180)).fleiss
    assert (copied.estimate, copied.low, copied.high) == pytest.approx((once.estimate, once.low, once.high), abs=1e-12)
    assert naive.low is not None
    assert once.low is not None
    assert naive.low > once.low + 0.1
