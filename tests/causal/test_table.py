from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from valuebench_harness.causal.table import OrientationTable, from_rows, read_table, same_values
from valuebench_harness.errors import UsageError

HEAD = "steer_dim,player_name,Power,Power:scstd,Social Cynicism,stds,scstds\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_reads_the_published_columns(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, HEAD + ",,0.5,-1,,0.1,\n1312.0,Ann Lee,-1,-1,1,0.1,\n1312,,nan,-1,0,0.1,\n"))
    assert table.values == ("Power", "Social Cynicism")
    assert table.settings == ("", "1312", "1312")
    assert table.setting_names == ("", "1312")
    assert table.role_names == ("", "Ann Lee")
    assert table.setting_index.tolist() == [0, 1, 1]
    assert table.role_index.tolist() == [0, 1, 0]
    np.testing.assert_array_equal(table.scores, [[0.5, np.nan], [-1, 1], [np.nan, 0]])


def test_the_real_tables(train: OrientationTable, test_table: OrientationTable) -> None:
    assert (len(train), len(train.values), len(train.role_names), len(train.setting_names)) == (2525, 17, 101, 25)
    assert (len(test_table), len(test_table.role_names)) == (650, 26)
    row = train.row("10096", "")
    assert row is not None
    assert row[0] == pytest.approx(2 / 3)


@given(
    st.lists(
        st.tuples(
            st.text("abc ,\"'\n", max_size=4).map(str.strip),
            st.text("XYZ,;", max_size=3).map(str.strip),
            st.lists(st.none() | st.floats(-1, 1), min_size=2, max_size=2),
        ),
        min_size=1,
        max_size=6,
        unique_by=lambda row: row[:2],
    )
)
def test_written_and_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, list[float | None]]]
) -> None:
    values = ("Positive coping", "a,b")
    table = from_rows({(s, r): dict(zip(values, x, strict=True)) for s, r, x in rows}, values)
    path = tmp_path_factory.mktemp("table") / "t.csv"
    path.write_text(table.to_csv(), encoding="utf-8", newline="")
    again = read_table(path)
    assert (again.values, again.settings, again.roles) == (table.values, table.settings, table.roles)
    np.testing.assert_array_equal(again.scores, table.scores)


def test_parts_of_a_table() -> None:
    table = from_rows(
        {(s, r): {"a": i / 10, "b": 0.0} for i, (s, r) in enumerate([("", "x"), ("1", "x"), ("1", "y")])}, "ab"
    )
    part = table.only(settings=["1"])
    assert part.roles == ("x", "y")
    assert table.only(roles=["y"]).settings == ("1",)
    assert table.of_values(["b", "a"]).scores[2].tolist() == [0.0, 0.2]
    np.testing.assert_array_equal(table.by_role("", ["x", "y"]), [[0, 0], [np.nan, np.nan]])
    with pytest.raises(UsageError, match="Unknown setting '2'"):
        table.only(settings=["2"])
    with pytest.raises(UsageError, match="Unknown role 'z'"):
        table.only(roles=["z"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "column 'steer_dim' missing .*the file is empty"),
        ("steer_dim,Power\n,1\n", "column 'player_name' missing"),
        ("steer_dim,player_name\n,\n", "no column of a value"),
        ("steer_dim,player_name,Power,Power\n,,1,1\n", "column 'Power' comes twice"),
        ("steer_dim,player_name,Power,\n,,1,1\n", "column 4 has no name"),
        (HEAD, "holds no rows"),
        (HEAD + ",,0.5\n", ":2: 3 cells under 7 columns"),
        (HEAD + ",,x,,0,,\n", ":2: 'Power' is 'x', no number"),
        (HEAD + ",,0,,1.5,,\n", ":2: 'Social Cynicism' is 1.5; orientations lie in"),
        (HEAD + ",,inf,,1,,\n", "'Power' is inf"),
        (HEAD + "1,A,0,,0,,\n1.0,A,0,,0,,\n", ":3: setting '1' with role 'A' already stands in line 2"),
        (HEAD + ',,"0,,0,,\n', "not a CSV"),
    ],
)
def test_bad_tables_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_table(written(tmp_path, text))


def test_tables_of_other_values_are_refused() -> None:
    one = from_rows({("", ""): {"a": 0.0}}, "ab", "train.csv")
    other = from_rows({("", ""): {"a": 0.0}}, "ac", "test.csv")
    with pytest.raises(UsageError, match=r"only in train.csv: b; only in test.csv: c"):
        same_values(one, other)
    assert same_values(one, from_rows({("", ""): {}}, "ba")).values == ("a", "b")
