from __future__ import annotations

import numpy as np
import pytest

from valuebench_harness.causal.advise import Wish, advise
from valuebench_harness.causal.prediction import fit_weights, predict
from valuebench_harness.causal.simulation import planted, simulate
from valuebench_harness.causal.table import OrientationTable
from valuebench_harness.errors import UsageError

WEIGHTS = np.zeros((4, 4))
WEIGHTS[1, 0] = 0.8  # v0 --> v1; v2 and v3 stand alone
SHIFTS = {1: {0: 1.0}, 2: {1: 1.0}, 3: {2: 1.0, 3: -1.0}, 4: {}}


def tables(roles: int = 80) -> tuple[OrientationTable, OrientationTable]:
    """s1 pushes v0 (and so v1), s2 v1 alone, s3 v2 up and v3 down, s4 nothing."""
    train, test = (
        simulate(WEIGHTS, n, 5, np.random.default_rng(seed), 0.5, targets=SHIFTS) for n, seed in ((roles, 0), (120, 1))
    )
    named = tuple(f"test {role}" for role in test.roles)
    return train, OrientationTable(test.values, test.settings, named, test.scores, "test.csv")


def test_coefficients_are_the_planted_ones() -> None:
    train, _ = tables(800)
    np.testing.assert_allclose(fit_weights(planted(WEIGHTS), train), WEIGHTS, atol=0.06)


def test_predictions_follow_the_graph() -> None:
    train, _ = tables(400)
    graph = planted(WEIGHTS)
    found = predict(graph, train, ["s1", "s2", "s3", "s4"])
    pushed = {(int(s), int(v)) for s, v in np.argwhere(found.pushed)}
    assert pushed == {(0, 0), (1, 1), (2, 2), (2, 3)}
    np.testing.assert_allclose(found.change[0], [1, 0.8, 0, 0], atol=0.12)
    np.testing.assert_allclose(found.change[2], [0, 0, 1, -1], atol=0.12)
    assert not found.change[3].any()  # noise of training is not foretold
    assert found.total_effects[0, 1] == pytest.approx(0.8, abs=0.06)


def test_what_moves_only_the_wanted_value_comes_first() -> None:
    train, test = tables()
    settings = [
        r
        for r in advise(train, test, planted(WEIGHTS), Wish(up=("v1",), keep=("v0", "v2"), margin=0.4))
        if r.kind == "setting"
    ]
    assert settings[0].name == "s2"
    assert settings[0].works
    assert settings[0].predicted_rank == 1
    by_name = {r.name: r for r in settings}
    assert by_name["s1"].harms  # it moves v1 through v0
    assert by_name["s1"].kept["v0"].verdict == "moved"
    assert by_name["s1"].kept["v2"].verdict == "kept"
    assert by_name["s1"].measured.low is not None
    assert by_name["s1"].measured.low > 0
    assert not by_name["s4"].works


def test_lowering_and_several_values_at_once() -> None:
    train, test = tables()
    (first, *_) = advise(train, test, planted(WEIGHTS), Wish(up=("v2",), down=("v3",), keep=("v0",), margin=0.4))
    assert first.name == "s3"
    assert first.predicted == pytest.approx(1.0, abs=0.3)
    assert first.measured.estimate == pytest.approx(1.0, abs=0.3)


def test_roles_are_measured_under_all_settings() -> None:
    train, test = tables()
    roles = [r for r in advise(train, test, planted(WEIGHTS), Wish(up=("v0",))) if r.kind == "role"]
    assert len(roles) == 119  # the first is what the others are compared with
    best = roles[0]
    base = test.scores[[n for n, role in enumerate(test.roles) if role == test.role_names[0]], 0]
    own = test.scores[[n for n, role in enumerate(test.roles) if role == best.name], 0]
    assert best.measured.estimate == pytest.approx((own - base).mean())
    assert best.predicted is None
    assert best.measured.n == 5


def test_a_setting_that_training_lacks_has_no_prediction() -> None:
    train, test = tables()
    rows = advise(train.only(settings=["", "s1"]), test, planted(WEIGHTS), Wish(up=("v2",)))
    by_name = {r.name: r for r in rows}
    assert by_name["s3"].predicted is None
    assert by_name["s1"].predicted_rank == 1


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        (Wish(keep=("v0",)), "Name a value to raise or to lower"),
        (Wish(up=("v0",), keep=("v0",)), "'v0' is to be raised and kept at once"),
        (Wish(up=("v0",), down=("v0",)), "'v0' is to be raised and lowered at once"),
        (Wish(up=("v9",)), "Unknown value 'v9'"),
        (Wish(up=("v0",), margin=0), "margin 0 must be above 0"),
    ],
)
def test_impossible_wishes_are_told(wish: Wish, message: str) -> None:
    train, test = tables(10)
    with pytest.raises(UsageError, match=message):
        advise(train, test, planted(WEIGHTS), wish)
