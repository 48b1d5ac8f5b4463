"""Control success of a real model, judged by option matching: its interval against the oracle's truth."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.oracle_coverage import MIDDLE, SAMPLES, STEERED, UNSTEERED, Population, coverage, populations
from valuebench_harness.data.grammar.acts import VALUES

LEAST = 0.93
REPEATS = 1_000


def test_the_interval_holds_the_oracles_truth(tmp_path: Path) -> None:
    found = populations(["security"], 48, tmp_path)
    for state in (UNSTEERED, STEERED):
        (population,) = found[state]
        assert [len(answers) for answers in population.judged] == [SAMPLES] * 48
    for n_samples in (1, SAMPLES):
        assert coverage(found[UNSTEERED], n_samples, REPEATS).interval[1] >= LEAST, n_samples


def test_a_judge_that_errs_is_found_out() -> None:
    """The claim could fail: verdicts that lean a tenth to one side lose the truth."""
    honest = tuple((i < 50,) for i in range(100))
    leaning = tuple((i < 60,) for i in range(100))
    assert coverage([Population(0.5, honest)], 1, REPEATS).interval[1] >= LEAST
    assert coverage([Population(0.5, leaning)], 1, REPEATS).interval[1] < LEAST


@pytest.mark.slow
@pytest.mark.parametrize("strength", [MIDDLE, None], ids=["middle", "shipped"])
def test_the_interval_holds_the_oracles_truth_for_every_value(tmp_path: Path, strength: float | None) -> None:
    """At the shipped strengths rates are close to 1, where intervals are hardest."""
    found = populations(VALUES, 96, tmp_path, strength=strength)
    for state in (UNSTEERED, STEERED):
        for n_samples in (1, 2, SAMPLES):
            assert coverage(found[state], n_samples, REPEATS).interval[1] >= LEAST, (state, n_samples)
