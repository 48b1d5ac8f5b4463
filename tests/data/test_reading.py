"""Files are read into schemas, and every error names the file, the line and the field."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from valuebench_harness.data.reading import csv_rows, read_jsonl, read_yaml
from valuebench_harness.data.schemas import Dilemma
from valuebench_harness.errors import UsageError

GOOD = {
    "id": "a-1",
    "value": "honesty",
    "scene": "workplace",
    "question": "Tell or smile?",
    "options": ["tell the truth", "smile"],
    "favours": 0,
}


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows), encoding="utf-8")
    return path


def test_reads_jsonl_with_blank_lines_a_byte_order_mark_and_odd_line_separators(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    odd = json.dumps({**GOOD, "question": "Tell\u2028or smile?"}, ensure_ascii=False)
    path.write_text(f"\ufeff{odd}\n\n", encoding="utf-8")
    assert [item.question for item in read_jsonl(path, Dilemma)] == ["Tell\u2028or smile?"]


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        ({**GOOD, "favours": 2}, "field 'favours'"),
        ({**GOOD, "options": ["same", "Same"]}, "must be non-empty and differ"),
        ({**GOOD, "options": ["one"]}, "options.1"),
        ({k: v for k, v in GOOD.items() if k != "scene"}, "field 'scene' is missing"),
        ({**GOOD, "favors": 1}, "'favors' is not a known field"),
        ({**GOOD, "question": " "}, "field 'question'"),
        ("{not json", "not JSON"),
        ("[1]", "expected an object"),
        (GOOD, "id 'a-1' already stands in line 1"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, bad: object, expected: str) -> None:
    path = write(tmp_path / "d.jsonl", GOOD, "", bad)
    with pytest.raises(UsageError) as caught:
        read_jsonl(path, Dilemma)
    assert f"{path}:3: " in str(caught.value)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "pydantic" not in str(caught.value)


def test_empty_missing_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no items"):
        read_jsonl(write(tmp_path / "empty.jsonl"), Dilemma)
    with pytest.raises(UsageError, match=r"No dilemmas at .*none\.jsonl"):
        read_jsonl(tmp_path / "none.jsonl", Dilemma, "dilemmas")
    (tmp_path / "bin.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not UTF-8"):
        read_jsonl(tmp_path / "bin.jsonl", Dilemma)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "column 'a', 'b' missing (found: none, the file is empty)"),
        ("a,c\n1,2\n", "column 'b' missing (found: a, c)"),
        ("a,b\n1,2\n,\n", ":3: the row is empty"),
        ("a,b\n1,\n", ":2: 'b' is empty"),
        ("a,b\n1,2,3\n", ":2: more cells than columns"),
        ('a,b\n1,"2\n', ":2: not a CSV"),
    ],
)
def test_a_bad_csv_is_named(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        list(csv_rows(path, ("a", "b")))
    assert expected in str(caught.value)
    assert str(path) in str(caught.value)


def test_csv_keeps_commas_quotes_and_line_breaks_inside_cells(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('\ufeffa, b\n"x, ""y""\nz",  \u201cw\u201d \n', encoding="utf-8")
    assert list(csv_rows(path, ("a", "b"))) == [(3, {"a": 'x, "y"\nz', "b": "\u201cw\u201d"})]


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    angle: float


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    inner: dict[str, Inner]


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("name: x\ninner:\n  one:\n    angle: wide\n", 4, "'inner.one.angle'"),
        ("name: x\ninner:\n  one: {angle: 1}\nextra: 2\n", 4, "'extra' is not a known field"),
        ("name: x\nname: y\ninner: {}\n", 2, "key 'name' comes twice"),
        ("name: [\n", 2, "not YAML"),
        ("name: x\ninner:\n  one: {}\n", 3, "field 'inner.one.angle' is missing"),
    ],
)
def test_a_bad_yaml_is_named_with_its_line(tmp_path: Path, text: str, line: int, expected: str) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        read_yaml(path, Outer)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert expected in str(caught.value)


def test_yaml_that_is_no_mapping(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text("- a\n", encoding="utf-8")
    with pytest.raises(UsageError, match="holds no mapping"):
        read_yaml(path, Outer)
