from __future__ import annotations

import numpy as np
import pytest

from valuebench_harness.causal.columns import prepare
from valuebench_harness.causal.discover import Discovery, discover
from valuebench_harness.causal.simulation import simulate
from valuebench_harness.causal.table import FloatArray, OrientationTable
from valuebench_harness.errors import UsageError


def with_columns(**columns: FloatArray) -> OrientationTable:
    names = tuple(str(n) for n in range(len(next(iter(columns.values())))))
    return OrientationTable(
        tuple(columns), ("",) * len(names), names, np.column_stack(list(columns.values())), "orientations.csv"
    )


def spoiled() -> OrientationTable:
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, 60)) / 10
    sparse = c.copy()
    sparse[:20] = np.nan
    holed = rng.normal(size=60) / 10
    holed[[3, 4]] = np.nan
    return with_columns(a=a, same=np.full(60, 0.25), b=b, copy=a * 2 - 0.1, mirror=-a, sparse=sparse, holed=holed)


def test_what_cannot_be_used_is_left_out_and_named() -> None:
    ready = prepare(spoiled())
    assert ready.table.values == ("a", "b", "holed")
    assert ready.rows_left_out == 2
    assert ready.left_out == {
        "sparse": "missing in 20 of 60 rows",
        "same": "constant",
        "copy": "a copy of a",
        "mirror": "a copy of a",
    }


@pytest.mark.parametrize("method", ["pc", "fci"])
def test_the_graph_names_it_too_and_keeps_the_nodes(method: str) -> None:
    if method == "fci":
        pytest.importorskip("causallearn")
    graph = discover(spoiled(), Discovery(method=method, bootstraps=5 if method == "pc" else 0))
    assert graph.nodes == spoiled().values
    assert graph.about["values_left_out"] == prepare(spoiled()).left_out
    assert graph.about["rows_left_out"] == 2
    assert {end for edge in graph.edges for end in edge.pair} <= {"a", "b", "holed"}


def test_a_usable_table_is_left_as_it_is() -> None:
    table = simulate(np.zeros((4, 4)), 10, 3, np.random.default_rng(0))
    ready = prepare(table)
    assert (ready.left_out, ready.rows_left_out) == ({}, 0)
    np.testing.assert_array_equal(ready.table.scores, table.scores)


def test_too_little_is_told() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(UsageError, match="6 complete rows for 5 values are too few; give at least 8"):
        prepare(with_columns(**{f"v{k}": rng.normal(size=6) for k in range(5)}))
    with pytest.raises(UsageError, match=r"no two values vary.*same is constant"):
        prepare(with_columns(a=rng.normal(size=9), same=np.zeros(9)))
    with pytest.raises(UsageError, match="no two values vary"):
        prepare(with_columns(a=np.full(9, np.nan), b=np.full(9, np.nan)))
