from __future__ import annotations

from pathlib import Path

import pytest

from valuebench_harness.errors import UsageError
from valuebench_harness.harness.collect.protocol import Protocol, prefix_label, split_answer
from valuebench_harness.harness.collect.records import Person, Question

QUESTION = Question(id="q", value="v", part="train", text="Should I rest {{ role }}?", agreement=1)
ROLE = Person(id="Ada", part="train", text="Name: Ada; Job: nurse", fields={"name": "Ada", "job": "nurse"})
NOBODY = Person(id="", part="both")


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ("yes", "yes"),
        ("Yes, I would.", "yes"),
        ('"Yes"', "yes"),
        ("Sure thing", "yes"),
        ("no", "no"),
        ("No.", "no"),
        ("**No**", "no"),
        ("unsure", "unsure"),
        ("I cannot say", "unsure"),
        ("I am unable to answer", "unsure"),
        ("not sure", None),
        ("nobody should", None),
        ("yesterday I did", None),
        ("surely not", None),
        ("It depends: yes and no", None),
        ("", None),
    ],
)
def test_answers_by_their_first_words(answer: str, label: str | None) -> None:
    assert prefix_label(answer) == label


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Thought: rest is good.\nAnswer: yes", ("rest is good", "yes")),
        ("rest is good.\nAnswer: yes.", ("rest is good", "yes.")),
        ("**Thought:** rest\n\n**Answer:** no", ("rest", "no")),
        ("Yes, rest.", ("", "Yes, rest.")),
        ("Thought: I care about safety, so I agree. Answer: yes.", ("I care about safety, so I agree", "yes.")),
        ("answer: no\nthe rest", ("", "no\nthe rest")),
    ],
)
def test_thought_and_answer(text: str, parts: tuple[str, str]) -> None:
    assert split_answer(text) == parts


def test_a_role_is_asked_with_two_opposite_examples() -> None:
    system, user = Protocol().messages(ROLE, QUESTION)
    assert (system.role, user.role) == ("system", "user")
    assert "Name: Ada; Job: nurse" in system.content
    assert " your values" in system.content, "where SAE features are steered"
    assert system.content.count("Thought:") == 2
    assert "Answer: yes" in system.content
    assert "Answer: no" in system.content
    assert user.content == "Question: Should I rest {{ role }}?", "text of items is data, not a template"


def test_nobody_is_described_to_nobody() -> None:
    system, _ = Protocol().messages(NOBODY, QUESTION)
    assert "person" not in system.content
    assert "\n\n\n" not in system.content


def test_mini_is_asked_in_its_grammar() -> None:
    protocol = Protocol(is_mini=True)
    assert [m.content for m in protocol.messages(ROLE, QUESTION)] == [ROLE.text, QUESTION.text]
    assert [m.content for m in protocol.messages(NOBODY, QUESTION)] == [QUESTION.text]


def test_templates_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "system.txt").write_text("{{ name }} the {{ job }}", encoding="utf-8")
    (tmp_path / "user.txt").write_text("{{ question }} Say yes or no.", encoding="utf-8")
    protocol = Protocol(folder=tmp_path)
    assert [m.content for m in protocol.messages(ROLE, QUESTION)] == [
        "Ada the nurse",
        "Should I rest {{ role }}? Say yes or no.",
    ]
    assert protocol.digest != Protocol().digest


@pytest.mark.parametrize("text", ["{{ unknown }}", "{% if %}", "{{ question"])
def test_faulty_templates_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "system.txt").write_text("You answer.", encoding="utf-8")
    (tmp_path / "user.txt").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=str(tmp_path)):
        Protocol(folder=tmp_path).messages(ROLE, QUESTION)
