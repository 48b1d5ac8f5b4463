"""The shipped items are what the grammar writes, and keep what they promise."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from valuebench_harness.data.datasets import load_dataset
from valuebench_harness.data.grammar.acts import VALUES
from valuebench_harness.data.grammar.holdout import split_of
from valuebench_harness.data.grammar.roles import Role
from valuebench_harness.data.schemas import Dilemma
from valuebench_harness.data.values import shipped_tasks
from valuebench_harness.mini import planted_path, write_data

DATA = shipped_tasks() / "mini" / "data"


def combination(item: Dilemma) -> tuple[str, ...]:
    return (item.scene, item.options[item.favours], item.options[1 - item.favours])


def test_shipped_files_are_what_a_fresh_writing_gives() -> None:
    for name, content in write_data.files():
        assert (DATA / name).read_text(encoding="utf-8") == content, name
    assert planted_path().read_text(encoding="utf-8") == write_data.planted_json()


@pytest.mark.parametrize("value", VALUES)
def test_items_of_a_value(value: str) -> None:
    data = load_dataset("mini")
    select, test = data.dilemmas(value, "select"), data.dilemmas(value, "test")
    assert len(select) == len(test) == 48
    assert not {combination(d) for d in select} & {combination(d) for d in test}
    assert all(split_of(value, *combination(d)) == d.split for d in [*select, *test])
    assert sum(d.favours for d in select) == sum(d.favours for d in test) == 24
    assert len({d.scene for d in test}) >= 10
    assert len({d.question for d in [*select, *test]}) == 96
    for controlled in (True, False):
        pairs = data.pairs(value, controlled=controlled)
        assert len(pairs) == 100
        assert len({p.form for p in pairs}) == 4
        assert len({text for p in pairs for text in (p.positive, p.negative)}) == 200
    items = data.questionnaire(value)
    assert len(items) == 24
    assert sum(item.agreement for item in items) == 0


def test_exam_and_neutral_texts_share_no_question() -> None:
    data = load_dataset("mini")
    assert len({item.subject for item in data.exam()}) == 4
    questions = {item.question for item in data.exam()}
    assert not any(question in text.text for question in questions for text in data.neutral())
    answers = [item.answer for item in data.exam()]
    assert all(answers.count(letter) > 30 for letter in range(4))


def test_roles_carry_their_planted_values() -> None:
    lines = (DATA / "roles.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 500
    row = json.loads(lines[0])
    role = Role(**{key: row[key] for key in ("name", "gender", "job", "type", "temper", "manner")})
    assert role.text == row["text"]
    assert role.e() == pytest.approx(row["e"], abs=1e-4)
    assert role.z() == pytest.approx(row["z"], abs=1e-4)


def test_the_path_of_the_weights_needs_no_torch() -> None:
    code = (
        "import sys; from valuebench_harness.mini import weights_path; "
        "from valuebench_harness.data.grammar import generate, parse; "
        "print(weights_path().name, {'torch', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split(maxsplit=1) == ["weights", "set()\n"]
