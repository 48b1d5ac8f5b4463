from __future__ import annotations

from valuebench_harness.reports.table import Cell, mark_best, short_names


def _marks(numbers: list[float | None], *, highest: bool = True) -> list[str]:
    rows = [(Cell("name"), Cell(str(n))) for n in numbers]
    return [row[1].mark for row in mark_best(rows, 1, numbers, highest=highest)]


def test_the_best_is_marked_once() -> None:
    assert _marks([0.5, 0.9, None, 0.7]) == ["", "best", "", ""]
    assert _marks([0.5, 0.9, 0.1], highest=False) == ["", "", "best"]


def test_no_best_where_none_stands_out() -> None:
    assert _marks([0.9]) == [""]
    assert _marks([0.9, 0.9]) == ["", ""]
    assert _marks([0.9, 0.9, 0.9, 0.1]) == ["", "", "", ""]


def test_short_names_stay_apart() -> None:
    short = short_names(["decision-a", "decision-b", "decision-c", "power"], 6)
    assert len(set(short.values())) == 4
    assert all(len(s) <= 6 for s in short.values())
    assert short["power"] == "power"
