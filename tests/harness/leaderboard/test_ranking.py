from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from valuebench_harness.harness.compare.observations import Outcomes
from valuebench_harness.harness.leaderboard.ranking import front, ranks


def _outcomes(hits: int, n: int = 100) -> Outcomes:
    return {f"+power|{i}": [float(i < hits)] for i in range(n)}


def test_methods_that_cannot_be_told_apart_share_a_rank() -> None:
    found = ranks({"a": _outcomes(90), "b": _outcomes(88), "c": _outcomes(40), "base": _outcomes(41)})
    assert found == {"a": 1, "b": 1, "c": 3, "base": 3}


def test_a_method_between_two_groups_is_put_where_it_is_known_to_be() -> None:
    """60 is not told apart from 55, nor 55 from 50, but 60 is from 50."""
    found = ranks({"high": _outcomes(60), "middle": _outcomes(55), "low": _outcomes(50)})
    assert found == {"high": 1, "middle": 1, "low": 2}


def test_one_method_and_the_same_method_twice() -> None:
    assert ranks({"a": _outcomes(50)}) == {"a": 1}
    assert ranks({"a": _outcomes(50), "b": _outcomes(50)}) == {"a": 1, "b": 1}


def test_more_methods_make_an_order_harder_to_show() -> None:
    pair = {"a": _outcomes(57), "b": _outcomes(50)}
    assert ranks(pair) == {"a": 1, "b": 2}
    crowd = {f"m{i}": _outcomes(53 + i % 2) for i in range(8)}
    assert ranks(pair | crowd)["b"] == 1


def test_an_order_that_is_plain_is_shown_among_many_methods() -> None:
    """40 methods are 780 pairs; half of the methods are right throughout, half never."""
    crowd = {f"m{i}": _outcomes(100 * (i % 2)) for i in range(40)}
    assert set(ranks(crowd).values()) == {1, 21}


def test_the_front() -> None:
    #         best effect, dominated, least damage, same as the first
    points = [(0.9, 0.5), (0.8, 0.6), (0.3, 0.0), (0.9, 0.5)]
    assert front(points) == [True, False, True, True]


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 2)), min_size=1, max_size=12))
def test_every_point_is_on_the_front_or_beaten_by_one_that_is(points: list[tuple[float, float]]) -> None:
    found = front(points)
    best = [p for p, on in zip(points, found, strict=True) if on]
    assert best
    for point, on in zip(points, found, strict=True):
        assert on or any(b[0] >= point[0] and b[1] <= point[1] and b != point for b in best)
