from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.harness.collect.conftest import configured
from valuebench_harness.causal.table import read_table
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.collect.plan import make_collect_plan
from valuebench_harness.harness.collect.questions import drawn, load_questionnaire
from valuebench_harness.harness.collect.records import Question


def items(n: int) -> list[Question]:
    return [Question(id=f"i{k}", value="v", part="train", text="Should I?", agreement=1) for k in range(n)]


@pytest.mark.parametrize(("n", "count"), [(14, 6), (15, 6), (16, 7), (17, 7), (18, 8), (19, 8), (1, 1)])
def test_the_share_drawn_is_rounded_up(n: int, count: int) -> None:
    """The denominators of the published orientations: 6 of 14, 7 of 16 and 17, 8 of 18 and 19 items."""
    assert len(drawn(items(n), 0.4, "", "role", 0)) == count


def test_draws_are_seeded_and_differ_between_dyads() -> None:
    pool = items(20)
    first = drawn(pool, 0.4, "s", "r", 0)
    assert first == drawn(pool, 0.4, "s", "r", 0)
    assert {i.id for i in first} == {i.id for i in drawn(pool[::-1], 0.4, "s", "r", 0)}
    others = [drawn(pool, 0.4, "s", "q", 0), drawn(pool, 0.4, "t", "r", 0), drawn(pool, 0.4, "s", "r", 1)]
    assert all(other != first for other in others)
    assert drawn(pool, 1.0, "s", "r", 0) == pool


def test_every_item_is_drawn_alike() -> None:
    pool = items(10)
    counts = Counter(i.id for role in range(500) for i in drawn(pool, 0.4, "", str(role), 0))
    assert all(150 < counts[i.id] < 250 for i in pool)


def test_training_and_test_roles_are_asked_different_items() -> None:
    plan = make_collect_plan(configured(roles=6, test_roles=2))
    asked = {
        part: {q.id for p in plan.people if p.part == part for q in plan.questions(plan.methods.settings[0], p)}
        for part in ("train", "test")
    }
    assert not asked["train"] & asked["test"]
    (nobody,) = [p for p in plan.people if p.part == "both"]
    counts = Counter((q.value, q.part) for q in plan.questions(plan.methods.settings[0], nobody))
    assert set(counts.values()) == {7, 8}, "7 of 16 training items, all 8 test items"


def test_the_same_items_under_every_setting_when_asked() -> None:
    def asked(**keys: Any) -> list[set[str]]:
        plan = make_collect_plan(configured(roles=4, steerers=("ica",), values=("power",), **keys))
        person = plan.people[1]
        return [{q.id for q in plan.questions(s, person)} for s in plan.methods.settings]

    base, *steered = asked(same_items=True)
    assert all(found == base for found in steered)
    base, *steered = asked()
    assert all(found != base for found in steered)


def test_without_test_roles_all_items_train() -> None:
    questionnaire = load_questionnaire(configured(roles=4, test_roles=0))
    assert {i.part for i in questionnaire.items} == {"train"}
    assert len(questionnaire.items) == 240


def own_system(folder: Path, values: dict[str, int]) -> Path:
    path = folder / "own.yaml"
    names = "".join(f"  {name}:\n    definition: what it is\n" for name in ("honesty", "thrift"))
    path.write_text(f"name: own\ndata: ./data\nvalues:\n{names}", encoding="utf-8")
    for name, n in values.items():
        file = folder / "data" / "questionnaire" / f"{name}.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        rows = "".join(f"I do {k}.,Should I do {k}?,{1 if k % 2 else -1}\n" for k in range(n))
        file.write_text("item,question,agreement\n" + rows, encoding="utf-8")
    (folder / "data").mkdir(exist_ok=True)
    return path


def test_a_value_without_items_is_left_out_and_named(tmp_path: Path) -> None:
    path = own_system(tmp_path, {"honesty": 10})
    config = configured(model="nowhere", questions=str(path), roles=5)
    questionnaire = load_questionnaire(config)
    assert list(questionnaire.columns) == ["honesty"]
    assert any("thrift" in note for note in questionnaire.notes)
    with pytest.raises(UsageError, match="'thrift' has no questionnaire items"):
        load_questionnaire(configured(model="nowhere", questions=str(path), roles=5, measured=("thrift",)))


def test_a_questionnaire_without_items(tmp_path: Path) -> None:
    path = own_system(tmp_path, {})
    with pytest.raises(UsageError, match="holds no items"):
        load_questionnaire(configured(model="nowhere", questions=str(path), roles=5))


def test_too_few_items_to_split(tmp_path: Path) -> None:
    path = own_system(tmp_path, {"honesty": 1})
    with pytest.raises(UsageError, match="'honesty' has 1 items, too few"):
        load_questionnaire(configured(model="nowhere", questions=str(path), roles=5))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"measured": ("courage",)}, "Unknown value 'courage'"),
        ({"roles": 2, "test_roles": 1}, "fewer than 2"),
        ({"roles": 1, "test_roles": 0}, "fewer than 2"),
        ({"roles": 0}, "--roles"),
        ({"item_share": 0.0}, "--item-share"),
        ({"score": "logits"}, "--score"),
        ({"questions": "schwartz"}, "mini reads its own grammar only"),
        ({"model": "gpt2", "questions": "schwartz", "oracle": True}, "--oracle"),
        ({"score": "probability", "n_samples": 3}, "--n-samples"),
        ({"colour": "red"}, "Unknown key 'colour'"),
        ({"steerers": ("nope",)}, "Unknown steerer 'nope'"),
        ({"steerers": ("base",)}, "always among the settings"),
        ({"steerers": ("caa",), "values": ("courage",)}, "that 'caa' can steer here 'courage'"),
        ({"steerers": ("caa", "caa-positive")}, "comes twice"),
        ({"steerers": ("ica",), "strength": (2.0,)}, "0 (off) or 1 (on)"),
        ({"features": ("many",)}, "'many' is none"),
        ({"template": Path("/nowhere")}, "--template"),
        ({"model": "gpt2", "questions": "schwartz", "template": Path("/nowhere")}, "system.txt"),
    ],
)
def test_bad_input(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_collect_plan(configured(**settings))
    assert words in str(caught.value)


def test_valuebench_has_the_published_values_and_denominators(real_data: Path) -> None:
    """Kang's orientations are multiples of one over the number of items asked."""
    plan = make_collect_plan(configured(model="nowhere", roles=5))
    published = real_data / "kang2025"
    base, person = plan.methods.settings[0], next(p for p in plan.people if p.part == "train")
    counts = Counter(q.value for q in plan.questions(base, person))
    tested = Counter(q.value for q in plan.questionnaire.items if q.part == "test")
    for name, asked in (("train", counts), ("test", tested)):
        table = read_table(published / f"ans_gemma_{name}_formal.csv")
        assert set(plan.columns) == set(table.values)
        for column, value in enumerate(table.values):
            scaled = table.scores[:, column] * asked[value]
            assert abs(scaled - scaled.round()).max() < 1e-6, (name, value, asked[value])
