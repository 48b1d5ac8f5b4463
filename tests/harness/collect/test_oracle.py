"""The oracle against the planted model, computed apart from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats

from tests.harness.collect.conftest import Collect
from valuebench_harness.causal.table import read_table
from valuebench_harness.data.grammar import roles as grammar
from valuebench_harness.data.grammar import scm
from valuebench_harness.harness.collect.oracle import SHIFT


def expected(e: np.ndarray, value: str) -> float:
    """E[yes - no] for an item that speaks for the value, by adaptive integration over normal z."""
    index = scm.INDEX[value]
    effects = np.linalg.inv(np.eye(10) - scm.weight_matrix())
    centre, sd = float(effects[index] @ e), scm.NOISE_SD * float(np.linalg.norm(effects[index]))

    def integrand(z: float) -> float:
        yes, no, _ = scm.stance_probabilities(z, 1)
        return float((yes - no) * stats.norm.pdf(z, centre, sd))

    return float(integrate.quad(integrand, centre - 8 * sd, centre + 8 * sd)[0])


def test_exact_orientations(collected: Collect, tmp_path: Path) -> None:
    steered = {"steerers": ("caa",), "values": ("security",)}
    collected("exact", roles=3, test_roles=0, limit=2, oracle=True, score="probability", seed=4, **steered)
    table = read_table(tmp_path / "exact" / "train.csv")
    people = [None, *grammar.roles(3, seed=4)]
    assert len(table) == 12
    for row, (setting, role) in enumerate(zip(table.settings, table.roles, strict=True)):
        person = people[table.role_names.index(role)]
        e = np.zeros(10) if person is None else person.e()
        if setting:
            e = e + scm.shift("security", SHIFT if ":+" in setting else -SHIFT)
        for column, value in enumerate(table.values):
            assert table.scores[row, column] == pytest.approx(expected(e, value), abs=1e-6)


def test_drawn_answers_scatter_around_the_exact_ones(collected: Collect, tmp_path: Path) -> None:
    common = {"roles": 6, "test_roles": 0, "item_share": 1.0, "oracle": True}
    collected("exact", score="probability", **common)
    collected("drawn", n_samples=12, **common)
    exact, drawn = (read_table(tmp_path / name / "train.csv").scores for name in ("exact", "drawn"))
    # 24 items x 12 answers of variance at most 1 a cell.
    assert np.abs(drawn - exact).max() < 5 / np.sqrt(24 * 12)
    assert abs((drawn - exact).mean()) < 4 / np.sqrt(24 * 12 * exact.size)
