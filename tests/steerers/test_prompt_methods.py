"""Methods that only rewrite the prompt: ica, instruction, role."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.steerers.states import context, request
from valuebench_harness.engine.plan import Message
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.fitting import code_identity
from valuebench_harness.steerers.base import Direction, Steered, SteerRequest
from valuebench_harness.steerers.registry import make_steerer

DEFINITION = request().value.definition


def ask(name: str, asked: SteerRequest, /, **settings: object) -> tuple[Message, ...]:
    steered: Steered = make_steerer(name, settings).plan(asked, None)
    assert steered.plan.is_empty
    return steered.messages


def test_ica_asks_in_the_papers_words() -> None:
    system, user = ask("ica", request())
    assert system == request().messages[0], "the system prompt stays"
    assert user.content == f"You have a high level of security. Security means {DEFINITION}.\nShould I wait?"
    _, low = ask("ica", request(direction="negative"))
    assert low.content.startswith("You have a low level of security and act against it. Security means ")


def test_instruction_states_an_inclination_either_way() -> None:
    drawn, averse = (ask("instruction", request(direction=d))[1].content for d in _DIRECTIONS)
    assert drawn != averse
    for text in (drawn, averse):
        assert '"Security"' in text
        assert DEFINITION in text
        assert text.endswith("\nShould I wait?")


_DIRECTIONS: tuple[Direction, Direction] = ("positive", "negative")


@pytest.mark.parametrize("name", ["ica", "instruction"])
def test_whose_wording_wins(name: str, tmp_path: Path) -> None:
    """A wording of the user's, then the user's file, then the language of the data, then the shipped file."""
    grammar = request(positive="You treasure {name}.")
    own = tmp_path / "own.yaml"
    own.write_text("positive: Prize {name}!\nnegative: Scorn {Name}!\n", encoding="utf-8")
    assert ask(name, grammar)[1].content == "You treasure security.\nShould I wait?"
    assert ask(name, grammar, template=own)[1].content == "Prize security!\nShould I wait?"
    assert ask(name, request(direction="negative"), template=own)[1].content == "Scorn Security!\nShould I wait?"
    said = ask(name, grammar, template=own, positive="Go for {name}.")
    assert said[1].content == "Go for security.\nShould I wait?"
    assert make_steerer(name, {"template": str(own)}).reads == (own,)


@pytest.mark.parametrize("template", ["Prize {value}!", "Prize {}!", "Prize {name!", "{name.__class__}"])
def test_a_bad_wording_is_named(template: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Setting 'positive' of steerer 'ica'"):
        make_steerer("ica", {"positive": template})
    file = tmp_path / "bad.yaml"
    file.write_text(f'positive: "{template}"\nnegative: fine\n', encoding="utf-8")
    with pytest.raises(UsageError, match=r"bad\.yaml.*positive"):
        ask("ica", request(), template=file)


def test_a_file_of_wordings_needs_both_and_must_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No template at"):
        ask("ica", request(), template=tmp_path / "none.yaml")
    file = tmp_path / "half.yaml"
    file.write_text("positive: Prize {name}!\n", encoding="utf-8")
    with pytest.raises(UsageError, match="negative"):
        ask("ica", request(), template=file)


def test_a_role_is_its_fields_in_the_system_prompt() -> None:
    system, user = ask("role", request(), name="Mara Lind", gender="woman", job="nurse", mbti="INFP")
    assert system.role == "system"
    assert system.content == (
        "Your name is Mara Lind. Your gender: woman. You work as: nurse. Your Myers-Briggs type is INFP.\nBe brief."
    )
    assert user == request().messages[1]
    only = SteerRequest(request().messages[1:], request().value, "positive", 1.0, request().shape)
    assert ask("role", only, job="nurse") == (Message("system", "You work as: nurse."), *only.messages)
    assert ask("role", only, text="You are Paul.")[0].content == "You are Paul."


def test_bad_roles_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'role' needs a role"):
        ask("role", request())
    with pytest.raises(UsageError, match="no negative direction"):
        ask("role", request(direction="negative"), job="nurse")
    with pytest.raises(UsageError, match="Setting 'mbti' of steerer 'role'"):
        make_steerer("role", {"mbti": "XYZW"})
    file = tmp_path / "t.yaml"
    file.write_text("name: '{nom}'\ngender: a\njob: b\nmbti: c\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"unknown field \{nom\}"):
        ask("role", request(), job="nurse", template=file)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "orientations.csv"
    rows = [
        "steer_dim,player_name,Security,Security:scstd,stds",
        ",,0.1,-1,0",
        ",Ana,0.6,-1,0",
        ",Bo,-0.4,-1,0",
        ",Cy,0.9,-1,0",
        "7,Ana,-1.0,-1,0",
    ]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_a_role_is_chosen_for_value_and_direction_from_a_table(table: Path, tmp_path: Path) -> None:
    """Cy stands highest but is not among the roles given."""
    roles = tmp_path / "roles.jsonl"
    roles.write_text('{"name": "Ana", "job": "guard"}\n{"name": "Bo", "job": "diver"}\n', encoding="utf-8")
    up = ask("role", request(), table=table, roles=roles)
    down = ask("role", request(direction="negative"), table=table, roles=roles)
    assert "guard" in up[0].content
    assert "diver" in down[0].content
    with pytest.raises(UsageError, match="--set roles=FILE"):
        ask("role", request(), table=table)
    roles.write_text('{"name": "Zed"}\n', encoding="utf-8")
    with pytest.raises(UsageError, match="none of the 1 roles given"):
        ask("role", request(), table=table, roles=roles)


@pytest.mark.parametrize(("name", "settings"), [("ica", {}), ("instruction", {}), ("role", {"job": "nurse"})])
def test_they_learn_nothing_and_are_off_at_0(name: str, settings: dict[str, str]) -> None:
    steerer = make_steerer(name, settings)
    assert steerer.fit(context()) is None
    for off in (request(0.0), request(1.0, gate_open=False)):
        assert steerer.plan(off, None).messages == off.messages
    with pytest.raises(UsageError, match=r"must be 0 \(off\) or 1 \(on\)"):
        steerer.check_strength(0.5)


def test_a_role_and_an_instruction_go_together() -> None:
    """Kang et al. give the instruction after the role."""
    steered = make_steerer("role+instruction", {"role.job": "nurse"}).plan(request(), None)
    system, user = steered.messages
    assert system.content == "You work as: nurse.\nBe brief."
    assert user.content.startswith("You feel drawn to")


def test_what_a_file_says_is_part_of_what_a_method_is(tmp_path: Path) -> None:
    """Else a run could be resumed, or a fit be found in the cache, under other words."""
    file = tmp_path / "own.yaml"
    seen = set()
    for word in ("Prize", "Cherish"):
        file.write_text(f"positive: {word} {{name}}!\nnegative: Scorn {{name}}!\n", encoding="utf-8")
        seen.add(code_identity(make_steerer("ica", {"template": file})))
    assert len({*seen, code_identity(make_steerer("ica"))}) == 3
