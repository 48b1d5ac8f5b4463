from __future__ import annotations

import numpy as np
import pytest

from tests.harness.collect.conftest import configured
from valuebench_harness.data.grammar import roles as grammar
from valuebench_harness.data.roles import JOBS, MAX_ROLES, MEN, TYPES, WOMEN, describe, make_roles
from valuebench_harness.data.schemas import Role
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.collect.people import make_people, planted_role


def test_roles_differ_by_name_and_are_seeded() -> None:
    roles = make_roles(125, seed=3)
    assert len({r.name for r in roles}) == 125
    assert roles == make_roles(125, seed=3)
    assert roles[:40] == make_roles(40, seed=3)
    assert roles != make_roles(125, seed=4)


def test_names_go_with_the_gender() -> None:
    for role in make_roles(300):
        first = role.name.split()[0]
        assert first in (WOMEN if role.gender == "female" else MEN)
    assert not set(WOMEN) & set(MEN)


def test_fields_are_drawn_independently() -> None:
    """Chi-square of gender with type and with job stays where chance leaves it."""
    roles = make_roles(2000)
    for levels, field in ((TYPES, "mbti"), (JOBS, "job")):
        counts = np.zeros((2, len(levels)))
        for role in roles:
            counts[int(role.gender == "female"), levels.index(getattr(role, field))] += 1
        expected = counts.sum(1, keepdims=True) * counts.sum(0) / counts.sum()
        chi2 = ((counts - expected) ** 2 / expected).sum()
        freedom = len(levels) - 1
        assert chi2 < freedom + 4 * np.sqrt(2 * freedom)


def test_more_roles_than_names() -> None:
    with pytest.raises(UsageError, match=str(MAX_ROLES)):
        make_roles(MAX_ROLES + 1)


def test_a_role_in_words() -> None:
    role = Role(name="Ada Reed", gender="female", job="nurse", mbti="INFP")
    assert describe(role) == "Name: Ada Reed; Gender: female; Job: nurse; MBTI: INFP"
    assert describe(Role(job="nurse")) == "Job: nurse"
    assert describe(Role()) == ""


def test_a_fifth_of_the_roles_test_and_nobody_does_both() -> None:
    people = make_people(configured(roles=125))
    parts = [p.part for p in people]
    assert (parts.count("train"), parts.count("test"), parts.count("both")) == (100, 25, 1)
    assert people[0].id == people[0].text == ""
    assert len({p.id for p in people}) == 126


def test_without_test_roles_nobody_trains_only() -> None:
    people = make_people(configured(roles=5, test_roles=0))
    assert {p.part for p in people} == {"train"}


def test_minis_roles_are_of_its_grammar_and_held_out() -> None:
    people = make_people(configured(roles=8, seed=5))
    planted = [planted_role(p) for p in people]
    assert planted[0] is None
    assert planted[1:] == grammar.roles(8, seed=5)
    assert all(
        role is not None and role.held_out and role.text == p.text
        for role, p in zip(planted[1:], people[1:], strict=True)
    )
