"""How often the gate is wrong, on real samples of the built-in model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from tests.harness.compare.observed import observed
from valuebench_harness import evaluate
from valuebench_harness.harness.compare.observations import Observations, Outcomes, observe
from valuebench_harness.harness.compare.verdicts import compare

METRICS = ("csr", "fr", "exam", "side_effects")
SESSIONS = 1_000


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Observations:
    """Eight answers an item, sampled at temperature 1, at a strength that leaves room for change."""
    folder: Path = tmp_path_factory.mktemp("gate") / "run"
    return observe(
        evaluate("mini", "caa", out=folder, values=("security", "power"), strength=(0.4,), n_samples=8, limit=16)
    )


def _rerun(rng: np.random.Generator, outcomes: Outcomes, answers: int) -> Outcomes:
    """What the same model might have said: answers drawn from those it did say."""
    return {
        item: [found[i] for i in rng.integers(len(found), size=min(answers, len(found)))]
        for item, found in outcomes.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("answers", [1, 4])
def test_an_unchanged_model_seldom_fails_a_session(sampled: Observations, answers: int) -> None:
    rng = np.random.default_rng(answers)
    alarms = 0
    for _ in range(SESSIONS):
        first, second = (observed({m: _rerun(rng, sampled.outcomes[m], answers) for m in METRICS}) for _ in range(2))
        alarms += bool(compare(first, second, names=("a", "b")).regressed)
    assert binomtest(alarms, SESSIONS).proportion_ci(method="wilson").low <= 0.05


@pytest.mark.parametrize(("down", "up"), [(10, 0), (11, 1), (12, 2)])
def test_a_fall_of_ten_points_in_a_hundred_greedy_answers_is_seen(down: int, up: int) -> None:
    """Four gates, three of which saw no change; the fall is net, with up to 14 discordant pairs."""
    n = 100
    before = {f"+power|{i:03}": [float(i >= up + 5)] for i in range(n)}
    after = {f"+power|{i:03}": [float((i < up or i >= up + 5) and i < n - down)] for i in range(n)}
    still = {m: {f"+power|{i:03}": [1.0] for i in range(n)} for m in ("fr", "exam", "success")}
    comparison = compare(observed({"csr": before, **still}), observed({"csr": after, **still}), names=("a", "b"))
    assert [m.metric for m in comparison.regressed] == ["csr"]


def test_a_true_fall_of_ten_points_is_seen_four_times_in_five() -> None:
    rng = np.random.default_rng(0)
    seen = 0
    for _ in range(300):
        falls = rng.random(100) < 0.1
        before = {f"+power|{i:03}": [1.0] for i in range(100)}
        after = {f"+power|{i:03}": [float(not falls[i])] for i in range(100)}
        still = dict.fromkeys(("fr", "exam", "success"), before)
        comparison = compare(observed({"csr": before, **still}), observed({"csr": after, **still}), names=("a", "b"))
        seen += bool(comparison.regressed)
    assert binomtest(seen, 300).proportion_ci(method="wilson").low >= 0.8
