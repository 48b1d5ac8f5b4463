"""Families of items: layout of a folder, JSONL and CSV, splits, hashes, errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from valuebench_harness.data.datasets import DataSet, load_dataset
from valuebench_harness.errors import UsageError

SYSTEM = "name: honesty\ndata: ./items\nvalues:\n  honesty: {name: Honesty}\n  tact: {name: Tact}\n"


def dilemma(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"h-{number}",
        "value": "honesty",
        "scene": "workplace",
        "question": f"Tell the truth {number} times, or smile?",
        "options": ["tell the truth", "smile"],
        "favours": 0,
        **changes,
    }


@pytest.fixture
def own(tmp_path: Path) -> DataSet:
    (tmp_path / "honesty.yaml").write_text(SYSTEM, encoding="utf-8")
    folder = tmp_path / "items" / "dilemmas"
    folder.mkdir(parents=True)
    rows = [dilemma(1), dilemma(2, split="select"), dilemma(3, yes=1)]
    (folder / "honesty.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return load_dataset(tmp_path / "honesty.yaml")


def test_splits(own: DataSet) -> None:
    assert [d.id for d in own.dilemmas("Honesty")] == ["h-1", "h-3"]
    assert [d.id for d in own.dilemmas("honesty", "select")] == ["h-2"]
    assert [d.id for d in own.dilemmas("honesty", None)] == ["h-1", "h-2", "h-3"]
    with pytest.raises(UsageError, match=r"Unknown split 'tset'. Did you mean 'test'"):
        own.dilemmas("honesty", "tset")  # type: ignore[arg-type]


def test_missing_files_and_values_are_named(own: DataSet) -> None:
    with pytest.raises(UsageError, match=r"No dilemmas file of 'honesty' for 'tact' at .*tact\.jsonl"):
        own.dilemmas("tact")
    with pytest.raises(UsageError, match=r"Unknown value 'tactt'. Did you mean 'tact'"):
        own.pairs("tactt")
    with pytest.raises(UsageError, match="No exam file"):
        own.exam()
    assert own.has("dilemmas", "honesty")
    assert not own.has("pairs", "honesty")


def test_a_split_without_items_is_an_error(own: DataSet, tmp_path: Path) -> None:
    (own.root / "dilemmas" / "tact.jsonl").write_text(json.dumps(dilemma(1, value="tact")), encoding="utf-8")
    with pytest.raises(UsageError, match="no item has split 'select'"):
        own.dilemmas("tact", "select")


def test_items_of_another_value_are_refused(own: DataSet) -> None:
    (own.root / "dilemmas" / "tact.jsonl").write_text(json.dumps(dilemma(1)), encoding="utf-8")
    with pytest.raises(UsageError, match="item 'h-1' has value 'honesty', expected 'tact'"):
        own.dilemmas("tact")


def test_the_hash_follows_the_content_not_the_format(own: DataSet, tmp_path: Path) -> None:
    before = own.hash("dilemmas", "honesty")
    path = own.path("dilemmas", "honesty")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    path.write_text("\n\n".join(json.dumps(row, sort_keys=True) for row in rows) + "\n", encoding="utf-8")
    again = load_dataset(tmp_path / "honesty.yaml")
    assert again.hash("dilemmas", "honesty") == before
    rows[0]["favours"] = 1
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert load_dataset(tmp_path / "honesty.yaml").hash("dilemmas", "honesty") != before


def test_a_csv_reads_like_its_jsonl_twin(own: DataSet) -> None:
    (own.root / "dilemmas" / "tact.csv").write_text(
        "scene,question,option0,option1,favours,yes,split\n"
        'workplace,"Smile, or speak?",smile,speak up,0,,\n'
        "family,Should I speak?,speak up,stay silent,1,0,select\n",
        encoding="utf-8",
    )
    first, second = own.dilemmas("tact", None)
    assert (first.id, first.value, first.question) == ("tact-001", "tact", "Smile, or speak?")
    assert (first.options, first.favours, first.yes, first.split) == (("smile", "speak up"), 0, None, "test")
    assert (second.yes, second.favours, second.split) == (0, 1, "select")


@pytest.mark.parametrize(
    ("part", "text", "expected"),
    [
        ("dilemmas", "scene,question,favours\na,b,0\n", "column 'option0', 'option1' missing"),
        ("dilemmas", "scene,question,option0,option1,favours\na,b,c,d,first\n", "field 'favours'"),
        ("dilemmas", "scene,question,option0,option1,favours,mood\na,b,c,d,0,x\n", "'mood' is not a known field"),
        ("pairs", "form,positive,negative\nfirst-sentence,a,\n", "tact.csv:2: 'negative' is empty"),
        ("pairs", "form,positive,negative\nsecond-sentence,a,b\n", "field 'form'"),
        ("questionnaire", "item,question,agreement\nI lie.,Do you lie?,0\n", "field 'agreement'"),
        ("demonstrations", "prompt,answer,direction\nWhat now?,Speak.,up\n", "field 'direction'"),
    ],
)
def test_errors_in_csv(own: DataSet, part: str, text: str, expected: str) -> None:
    path = own.root / part / "tact.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    read: dict[str, Callable[[], object]] = {
        "dilemmas": lambda: own.dilemmas("tact"),
        "pairs": lambda: own.pairs("tact"),
        "questionnaire": lambda: own.questionnaire("tact"),
        "demonstrations": lambda: own.demonstrations("tact"),
    }
    with pytest.raises(UsageError) as caught:
        read[part]()
    assert expected in str(caught.value)
    assert str(path) in str(caught.value)


def test_unknown_family_and_system_without_data(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Unknown data set 'schwarz'. Did you mean 'schwartz'"):
        load_dataset("schwarz")
    path = tmp_path / "bare.yaml"
    path.write_text("name: bare\nvalues:\n  tact: {name: Tact}\n", encoding="utf-8")
    with pytest.raises(UsageError, match="has no key 'data'"):
        load_dataset(path)
