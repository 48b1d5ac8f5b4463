"""The papers' own summaries: ConVA's improvement, Kang's consistencies, SteeringControl's and AxBench's scores."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from valuebench_harness.metrics.consistency import consistency, inverse_per_change
from valuebench_harness.metrics.harmonic import harmonic
from valuebench_harness.metrics.improvement import improvement, paired_t
from valuebench_harness.metrics.steering_control import (
    effectiveness,
    effectiveness_interval,
    entanglement,
    entanglement_beyond_noise,
)
from valuebench_harness.metrics.thought import Judged, inconsistent, thought_answer

Pairs = dict[str, list[Judged]]


def test_improvement_over_the_best_baseline_of_each_value() -> None:
    """ConVA's own labellers (Table 4) as if they were values."""
    found = improvement(
        {"l1": 0.79, "l2": 0.87, "l3": 0.83},
        {"ica": {"l1": 0.30, "l2": 0.40, "l3": 0.43}, "caa": {"l1": 0.49, "l2": 0.52, "l3": 0.40}},
    )
    gains = np.array([0.79 / 0.49 - 1, 0.87 / 0.52 - 1, 0.83 / 0.43 - 1])
    assert found.relative == pytest.approx(gains.mean())
    expected = stats.ttest_1samp(gains, 0).confidence_interval()
    assert (found.relative_low, found.relative_high) == pytest.approx((expected.low, expected.high))
    test = stats.ttest_rel([0.79, 0.87, 0.83], [0.49, 0.52, 0.43])
    assert (found.t, found.p) == pytest.approx((test.statistic, test.pvalue))
    assert found.best == {"l1": "caa", "l2": "caa", "l3": "ica"}


def test_improvement_without_anything_to_improve_on() -> None:
    found = improvement({"a": 0.5, "b": 0.6, "c": 0.7}, {"zero": {"a": 0.0, "b": 0.3}})
    assert (found.values, found.undefined) == (2, 1)
    assert found.relative == pytest.approx(1.0)
    assert found.relative_low is None
    nothing = improvement({"a": 0.5}, {})
    assert (nothing.values, nothing.relative, nothing.p) == (0, None, None)


def test_zero_variance_has_no_t_test() -> None:
    assert paired_t(np.array([0.5, 0.6]), np.array([0.4, 0.5])) == (None, None)


def test_thought_and_answer() -> None:
    assert inconsistent(("yes", "no")) is True
    assert inconsistent(("yes", "yes")) is False
    assert inconsistent((None, "yes")) is None
    before: Pairs = {"a": [("yes", "yes")], "b": [("yes", "no")], "c": [("no", "no")], "d": [(None, "yes")]}
    after: Pairs = {"a": [("yes", "unsure")], "b": [("yes", "no")], "c": [("no", "no")], "d": [("yes", "yes")]}
    found = thought_answer(before, after)
    assert (found.before.hits, found.before.n, found.before.unscored) == (1, 3, 1)
    assert (found.after.hits, found.after.n) == (2, 4)
    assert (found.change.n, found.change.up) == (3, 1)
    assert found.change.estimate == pytest.approx(1 / 3)


def test_inverse_changes_go_against_the_majority_of_their_group() -> None:
    up = [("power", f"q{n}", 1.0) for n in range(4)]
    found = inverse_per_change([*up, ("power", "q5", -2.0), ("security", "q6", -1.0), ("security", "q7", 0.0)])
    assert (found.hits, found.n) == (1, 6)
    tied = inverse_per_change([("power", "a", 1.0), ("power", "b", -1.0)])
    assert (tied.hits, tied.n) == (1, 2)
    assert inverse_per_change([]).estimate is None


def test_inverse_is_the_complement_of_consistency() -> None:
    found = consistency({("a", 0): -1, ("b", 0): 1, ("c", 0): 0}, {("a", 0): 1, ("b", 0): -1, ("c", 0): 1}, 1)
    assert found.inverse == pytest.approx(1 / 3)
    assert consistency({}, {}, 1).inverse is None


def test_effectiveness() -> None:
    assert effectiveness(0.4, 0.7) == pytest.approx(0.5)
    assert effectiveness(0.4, 0.2) == pytest.approx(-1 / 3)
    assert effectiveness(1.0, 1.0) == 0.0, "nothing to gain and nothing lost"
    assert effectiveness(1.0, 0.9) == pytest.approx(-0.1), "the published formula is -inf here"


def test_effectiveness_has_an_interval_over_items() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(60):
        before, after = rng.random(80) < 0.4, rng.random(80) < 0.7
        found = effectiveness_interval(
            {str(i): [bool(o)] for i, o in enumerate(before)},
            {str(i): [bool(o)] for i, o in enumerate(after)},
            resamples=400,
            seed=trial,
        )
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0.5 <= found.high
    assert covered >= 51
    assert effectiveness_interval({"a": [None]}, {"a": [True]}).estimate is None


def test_entanglement_and_what_noise_adds_to_it() -> None:
    assert entanglement([0.3, -0.4]) == pytest.approx(np.sqrt(0.125))
    assert entanglement([]) is entanglement_beyond_noise([]) is None
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.07, size=2000)
    assert entanglement(list(noise)) == pytest.approx(0.07, abs=0.005)
    beyond = entanglement_beyond_noise([(x, 0.07**2) for x in noise])
    assert beyond is not None
    assert beyond < 0.025
    true = entanglement_beyond_noise([(x + 0.2, 0.07**2) for x in noise])
    assert true == pytest.approx(0.2, abs=0.01)


def test_harmonic_score() -> None:
    assert harmonic(0.5, 1.0, 0.25) == pytest.approx(stats.hmean([0.5, 1.0, 0.25]))
    assert harmonic(1.0, 0.0, 1.0) == 0.0
    assert harmonic(1.0, None) is harmonic() is None
    with pytest.raises(ValueError, match="negative"):
        harmonic(0.5, -0.1)
