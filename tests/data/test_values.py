"""Value systems: the shipped ones, a user's own, and what ``--values`` takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from valuebench_harness.data.values import ValueSpec, load_value_system, resolve_values
from valuebench_harness.errors import UsageError

SCHWARTZ = {
    "achievement", "benevolence", "conformity", "hedonism", "power",
    "security", "self-direction", "stimulation", "tradition", "universalism",
}  # fmt: skip

HONESTY = """\
name: honesty
data: ./items
values:
  honesty:
    name: Honesty
    definition: Saying what one believes to be true.
    opposite: deception
  white_lies: {}
"""


def test_schwartz_is_a_circle_of_ten_in_four_groups() -> None:
    system = load_value_system("Schwartz")
    assert set(system.ids) == SCHWARTZ
    angles = {value.id: value.angle for value in system.values}
    for value in system.values:
        assert value.definition
        assert value.opposite is not None
        other = system.get(value.opposite)
        assert other.opposite == value.id
        a, b = angles[value.id], angles[other.id]
        assert a is not None
        assert b is not None
        assert (a - b) % 360 == 180
    assert len({round(a or 0) for a in angles.values()}) == 10
    assert {name: set(members) for name, members in system.groups.items()} == {
        "openness-to-change": {"self-direction", "stimulation", "hedonism"},
        "self-enhancement": {"hedonism", "achievement", "power"},
        "conservation": {"security", "conformity", "tradition"},
        "self-transcendence": {"benevolence", "universalism"},
    }
    # The members of a group are neighbours on the circle.
    for members in system.groups.values():
        places = sorted((angles[m] or 0) / 36 for m in members)
        gaps = [(b - a) % 10 for a, b in zip(places, [*places[1:], places[0]], strict=True)]
        assert sorted(gaps)[:-1] == [1] * (len(places) - 1)


def test_valuebench_ships_names_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("VHARNESS_DATA_DIR", raising=False)
    monkeypatch.setenv("VHARNESS_HOME", str(tmp_path))
    system = load_value_system("valuebench")
    assert len(system.values) == 17
    assert system.get("Breadth of Interest").id == "breadth_of_interest"
    assert not any(value.definition for value in system.values)


def test_own_system(tmp_path: Path) -> None:
    (tmp_path / "items").mkdir()
    path = tmp_path / "honesty.yaml"
    path.write_text(HONESTY, encoding="utf-8")
    system = load_value_system(path)
    assert system.ids == ("honesty", "white_lies")
    assert system.data == (tmp_path / "items").resolve()
    assert system.get("White Lies").noun == "white lies"
    assert system.get("HONESTY").opposite == "deception"
    assert "honesty" in system
    assert "deception" not in system


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("data: ./items", "data: ./nowhere", "no folder"),
        ("    opposite: deception", "    angel: 3", ":7: 'values.honesty.angel' is not a known field"),
        ("    opposite: deception", "    angle: 400", ":7: field 'values.honesty.angle'"),
        ("  honesty:\n", "  Honesty!:\n", "value id 'Honesty!' must be lower-case"),
        ("name: honesty\n", "", "field 'name' is missing"),
        ("values:", "valuez:", "'values' is missing"),
        ("  white_lies: {}", "  white_lies: 3", "value 'white_lies' must be a mapping"),
    ],
)
def test_errors_in_own_system(tmp_path: Path, old: str, new: str, expected: str) -> None:
    (tmp_path / "items").mkdir()
    path = tmp_path / "honesty.yaml"
    assert old in HONESTY
    path.write_text(HONESTY.replace(old, new), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        load_value_system(path)
    assert str(path) in str(caught.value)
    assert expected in str(caught.value)


def test_unknown_system_suggests_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean 'schwartz'"):
        load_value_system("schwarz")
    with pytest.raises(UsageError, match="No value system at"):
        load_value_system("nowhere.yaml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("achievement", ["achievement"]),
        (" Achievement , POWER ", ["achievement", "power"]),
        ("self_direction", ["self-direction"]),
        ("Self Direction:1", ["self-direction"]),
        ("achievement:1+power:-0.5", ["achievement:1+power:-0.5"]),
        ("achievement+power", ["achievement:1+power:1"]),
        ("self-direction:-1", ["self-direction:-1"]),
        ("power,power,tradition", ["power", "tradition"]),
    ],
)
def test_resolve_values(text: str, expected: list[str]) -> None:
    system = load_value_system("schwartz")
    specs = resolve_values(text, system)
    assert [str(spec) for spec in specs] == expected
    # The canonical form reads back as the same thing.
    assert resolve_values([str(spec) for spec in specs], system) == specs


def test_all_stands_for_every_value() -> None:
    system = load_value_system("schwartz")
    assert [spec.terms[0][0] for spec in resolve_values("ALL", system)] == list(system.ids)
    assert resolve_values("power,all", system)[0] == ValueSpec((("power", 1.0),))
    assert len(resolve_values("power,all", system)) == 10


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("achievment", "Unknown value 'achievment'. Did you mean 'achievement'?"),
        ("", "Empty value name"),
        ("power,,tradition", "Empty value name"),
        ("power:strong", "Weight 'strong' in 'power:strong' is not a number"),
        ("power:", "is not a number"),
        ("power:nan", "must be finite"),
        ("power:0+tradition", "not zero"),
        ("power+Power", "comes twice"),
    ],
)
def test_errors_in_values(text: str, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_values(text, load_value_system("schwartz"))
    assert expected in str(caught.value)
