from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from valuebench_harness.metrics.paired_margin import fall_exceeds


def _by_maximisation(down: int, up: int, n: int, margin: float) -> float:
    """The same test with the constrained rates found numerically."""

    def minus_log_likelihood(rises: float) -> float:
        cells = np.array([rises + margin, rises, 1 - 2 * rises - margin])
        counts = np.array([down, up, n - down - up])
        return float(-np.sum(counts[counts > 0] * np.log(np.maximum(cells[counts > 0], 1e-300))))

    found = minimize_scalar(
        minus_log_likelihood, bounds=(1e-12, (1 - margin) / 2), method="bounded", options={"xatol": 1e-12}
    )
    rises = found.x
    falls = rises + margin
    variance = n * (falls + rises - margin**2)
    return float(norm.sf((down - up - n * margin) / np.sqrt(variance)))


@pytest.mark.parametrize("margin", [0.01, 0.05, 0.2])
@pytest.mark.parametrize(("down", "up", "n"), [(7, 0, 100), (12, 2, 100), (3, 9, 40), (25, 20, 480), (1, 0, 10)])
def test_it_is_the_score_test_at_the_constrained_maximum(down: int, up: int, n: int, margin: float) -> None:
    assert fall_exceeds(down, up, n, margin) == pytest.approx(_by_maximisation(down, up, n, margin), rel=1e-3)


def test_without_a_margin_it_is_mcnemars() -> None:
    assert fall_exceeds(15, 5, 100, 0.0) == pytest.approx(norm.sf(10 / np.sqrt(20)))
    assert fall_exceeds(0, 0, 100, 0.0) == 0.5


def test_a_larger_margin_is_harder_to_exceed() -> None:
    p = [fall_exceeds(10, 0, 100, m) for m in (0.0, 0.01, 0.05, 0.1, 0.3)]
    assert p == sorted(p)
    assert fall_exceeds(10, 0, 100, 0.1) == pytest.approx(0.5, abs=0.01)
