from __future__ import annotations

import pytest

from valuebench_harness.reports.numbers import percent, points, ranges, seconds


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "-"), (0.0, "0%"), (0.001, "<1%"), (0.438, "44%"), (0.997, ">99%"), (1.0, "100%")],
)
def test_only_exact_shares_read_nothing_or_all(share: float | None, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(("change", "text"), [(None, "-"), (0.43, "+43"), (-0.05, "-5"), (0.001, "0"), (-0.001, "0")])
def test_points_carry_their_sign(change: float | None, text: str) -> None:
    assert points(change) == text


@pytest.mark.parametrize(
    ("duration", "text"),
    [(0.42, "0.4 s"), (31.4, "31 s"), (59.8, "1 min 0 s"), (245, "4 min 5 s"), (7_620, "2 h 7 min")],
)
def test_seconds(duration: float, text: str) -> None:
    assert seconds(duration) == text


def test_ranges_join_neighbours() -> None:
    assert ranges((1, 2, 3, 7)) == "1-3, 7"
    assert ranges((4,)) == "4"
    assert ranges(()) == ""
