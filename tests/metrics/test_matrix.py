"""The matrix of changes, and the circle that theory lays under it."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.multitest import multipletests

from valuebench_harness.data.values import load_value_system
from valuebench_harness.metrics.circle import spill_over
from valuebench_harness.metrics.circle_structure import circle_fit
from valuebench_harness.metrics.matrix import Measured, effect_matrix, moved
from valuebench_harness.metrics.paired import Change, paired_change

ANGLES = {v.id: v.angle for v in load_value_system("schwartz").values if v.angle is not None}
VALUES = list(ANGLES)


def change(up: int, down: int, n: int = 100) -> Change:
    before = [False] * up + [True] * down + [True] * (n - up - down)
    after = [True] * up + [False] * down + [True] * (n - up - down)
    return paired_change({str(i): [o] for i, o in enumerate(before)}, {str(i): [o] for i, o in enumerate(after)})


def test_two_families_are_adjusted_apart() -> None:
    changes = {
        ("a", "a"): change(30, 5),
        ("a", "b"): change(12, 3),
        ("b", "a"): change(5, 5),
        ("b", "b"): change(2, 20),
    }
    aimed = {(steered, value): Measured(c, int(steered == value)) for (steered, value), c in changes.items()}
    cells = {(c.steered, c.measured): c for c in effect_matrix(aimed)}
    for family in ([("a", "a"), ("b", "b")], [("a", "b"), ("b", "a")]):
        raw = [changes[pair].p for pair in family]
        assert [cells[pair].p for pair in family] == pytest.approx(list(multipletests(raw, method="holm")[1]))
    assert cells["a", "a"].shown
    assert not cells["b", "a"].shown
    assert moved(cells.values()) == [("a", "a")]
    lowered = {pair: Measured(change, -aim) for pair, (change, aim) in aimed.items()}
    assert moved(effect_matrix(lowered)) == [("b", "b")]


def test_values_steered_together_are_tested_each_on_its_side() -> None:
    together = "a:1+b:-1"
    cells = effect_matrix(
        {
            (together, "a"): Measured(change(30, 5), 1),
            (together, "b"): Measured(change(2, 20), -1),
            (together, "c"): Measured(change(12, 3), 0),
        }
    )
    assert [c.on_target for c in cells] == [True, True, False]
    assert moved(cells) == [(together, "a"), (together, "b")]


@pytest.mark.parametrize("n", [48, 100])
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.8, 1.0])
def test_nothing_is_found_where_nothing_moved(n: int, share: float) -> None:
    """Exact chance that any of 90 cells is shown, each of whose items changes with a chance, either way alike."""
    family = 90
    chance = 0.0
    for changed in range(n + 1):
        weight = stats.binom.pmf(changed, n, share)
        if weight > 1e-10:
            ups = [up for up in range(changed + 1) if (change(up, changed - up, n).p or 0.0) < 0.05 / family]
            chance += weight * stats.binom.pmf(ups, changed, 0.5).sum()
    assert 1 - (1 - chance) ** family <= 0.05


def test_nothing_scored_is_not_tested() -> None:
    (cell,) = effect_matrix({("a", "b"): Measured(change(0, 0, 0), 0)})
    assert cell.p is None
    assert not cell.shown


def planted(slope: float, noise: float, seed: int = 0, shift: float = 0.0) -> dict[tuple[str, str], float]:
    rng = np.random.default_rng(seed)
    return {
        (s, m): shift + slope * float(np.cos(np.deg2rad(ANGLES[m] - ANGLES[s]))) + rng.normal(0, noise)
        for s in VALUES
        for m in VALUES
    }


def test_the_slope_is_that_of_a_regression_with_a_constant_for_each_steered_value() -> None:
    changes = planted(0.2, 0.1, seed=1, shift=0.05)
    rows = [(s, ANGLES[m] - ANGLES[s], c) for (s, m), c in changes.items() if s != m]
    dummies = np.array([[float(s == v) for v in VALUES] for s, _, _ in rows])
    radians = np.deg2rad([a for _, a, _ in rows])
    y = np.array([c for _, _, c in rows])
    fit = sm.OLS(y, np.column_stack([np.cos(radians), dummies])).fit()
    both = sm.OLS(y, np.column_stack([np.cos(radians), np.sin(radians), dummies])).fit()
    found = spill_over(changes, ANGLES, draws=99)
    assert found is not None
    assert found.slope == pytest.approx(fit.params[0])
    assert (found.low, found.high) == pytest.approx(tuple(fit.conf_int()[0]))
    assert found.sideways == pytest.approx(both.params[1])
    assert found.general == pytest.approx(y.mean())
    assert found.off_theory == pytest.approx(np.sqrt(np.mean(fit.resid**2)))
    assert found.circular >= found.consistent
    assert found.n == 90


def test_theory_is_told_from_anything_else() -> None:
    theory = spill_over(planted(0.25, 0.05), ANGLES, draws=499)
    other = spill_over(planted(0.0, 0.1), ANGLES, draws=499)
    against = spill_over(planted(-0.25, 0.05), ANGLES, draws=499)
    assert theory is not None
    assert other is not None
    assert against is not None
    assert theory.p <= 0.002
    assert theory.consistent > 0.8
    assert other.p > 0.02
    assert other.consistent < 0.1
    assert against.slope < 0
    assert against.p > 0.9


def test_lowering_turns_the_changes_round() -> None:
    lowered = spill_over({k: -c for k, c in planted(0.2, 0.05).items()}, ANGLES, sign=-1, draws=99)
    raised = spill_over(planted(0.2, 0.05), ANGLES, draws=99)
    assert lowered == raised


def test_too_little_to_fit() -> None:
    assert spill_over({}, ANGLES) is None
    assert spill_over({("power", m): 0.1 for m in VALUES}, ANGLES) is None, "no variance among the changes"
    assert spill_over({("power", "security"): 0.1, ("power", "tradition"): 0.2}, ANGLES) is None


def respondents(n: int, noise: float, seed: int = 0) -> np.ndarray:
    """Each has a preferred place on the circle, a strength of preference and a habit of saying yes."""
    rng = np.random.default_rng(seed)
    places = np.deg2rad([ANGLES[v] for v in VALUES])
    return np.asarray(
        rng.normal(0, 1, (n, 1)) + np.cos(places - rng.uniform(0, 2 * np.pi, (n, 1))) + rng.normal(0, noise, (n, 10))
    )


def test_answers_in_circular_order_are_recognised() -> None:
    found = circle_fit(respondents(300, 0.4), VALUES, ANGLES, draws=39)
    noise = circle_fit(np.random.default_rng(1).normal(size=(300, 10)), VALUES, ANGLES, draws=39)
    assert found is not None
    assert noise is not None
    assert found.disparity < 0.1
    assert found.p == pytest.approx(1 / 40)
    assert noise.disparity > found.disparity
    assert np.hypot(*np.array(list(found.places.values())).T).mean() == pytest.approx(1, abs=0.1)


def test_missing_and_constant_answers() -> None:
    scores = respondents(50, 0.3)
    scores[0, 3] = np.nan
    found = circle_fit(scores, VALUES, ANGLES, draws=3)
    assert found is not None
    assert found.respondents == 49
    flat = np.zeros((20, 10))
    assert circle_fit(flat, VALUES, ANGLES) is None, "nobody prefers anything"
    assert circle_fit(scores[:2], VALUES, ANGLES) is None
