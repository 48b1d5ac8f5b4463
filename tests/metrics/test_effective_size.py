"""How many independent answers are several answers an item worth?"""

from __future__ import annotations

import numpy as np
import pytest

from valuebench_harness.metrics.effective_size import effective_size, size_of_variance

HIT_OR_MISS = np.array([0.0, 1.0])


def test_each_item_counts_once_where_nothing_varies() -> None:
    assert effective_size(np.ones(50), [n // 5 for n in range(50)], HIT_OR_MISS) == pytest.approx(10)


def test_copies_count_about_once() -> None:
    """10 items of 5 equal answers: the clusters' variance has 10 / 9 on it, and one item of ten is added."""
    values = np.repeat(np.array([0.0, 1.0] * 5), 5)
    added, between = 25 * 0.25, 250 * 0.25 * 10 / 9
    expected = 50 * (50 * 0.25 + 5 * 0.25) / (between + added)
    assert effective_size(values, [n // 5 for n in range(50)], HIT_OR_MISS) == pytest.approx(expected)


def test_one_answer_an_item_is_that_many_answers() -> None:
    assert effective_size(np.array([0.0, 1.0] * 25), range(50), HIT_OR_MISS) == 50
    assert effective_size(np.array([0.0, 1.0] * 25), [0] * 50, HIT_OR_MISS) == 1


def test_one_item_is_added() -> None:
    """50 answers, 10 items, variance 0.25: independent ones are worth (50 * .25 + 5 * .25) / (50 * .25 + 25 * .25)."""
    assert size_of_variance(50, 10, 0.25 / 50, 0.25, 0.25) == pytest.approx(50 * 55 / 75)
    assert size_of_variance(50, 10, 0.25 / 10, 0.25, 0.25) == pytest.approx(10)


def test_never_more_than_there_are() -> None:
    assert size_of_variance(5000, 1000, 1e-9, 0.25, 0.01) == 5000
