"""Label sheets: what is written can be filled in, read back, and opened without harm."""

from __future__ import annotations

import asyncio
import csv
import io
from pathlib import Path

import pytest
from openpyxl import load_workbook

from tests.reports.runs import HOSTILE
from valuebench_harness.errors import UsageError
from valuebench_harness.judges.base import JudgeItem, Verdict
from valuebench_harness.judges.labels import item_id, read_labels
from valuebench_harness.judges.registry import make_judge
from valuebench_harness.reports.label_sheet import SheetRow, write_sheet


def item(answer: str = "Wait.") -> JudgeItem:
    return JudgeItem(asks="csr", prompt="Wait or swim?", answer=answer, value="security", value_name="Security")


def row(answer: str = "Wait.") -> SheetRow:
    return SheetRow(item_id(item(answer)), "Security", "safety", "Wait or swim?", "wait / swim", answer)


def fill(path: Path, answers: dict[str, dict[str, str]], name: str = "") -> Path:
    """Fills a CSV sheet in: answer to the labels of its row."""
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
    out = path.with_name(f"{name or 'rater'}.csv")
    with out.open("w", newline="", encoding="utf-8") as f:
        writer = csv.DictWriter(f, rows[0].keys())
        writer.writeheader()
        writer.writerows([{**r, **answers.get(r["answer"], {})} for r in rows])
    return out


def test_a_csv_sheet_comes_back_with_its_labels(tmp_path: Path) -> None:
    write_sheet([row("Wait."), row("Swim."), row("Hm.")], ("csr", "fr"), tmp_path / "sheet.csv")
    ann = fill(tmp_path / "sheet.csv", {"Wait.": {"csr": "yes", "fr": "Fluent "}, "Swim.": {"csr": "NO"}}, "ann")
    labels = read_labels([ann])
    assert labels.raters == ("ann",)
    assert labels.given == {
        "csr": {item_id(item("Wait.")): {"ann": "yes"}, item_id(item("Swim.")): {"ann": "no"}},
        "fr": {item_id(item("Wait.")): {"ann": "fluent"}},
    }


def test_an_xlsx_sheet_comes_back_with_its_labels(tmp_path: Path) -> None:
    path = tmp_path / "ann.xlsx"
    write_sheet([row("Wait."), row("Swim.")], ("csr", "fr"), path)
    book = load_workbook(path)
    sheet = book.worksheets[0]
    head = [c.value for c in sheet[1]]
    assert head == ["id", "value", "definition", "question", "options", "answer", "csr", "fr", "comment"]
    sheet.cell(2, head.index("csr") + 1, "yes")
    sheet.cell(3, head.index("csr") + 1, "no")
    book.save(path)
    assert read_labels([path]).given == {
        "csr": {item_id(item("Wait.")): {"ann": "yes"}, item_id(item("Swim.")): {"ann": "no"}}
    }
    lists = [v.formula1 for v in sheet.data_validations.dataValidation]
    assert lists == ['"yes,no"', '"fluent,broken"'], "a rater can choose instead of type"


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_hostile_answers_are_no_formulas(tmp_path: Path, suffix: str) -> None:
    texts = [*HOSTILE, "=1+1", "+49", "-2", "@sum", "\t=1", "\r=cmd|' /C calc'!A0"]
    path = tmp_path / f"sheet{suffix}"
    write_sheet([row(t) for t in texts], ("csr",), path)
    if suffix == ".xlsx":
        cells = [c for line in load_workbook(path).worksheets[0].iter_rows(min_row=2) for c in line]
        assert not [c.value for c in cells if c.data_type == "f"]
        assert [c.value for c in cells if c.data_type == "s"][5].startswith("<script>")
    else:
        found = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
        assert len(found) == len(texts)
        assert not [r for r in found for cell in r.values() if cell.lstrip()[:1] in {"=", "+", "-", "@"} and cell]
        assert max(len(r["answer"]) for r in found) < 8_100
    ids = read_ids(path)
    assert ids == [item_id(item(t)) for t in texts], "ids survive whatever the answers hold"


def read_ids(path: Path) -> list[str]:
    if path.suffix == ".xlsx":
        return [str(line[0].value) for line in load_workbook(path).worksheets[0].iter_rows(min_row=2)]
    return [r["id"] for r in csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""))]


def test_ids_are_never_numbers() -> None:
    """A hexadecimal id such as 12e4 would become 120000 in a spreadsheet."""
    assert all(item_id(item(str(n)))[0] == "a" for n in range(50))
    assert item_id(item()) == item_id(JudgeItem(asks="fr", prompt="Wait or swim?", answer="Wait.", value="security"))
    assert item_id(item("half \ud83d"))


@pytest.mark.parametrize("mark", [";", "\t", ","])
def test_spreadsheets_of_other_countries(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "ann.csv"
    path.write_text(
        "\ufeff" + mark.join(("id", "answer", "csr")) + "\r\n" + mark.join(("a1", '"x, y; z"', "yes")), "utf-8"
    )
    assert read_labels([path]).given == {"csr": {"a1": {"ann": "yes"}}}


def sheet(tmp_path: Path, text: str, name: str = "ann.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no column 'id'"),
        ("answer,csr\nx,yes\n", "no column 'id'"),
        ("id,answer\na1,x\n", "no label column"),
        ("id,csr\na1,perhaps\n", "row 2: 'perhaps' is no label of 'csr'"),
        ("id,csr\n,yes\n", "row 2: a label without an id"),
        ("id,csr\na1,yes\na1,no\n", "row 3: item a1 is 'no' here and 'yes'"),
        ("id,csr\na1,\n", "no row holds a label"),
    ],
)
def test_bad_sheets_are_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_labels([sheet(tmp_path, text)])


def test_files_that_are_no_sheets(tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes("id,csr\na1,s\xed\n".encode("latin-1"))
    (tmp_path / "broken.xlsx").write_bytes(b"PK\x03\x04 not a zip")
    for name, words in [
        ("missing.csv", "cannot be read"),
        ("notes.txt", "no label sheet"),
        ("latin.csv", "UTF-8"),
        ("broken.xlsx", "cannot be read as XLSX"),
    ]:
        with pytest.raises(UsageError, match=words):
            read_labels([tmp_path / name])
    with pytest.raises(UsageError, match="No label sheets"):
        read_labels([])
    (tmp_path / "other").mkdir()
    with pytest.raises(UsageError, match="Two sheets are named 'ann'"):
        read_labels([sheet(tmp_path, "id,csr\na1,yes\n"), sheet(tmp_path / "other", "id,csr\na1,yes\n")])
    with pytest.raises(UsageError, match=r"must end in \.csv or \.xlsx"):
        write_sheet([row()], ("csr",), tmp_path / "sheet.ods")


def test_the_majority_of_raters(tmp_path: Path) -> None:
    votes = {"ann": ("yes", "yes", "no"), "bob": ("yes", "no", "no"), "cem": ("no", "", "yes")}
    paths = [
        sheet(tmp_path, "id,csr\n" + "".join(f"a{n},{v}\n" for n, v in enumerate(said)), f"{name}.csv")
        for name, said in votes.items()
    ]
    labels = read_labels(paths)
    assert [labels.majority("csr", f"a{n}") for n in range(4)] == ["yes", None, "no", None]
    assert labels.majority("fr", "a0") is None


def test_people_as_judge(tmp_path: Path) -> None:
    write_sheet([row("Wait."), row("Swim.")], ("csr",), tmp_path / "sheet.csv")
    ann = fill(tmp_path / "sheet.csv", {"Wait.": {"csr": "yes"}, "Swim.": {"csr": "yes"}}, "ann")
    bob = fill(tmp_path / "sheet.csv", {"Wait.": {"csr": "yes"}, "Swim.": {"csr": "no"}}, "bob")
    judge = make_judge("human", {"labels": [str(ann), str(bob)]})

    async def verdicts() -> list[tuple[int, Verdict]]:
        return [pair async for pair in judge.judge([item("Wait."), item("Swim."), item("Fly.")])]

    (_, first), (_, second), (_, third) = asyncio.run(verdicts())
    assert first.label == "yes"
    assert (second.label, second.reason) == (None, "raters are split")
    assert (third.label, third.reason) == (None, "no rater labelled it")
    before = judge.identity
    fill(tmp_path / "sheet.csv", {"Wait.": {"csr": "no"}}, "ann")
    assert make_judge("human", {"labels": [str(ann), str(bob)]}).identity != before
    with pytest.raises(UsageError, match="'labels' of the human judge: is missing"):
        make_judge("human")


def check(items: list[JudgeItem], text: str, folder: Path, judge: str = "human") -> None:
    path = str(sheet(folder, text))
    make_judge(judge, {"labels" if judge == "human" else "human.labels": path}).check_items(items, "the run")


def test_sheets_of_other_answers_are_refused(tmp_path: Path) -> None:
    known = [item("Wait."), item("Swim.")]
    first, second = (item_id(i) for i in known)
    check(known, f"id,csr\n{first},yes\n", tmp_path)
    check(known, f"id,csr,fr\n{first},yes,\n{second},,fluent\n", tmp_path, "option-match+human")
    with pytest.raises(UsageError, match=r"1 of 2 labelled items are not in the run \(the first is 'abc'\)"):
        check(known, f"id,csr\n{first},yes\nabc,no\n", tmp_path)
    with pytest.raises(UsageError, match="1 of 1 labelled items"):
        check(known, "id,csr\nabc,no\n", tmp_path, "option-match+human")
    with pytest.raises(UsageError, match="label shows, which no answer in the run is asked"):
        check(known, f"id,shows\n{first},value\n", tmp_path)
    make_judge("grammar").check_items(known, "the run")
