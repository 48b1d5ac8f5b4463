"""ValueBench, MMLU and ConVA: their formats, written out here, and the real files where they are at hand."""

from __future__ import annotations

import os
from pathlib import Path

import openpyxl
import pytest

from valuebench_harness.data import conva, mmlu, valuebench
from valuebench_harness.data.values import load_value_system
from valuebench_harness.errors import UsageError

HAS_DATA = bool(os.environ.get("VHARNESS_DATA_DIR"))
needs_data = pytest.mark.skipif(not HAS_DATA, reason="VHARNESS_DATA_DIR is not set")

ITEMS = (
    "\ufeffquestionnaire,item,value,agreement,question\n"
    'Q1,"I finish, always.",Breadth of Interest,1,"Should I finish, always?"\n'
    "Q2,I don\u2019t care.,Achievement,-1,Should I not care?\n"
    "Q2,I win.,Achievement,1,Should I win?\n"
)


@pytest.fixture
def valuebench_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "valuebench"
    folder.mkdir()
    (folder / "value_orientation.csv").write_text(ITEMS, encoding="utf-8")
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "value2def"
    sheet.append(["questionnaire info", "value dimension", "definition", "Upper dimension"])
    sheet.append(["Q9", "achievement", "Of another questionnaire.", "Ambition"])
    sheet.append(["Q2", "Achievement ", "Winning.", None])
    sheet.append(["Q1", "Breadth of Interest", None, "Openness"])
    book.save(folder / "value_data.xlsx")
    return folder


def test_valuebench_items(valuebench_folder: Path) -> None:
    first, second, third = valuebench.items(valuebench_folder)
    assert (first.id, first.value, first.item) == ("valuebench-0001", "breadth_of_interest", "I finish, always.")
    assert (second.item, second.agreement, third.agreement) == ("I don\u2019t care.", -1, 1)
    assert valuebench.values(valuebench_folder, min_items=2) == {"achievement": 2}
    assert [i.id for i in valuebench.questionnaire("Breadth of Interest", valuebench_folder)] == ["valuebench-0001"]
    with pytest.raises(UsageError, match=r"Did you mean 'achievement'"):
        valuebench.questionnaire("achievment", valuebench_folder)


def test_valuebench_definitions_prefer_the_questionnaires_with_items(valuebench_folder: Path) -> None:
    system = valuebench.define(load_value_system("schwartz"), valuebench_folder)
    achievement = system.get("achievement")
    assert achievement.definition == "Winning."
    assert achievement.groups == ("ambition",)
    assert achievement.source == "ValueBench, Q2"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ITEMS.replace(",agreement", ""), "column 'agreement' missing"),
        (ITEMS.replace("Achievement,-1", "Achievement,maybe"), "value_orientation.csv:3: field 'agreement'"),
        (ITEMS + ",,,,\n", "value_orientation.csv:5: the row is empty"),
    ],
)
def test_valuebench_errors(valuebench_folder: Path, text: str, expected: str) -> None:
    (valuebench_folder / "value_orientation.csv").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        valuebench.items(valuebench_folder)
    assert expected in str(caught.value)


def test_a_workbook_that_is_none(valuebench_folder: Path) -> None:
    (valuebench_folder / "value_data.xlsx").write_text("no workbook", encoding="utf-8")
    with pytest.raises(UsageError, match=r"value_data\.xlsx: not a workbook"):
        valuebench.definitions(valuebench_folder)


def test_split_is_stratified_seeded_and_independent_of_order(valuebench_folder: Path) -> None:
    rows = [f"Q,Item {i}.,{'Alpha' if i % 2 else 'Beta'},1,Item {i}?\n" for i in range(40)]
    (valuebench_folder / "value_orientation.csv").write_text(ITEMS.splitlines()[0] + "\n" + "".join(rows), "utf-8")
    items = valuebench.items(valuebench_folder)
    training, held_out = valuebench.split_items(items, seed=3)
    assert len(training) == 28
    assert len(held_out) == 12
    assert {v: sum(i.value == v for i in training) for v in ("alpha", "beta")} == {"alpha": 14, "beta": 14}
    assert not {i.id for i in training} & {i.id for i in held_out}
    backwards, _ = valuebench.split_items(items[::-1], seed=3)
    assert {i.id for i in backwards} == {i.id for i in training}
    alone, _ = valuebench.split_items([i for i in items if i.value == "alpha"], seed=3)
    assert {i.id for i in alone} == {i.id for i in training if i.value == "alpha"}
    other, _ = valuebench.split_items(items, seed=4)
    assert {i.id for i in other} != {i.id for i in training}


@pytest.mark.parametrize(
    "text",
    [
        'question,choice0,choice1,choice2,choice3,answer\n"Which, then?",1,2,3,4,2\n',
        '"Which, then?",1,2,3,4,C\n',
    ],
    ids=["header", "original"],
)
def test_mmlu_in_both_layouts(tmp_path: Path, text: str) -> None:
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "us_foreign_policy_test.csv").write_text(text, encoding="utf-8")
    (item,) = mmlu.subject("US foreign policy", "test", tmp_path)
    assert (item.question, item.choices, item.answer) == ("Which, then?", ("1", "2", "3", "4"), 2)
    assert item.subject == "us_foreign_policy"
    assert mmlu.subjects(tmp_path) == ["us_foreign_policy"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Which?,1,2,3,C\n", "anatomy_test.csv:1: 5 columns"),
        ("Which?,1,2,3,4,E\n", "anatomy_test.csv:1: field 'answer'"),
        ("question,choice0,choice1,choice2,answer\nWhich?,1,2,3,0\n", "column 'choice3' missing"),
    ],
)
def test_mmlu_errors(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "anatomy_test.csv").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        mmlu.subject("anatomy", "test", tmp_path)
    assert expected in str(caught.value)


def test_mmlu_unknown_and_absent_subjects(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Did you mean 'astronomy'"):
        mmlu.subject("astronomie", "test", tmp_path)
    with pytest.raises(UsageError, match=r"vharness data pull mmlu:virology"):
        mmlu.subject("virology", "test", tmp_path)
    assert len(set(mmlu.SUBJECTS)) == 57


def test_conva_formats(tmp_path: Path) -> None:
    (tmp_path / "test_self-direction_new.csv").write_text(
        'text\nShould I go?\n"If it rains, should I go?"\n', encoding="utf-8"
    )
    rows = "".join(f'"I led, {i}.","I didn\u2019t, {i}."\n' for i in range(8))
    (tmp_path / "power_context_controlled.csv").write_text(f"question_1,question_2\n{rows}", encoding="utf-8")
    (tmp_path / "power_non_context_controlled.csv").write_text(f"question_1,question_2\n{rows}", encoding="utf-8")
    questions = conva.questions("Self-Direction", tmp_path)
    assert [q.question for q in questions] == ["Should I go?", "If it rains, should I go?"]
    pairs = conva.pairs("power", folder=tmp_path)
    assert (pairs[0].positive, pairs[0].negative) == ("I led, 0.", "I didn\u2019t, 0.")
    assert [p.form for p in pairs][::2] == list(conva.FORMS)
    assert {p.form for p in conva.pairs("power", controlled=False, folder=tmp_path)} == {"third-sentence"}
    with pytest.raises(UsageError, match=r"test_power_new\.csv is not in .*vharness data pull conva"):
        conva.questions("power", tmp_path)


@needs_data
def test_the_real_valuebench() -> None:
    assert len(valuebench.items()) == 1988
    big = valuebench.values()
    assert len(big) == 17
    assert sum(big.values()) == 366
    system = load_value_system("valuebench")
    assert set(system.ids) == set(big)
    assert all(value.definition for value in system.values)
    assert system.get("empathy").groups == ("agreeableness", "emotional", "cooperativeness")


@needs_data
def test_the_real_mmlu() -> None:
    sizes = {name: len(mmlu.subject(name)) for name in mmlu.VALUE_UNRELATED}
    assert sizes == {"astronomy": 152, "business_ethics": 100, "global_facts": 100, "jurisprudence": 108}
    assert all(len(mmlu.subject(name, "dev")) == 5 for name in mmlu.VALUE_UNRELATED)
