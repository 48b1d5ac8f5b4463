"""Finding steerers and gates by name, entry point or file; settings; directions."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.steerers.states import context, request
from valuebench_harness.errors import UsageError
from valuebench_harness.steerers import registry
from valuebench_harness.steerers.registry import (
    gate_names,
    make_gate,
    make_steerer,
    split_direction,
    steerer_class,
    steerer_names,
)

OWN = '''
"""Pushes along a fixed axis."""
import numpy as np
from valuebench_harness.engine.arrays import FrozenArray
from valuebench_harness.engine.intervention import Intervention
from valuebench_harness.engine.plan import SteerPlan
from valuebench_harness.steerers import Steered, Steerer
from valuebench_harness.steerers.base import Settings

class PushSettings(Settings):
    layer: int = 1
    axis: int = 0

class Push(Steerer[PushSettings]):
    name = "push"
    source = "a test"
    settings_type = PushSettings

    def plan(self, request, artifact):
        if request.strength == 0 or not request.gate_open:
            return Steered(request.messages)
        axis = np.zeros(request.shape.width, dtype=np.float32)
        axis[self.settings.axis] = 1
        step = Intervention("add", self.settings.layer, {"vector": FrozenArray(axis)},
                            coefficient=request.sign * request.strength)
        return Steered(request.messages, SteerPlan((step,)))

class NoPlan(Steerer):
    name = "no-plan"
    source = "a test"

class NoName(Steerer):
    source = "a test"
    def plan(self, request, artifact):
        return Steered(request.messages)

class Unrelated:
    pass
'''


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.py"
    path.write_text(OWN, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["base", "ica", "caa", "conva", "convA", "CAA"])
def test_built_ins_by_any_spelling(name: str) -> None:
    assert steerer_class(name).name == name.lower()
    assert make_steerer(name).settings == steerer_class(name).settings_type()


def test_every_listed_name_is_found_and_says_where_it_comes_from() -> None:
    assert {"base", "ica", "caa", "conva"} <= set(steerer_names())
    for name in steerer_names():
        assert steerer_class(name).source
    assert {"none", "probe"} <= set(gate_names())
    assert make_gate("None") is None


@pytest.mark.parametrize(
    ("name", "words"),
    [("convva", "Did you mean 'conva'"), ("caaa", "Did you mean 'caa'"), ("zzz", "Known: .*base, caa, conva, ica")],
)
def test_an_unknown_steerer_is_named_with_the_nearest(name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        make_steerer(name)
    assert "path/to/file.py:Class" in str(caught.value)


def test_an_unknown_gate_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"Unknown gate 'prob'\. Did you mean 'probe'"):
        make_gate("prob")


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("ica", ("ica", None)),
        ("ica-negative", ("ica", "negative")),
        ("ConvA-Positive", ("ConvA", "positive")),
        ("own.py:Push-negative", ("own.py:Push", "negative")),
        ("ica-negative-positive", ("ica-negative", "positive")),
        ("non-negative/own.py:Push", ("non-negative/own.py:Push", None)),
    ],
)
def test_a_suffix_pins_the_direction(name: str, split: tuple[str, str | None]) -> None:
    assert split_direction(name) == split


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        (
            "conva",
            {"per": "word"},
            "Setting 'per' of steerer 'conva': Input should be 'token' or 'prompt' (got 'word')",
        ),
        (
            "conva",
            {"min_acuracy": 0.5},
            "Unknown setting of steerer 'conva' 'min_acuracy'. Did you mean 'min_accuracy'?",
        ),
        ("conva", {"min_accuracy": 2}, "less than or equal to 1"),
        ("conva", {"skip_last": -1}, "greater than or equal to 0"),
        ("conva", {"c": 0}, "greater than 0"),
        ("conva", {"train_share": 1}, "less than 1"),
        ("caa", {"scope": "everywhere"}, "Setting 'scope' of steerer 'caa'"),
        ("base", {"x": 1}, "Unknown setting of steerer 'base' 'x'"),
    ],
)
def test_bad_settings_are_named(name: str, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_steerer(name, settings)
    assert words in str(caught.value)


def test_bad_gate_settings_are_named() -> None:
    with pytest.raises(UsageError, match="Setting 'g0' of gate 'probe'"):
        make_gate("probe", {"g0": 1.5})
    with pytest.raises(UsageError, match="Unknown setting of gate 'probe'"):
        make_gate("probe", {"threshold": 0.5})


# A user's file


def test_a_users_file_holds_a_steerer_like_any_other(own: Path) -> None:
    push = make_steerer(f"{own}:Push", {"axis": 3})
    assert push.name == "push"
    assert push.fit(context()) is None
    (step,) = push.plan(request(2, "negative"), None).plan.interventions
    vector: Any = step.params["vector"]
    assert (step.layer, step.coefficient) == (1, -2)
    assert np.array_equal(vector.array, np.eye(12, dtype=np.float32)[3])
    with pytest.raises(UsageError, match="Did you mean 'axis'"):
        make_steerer(f"{own}:Push", {"axes": 3})


def test_a_changed_file_is_read_again(own: Path) -> None:
    make_steerer(f"{own}:Push")
    own.write_text(OWN.replace("axis: int = 0", "axis: int = 7"), encoding="utf-8")
    assert make_steerer(f"{own}:Push").settings.axis == 7


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("NoPlan", "steerer NoPlan lacks plan"),
        ("NoName", "steerer NoName lacks name"),
        ("Unrelated", "Unrelated is no subclass"),
        ("np", "np|numpy"),
        ("Puhs", "Did you mean 'Push'"),
        ("Steerer", "lacks"),
    ],
)
def test_what_a_users_class_lacks_is_named(own: Path, name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        make_steerer(f"{own}:{name}")
    assert str(own) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("raise RuntimeError('broken on purpose')", "RuntimeError: broken on purpose"),
        ("import no_such_module_anywhere", "ModuleNotFoundError"),
        ("def f(:", "SyntaxError"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines"),
    ],
)
def test_a_file_that_cannot_be_imported_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "broken.py"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=words) as caught:
        make_steerer(f"{path}:Push")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        make_steerer(f"{tmp_path}/missing.py:Push")


# Entry points: a real distribution's metadata on sys.path


def install(folder: Path, target: str) -> None:
    info = folder / "own_steerers-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own-steerers\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[{registry.ENTRY_POINTS}]\nPush = {target}\n", encoding="utf-8")


def test_a_plug_in_is_found_by_entry_point(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(own.parent, "own:Push")
    monkeypatch.syspath_prepend(own.parent)
    importlib.invalidate_caches()
    assert "Push" in steerer_names()
    assert make_steerer("push", {"layer": 2}).settings.layer == 2


def test_a_broken_plug_in_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "no_such_module_anywhere:Push")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    with pytest.raises(UsageError, match=r"'push' \(no_such_module_anywhere:Push\) cannot be imported: ModuleNotFound"):
        make_steerer("push")
    assert make_steerer("caa").name == "caa", "one broken plug-in does not take the rest with it"
