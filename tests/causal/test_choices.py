from __future__ import annotations

from valuebench_harness.causal.choices import choices
from valuebench_harness.causal.interventions import Target
from valuebench_harness.causal.table import OrientationTable, from_rows

TRAIN = {"f": {"a": (0.5, 0.5), "b": (-0.5, 0.0)}, "g": {"a": (-0.5, 0.5), "b": (0.5, 0.5)}}
TEST = {"f": {"a": (0.5, 0.0), "b": (-0.5, -0.5)}, "g": {"a": (-0.5, -0.5), "b": (0.5, 0.5)}}
AIMED = {"up": {"a": (1.0, 1.0), "b": (0.0, 0.0)}, "up2": {"a": (0.0, -1.0), "b": (0.0, 0.0)}}


def table(changes: dict[str, dict[str, tuple[float, float]]]) -> OrientationTable:
    rows: dict[tuple[str, str], dict[str, float]] = {("", role): {"a": 0.0, "b": 0.0} for role in "xy"}
    for setting, values in changes.items():
        for n, role in enumerate("xy"):
            rows[setting, role] = {value: moved[n] for value, moved in values.items()}
    return from_rows(rows, "ab")


def test_chosen_in_training_shown_in_test() -> None:
    found = choices(table(TRAIN), table(TEST), ["f", "g"], {})
    assert found["a"].raising.settings == ("f",)
    assert (found["a"].raising.test.stimulated, found["a"].raising.test.maintained) == (0.5, 0.5)
    assert found["a"].lowering.settings == ("g",)
    assert found["a"].lowering.test.suppressed == 1.0
    assert found["b"].raising.settings == ("g",)
    assert found["b"].aimed_up is None


def test_aimed_settings_are_pooled_and_do_not_compete() -> None:
    aimed = {"up": Target(value="a"), "up2": Target(value="a")}
    names = ["f", "g", "up", "up2"]
    found = choices(table({**TRAIN, **AIMED}), table({**TEST, **AIMED}), names, aimed)
    assert found["a"].raising.settings == ("f",)  # "up" would raise more, but it is aimed
    assert found["a"].aimed_up is not None
    assert found["a"].aimed_up.settings == ("up", "up2")
    test = found["a"].aimed_up.test
    assert (test.stimulated, test.suppressed, test.maintained, test.roles) == (0.5, 0.25, 0.25, 4)
    assert found["a"].aimed_down is None
    only = choices(table(AIMED), table(AIMED), ["up", "up2"], aimed)
    assert only["a"].raising.settings == ("up",)  # where all are aimed, all compete
