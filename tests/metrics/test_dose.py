"""Dose-response curves: the fit against scikit-learn, and whether the strengths read off them are right."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from statsmodels.stats.proportion import proportion_confint

from valuebench_harness.metrics.dose import DoseResponse
from valuebench_harness.metrics.paired import Outcomes

STRENGTHS = (0.0, 1.0, 2.0, 3.0, 4.0)


def outcomes(hits: np.ndarray) -> Outcomes:
    return {str(i): [bool(hit)] for i, hit in enumerate(hits)}


def responses(rng: np.random.Generator, rates: tuple[float, ...], items: int = 120) -> list[Outcomes]:
    """The same items at each strength; an item once moved stays moved."""
    hard = rng.random(items)
    return [outcomes(hard < rate) for rate in rates]


def test_the_fit_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    found = [outcomes(rng.random(50) < p) for p in (0.4, 0.5, 0.45, 0.8, 0.7)]
    dose = DoseResponse(STRENGTHS, found, resamples=50)
    assert dose.fit == pytest.approx(IsotonicRegression().fit_transform(STRENGTHS, dose.raw))
    falling = DoseResponse(STRENGTHS, found, increasing=False, resamples=50)
    assert falling.fit == pytest.approx(IsotonicRegression(increasing=False).fit_transform(STRENGTHS, dose.raw))
    assert (dose.low <= dose.fit + 1e-12).all()
    assert (dose.fit <= dose.high + 1e-12).all()


def test_the_strength_for_an_effect_is_read_off_with_an_interval() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for trial in range(200):
        dose = DoseResponse(STRENGTHS, responses(rng, (0.4, 0.5, 0.6, 0.7, 0.8)), resamples=200, seed=trial)
        found = dose.strength_for(0.65)
        assert found is not None
        assert found.estimate is not None
        assert found.low is not None
        covered += found.low <= 2.5 <= (found.high if found.high is not None else np.inf)
    assert covered >= 180


def test_an_effect_that_is_never_reached() -> None:
    dose = DoseResponse(STRENGTHS, responses(np.random.default_rng(2), (0.2, 0.3, 0.3, 0.4, 0.4)), resamples=100)
    found = dose.strength_for(0.95)
    assert found is not None
    assert (found.estimate, found.high) == (None, None)
    at_once = dose.strength_for(0.0)
    assert at_once is not None
    assert at_once.estimate == 0.0


def test_a_response_without_a_failure_is_still_uncertain() -> None:
    dose = DoseResponse((0.0, 1.0), [outcomes(np.full(48, False)), outcomes(np.full(48, True))])
    assert dose.fit.tolist() == [0.0, 1.0]
    low, high = proportion_confint(48, 48, method="wilson")
    assert (dose.low[1], dose.high[1]) == pytest.approx((low, high), abs=0.03)


def test_where_fluency_breaks() -> None:
    rng = np.random.default_rng(3)
    steady = DoseResponse(STRENGTHS, responses(rng, (1.0,) * 5), increasing=False, resamples=100)
    found = steady.strength_for_change(0.05)
    assert found is not None
    assert found.estimate is None
    broken = DoseResponse(STRENGTHS, responses(rng, (1.0, 1.0, 0.98, 0.5, 0.1), 400), increasing=False, resamples=100)
    found = broken.strength_for_change(0.05)
    assert found is not None
    assert found.estimate is not None
    assert 2.0 < found.estimate < 2.3


def test_where_fluency_breaks_is_told_from_its_own_start() -> None:
    """The base's error is part of the interval, and the base does not lie below itself."""
    true = (0.85, 0.85, 0.84, 0.6)
    held = 0
    for seed in range(40):
        hard = np.random.default_rng(seed).random(100)
        dose = DoseResponse((0.0, 1.0, 2.0, 3.0), [outcomes(hard < p) for p in true], increasing=False, resamples=200)
        found = dose.strength_for_change(0.05)
        assert found is not None
        assert found.low is not None
        assert found.low > 0.0
        held += found.low <= 2 + 4 / 24 <= (found.high if found.high is not None else np.inf)
    assert held >= 36


def test_a_response_that_turns_round_is_told() -> None:
    """Too strong: no option is picked any more."""
    rng = np.random.default_rng(4)
    dose = DoseResponse(STRENGTHS, responses(rng, (0.3, 0.6, 0.9, 0.5, 0.2), 400), resamples=50)
    assert dose.reversal == pytest.approx(0.7, abs=0.08)
    assert (np.diff(dose.fit) >= -1e-12).all()
    assert DoseResponse(STRENGTHS, responses(rng, (0.1, 0.2, 0.3, 0.4, 0.5)), resamples=50).reversal == 0.0


def test_unscored_answers_leave_gaps() -> None:
    found = responses(np.random.default_rng(5), (0.2, 0.4, 0.6, 0.8, 0.9), 60)
    silent: Outcomes = {name: [None] for name in found[2]}
    dose = DoseResponse(STRENGTHS, [found[0], found[1], silent, found[3], found[4]], resamples=50)
    assert np.isnan(dose.raw[2])
    assert np.isnan(dose.fit[2])
    crossing = dose.strength_for(0.5)
    assert crossing is not None
    assert crossing.estimate is not None
    assert 1.0 < crossing.estimate < 3.0


def test_curves_that_are_none() -> None:
    one: Outcomes = {"a": [True]}
    for strengths, found in [((1.0,), [one]), ((1.0, 1.0), [one, one]), ((0.0, 1.0), [one])]:
        with pytest.raises(ValueError, match="rise"):
            DoseResponse(strengths, found)
    with pytest.raises(ValueError, match="every strength"):
        DoseResponse((0.0, 1.0), [one, {"b": [True]}])


def test_where_nothing_was_scored_nothing_is_known() -> None:
    silent: Outcomes = {str(i): [None] for i in range(20)}
    dose = DoseResponse((0.0, 1.0, 2.0), [silent] * 3, resamples=20)
    assert (dose.reversal, dose.strength_for(0.8), dose.strength_for_change(0.05)) == (None, None, None)
    # Only the base is silent: there is nothing that fluency could have fallen from.
    spoken = outcomes(np.arange(20) < 15)
    dose = DoseResponse((0.0, 1.0, 2.0), [silent, spoken, spoken], increasing=False, resamples=20)
    assert dose.strength_for_change(0.05) is None
    assert dose.reversal == 0.0
