"""The intervals and the table of the model card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from valuebench_harness.errors import UsageError
from valuebench_harness.mini.figures import Figure, bootstrap, markdown_table, share
from valuebench_harness.mini.measure import BEGIN, END, fill_card


def figure(met: bool = True) -> Figure:
    return Figure(id="x", property="p", goal=">= 1", trial="-", result="0.5 [0.4, 0.6]", met=met, data={})


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (7, 10), (479, 480)])
def test_a_share_carries_wilsons_interval(hits: int, n: int) -> None:
    estimate = share([True] * hits + [False] * (n - hits))
    assert (estimate.low, estimate.high) == pytest.approx(proportion_confint(hits, n, method="wilson"), abs=1e-9)
    assert (estimate.estimate, estimate.n) == (hits / n, n)


def test_the_bootstrap_of_a_mean_is_near_its_normal_interval() -> None:
    x = np.random.default_rng(0).normal(2, 1, 400)
    estimate = bootstrap(len(x), lambda drawn: float(x[drawn].mean()))
    half = 1.96 * x.std(ddof=1) / 20
    assert estimate.estimate == pytest.approx(x.mean())
    assert (estimate.low, estimate.high) == pytest.approx((x.mean() - half, x.mean() + half), abs=0.02)


def test_the_table_goes_between_the_marks_and_replaces_an_older_one(tmp_path: Path) -> None:
    card = tmp_path / "MODEL_CARD.md"
    card.write_text(f"before\n{BEGIN}\n{END}\nafter\n")
    fill_card(card, markdown_table([figure(met=False)]))
    fill_card(card, markdown_table([figure()]))
    text = card.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "**no**" not in text
    assert "| p | >= 1 | - | 0.5 [0.4, 0.6] | yes |" in text


def test_a_card_without_marks_is_refused(tmp_path: Path) -> None:
    card = tmp_path / "MODEL_CARD.md"
    card.write_text("nothing here\n")
    with pytest.raises(UsageError, match="lacks the marks"):
        fill_card(card, "| |")
