"""Which conditions a run has, and what each of them answers."""

from __future__ import annotations

from typing import Any

import pytest

from valuebench_harness.data.values import ValueSpec
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.conditions import cells, make_conditions
from valuebench_harness.harness.config import make_config
from valuebench_harness.harness.records import Document
from valuebench_harness.steerers.base import Direction
from valuebench_harness.steerers.registry import make_steerer

POWER, SECURITY = ValueSpec((("power", 1.0),)), ValueSpec((("security", 1.0),))


def ids(
    steerer: str, *, gate: str = "none", direction: Direction = "positive", has_exam: bool = True, **config: Any
) -> list[str]:
    made = make_conditions(
        make_config(model="folder", **config),
        make_steerer(steerer),
        direction,
        (POWER, SECURITY),
        gate,
        has_exam=has_exam,
    )
    return [c.id for c in made]


def test_the_base_runs_once_and_each_value_at_each_strength() -> None:
    assert ids("base") == ["base"]
    assert ids("caa") == ["base", "caa:power:+1", "caa:security:+1"]
    assert ids("caa", strength="1,2.5", direction="negative") == [
        "base",
        "caa:power:-1",
        "caa:power:-2.5",
        "caa:security:-1",
        "caa:security:-2.5",
    ]


def test_a_gated_method_has_ungated_twins_for_the_exam() -> None:
    assert ids("conva", gate="probe", strength=2) == [
        "base",
        "conva:power:+2",
        "conva:power:+2:ungated",
        "conva:security:+2",
        "conva:security:+2:ungated",
    ]
    assert ids("conva", gate="probe", strength=2, has_exam=False) == ["base", "conva:power:+2", "conva:security:+2"]


@pytest.mark.parametrize("strength", ["1,1.0000001", [1, 1.0], "1000001,1000002", "0.1:1:0.1"])
def test_ids_are_unique(strength: Any) -> None:
    made = ids("caa", strength=strength)
    assert len(set(made)) == len(made)


def test_levels_number_the_strengths() -> None:
    made = make_conditions(
        make_config(model="folder", strength="1,3,2"),
        make_steerer("caa"),
        "positive",
        (POWER,),
        "none",
        has_exam=False,
    )
    assert [(c.strength, c.level) for c in made[1:]] == [(1.0, 0), (3.0, 1), (2.0, 2)]


@pytest.mark.parametrize(("steerer", "strength"), [("ica", 2), ("ica", 0.5), ("caa", -1), ("conva", -0.1)])
def test_a_strength_that_the_method_cannot_take(steerer: str, strength: float) -> None:
    with pytest.raises(UsageError, match=f"Strength {strength:g} of '{steerer}'"):
        ids(steerer, strength=strength)


DOCUMENTS = [
    Document(id="d1", task="t", kind="dilemma", system="schwartz", value="power", text="?"),
    Document(id="d2", task="t", kind="dilemma", system="schwartz", value="tradition", text="?"),
    Document(id="q1", task="t", kind="questionnaire", system="schwartz", value="power", text="?"),
    Document(id="q2", task="t", kind="questionnaire", system="schwartz", value="security", text="?"),
    Document(id="q3", task="t", kind="questionnaire", system="valuebench", value="power", text="?"),
    Document(id="e1", task="t", kind="exam", text="?"),
]


def test_what_each_condition_answers() -> None:
    """All dilemmas (side effects), its own value's questionnaire, other systems', and the exam."""
    made = make_conditions(
        make_config(model="folder"), make_steerer("conva"), "positive", (POWER,), "probe", has_exam=True
    )
    found: dict[str, list[str]] = {}
    for condition, document in cells(made, DOCUMENTS, gate="probe", system="schwartz"):
        found.setdefault(condition.id, []).append(document.id)
    assert found == {
        "base": ["d1", "d2", "q1", "q2", "q3", "e1"],
        "conva:power:+1.3": ["d1", "d2", "q1", "q3", "e1"],
        "conva:power:+1.3:ungated": ["e1"],
    }
