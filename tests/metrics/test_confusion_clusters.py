"""Kappa and F1 with several answers an item: their intervals hold the truth as they do with one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from scipy.stats import binomtest

from valuebench_harness.metrics.confusion import Agreement, Estimate, agreement, cohen_kappa

LABELS = ("yes", "no", "unsure")


def joint(kappa: float, shares: tuple[float, ...]) -> np.ndarray:
    """Chances of people by judge with a known kappa: they agree in that share, and by chance in the rest."""
    return kappa * np.diag(shares) + (1 - kappa) * np.outer(shares, shares)


def draws(
    chances: np.ndarray, items: int, repeats: int, alike: float, trials: int, seed: int = 0
) -> Iterator[Agreement]:
    """In a share ``alike`` of the items all answers have the labels of one."""
    rng, labels = np.random.default_rng(seed), LABELS[: len(chances)]
    names = [f"q{i}" for i in range(items) for _ in range(repeats)]
    for trial in range(trials):
        own = rng.choice(chances.size, (items, repeats), p=chances.ravel())
        cells = np.where(rng.random((items, 1)) < alike, own[:, :1], own).ravel()
        people, judge = ([labels[c] for c in place] for place in np.divmod(cells, len(labels)))
        yield agreement(people, judge, labels, names, seed=trial)


def covered(estimates: list[Estimate], truth: float) -> tuple[float, float]:
    """The simulation's own exact interval of the coverage, over data sets that have a kappa."""
    found = [e.low <= truth <= e.high for e in estimates if e.low is not None and e.high is not None]
    interval = binomtest(sum(found), len(found)).proportion_ci()
    return float(interval.low), float(interval.high)


def f1_of(chances: np.ndarray, label: int) -> float:
    return float(2 * chances[label, label] / (chances[label].sum() + chances[:, label].sum()))


def test_copies_of_answers_tell_nothing_more() -> None:
    """20 items with 5 equal answers each: an interval over answers holds a kappa of .7 in 64% of samples."""
    found = list(draws(joint(0.7, (0.5, 0.5)), 20, 5, 1.0, 200))
    assert covered([a.kappa for a in found], 0.7)[1] >= 0.95
    once = list(draws(joint(0.7, (0.5, 0.5)), 20, 1, 0.0, 200))
    widths = [np.mean([(a.kappa.high or 0) - (a.kappa.low or 0) for a in part]) for part in (found, once)]
    assert widths[0] == pytest.approx(widths[1], rel=0.1), "as wide as with one answer an item"


def test_perfect_agreement_on_copies_counts_an_item_once() -> None:
    people = [label for label in ("yes", "no") * 10 for _ in range(5)]
    many = agreement(people, people, ("yes", "no"), [f"q{n // 5}" for n in range(100)])
    once = agreement(people[::5], people[::5], ("yes", "no"), [f"q{n}" for n in range(20)])
    assert many.kappa.estimate == many.classes["yes"].f1.estimate == 1
    assert (many.kappa.low, many.kappa.high) == pytest.approx((once.kappa.low, once.kappa.high), abs=1e-6)
    wide, narrow = many.classes["yes"].f1.low, once.classes["yes"].f1.low
    assert wide is not None
    assert narrow is not None
    assert narrow - 0.1 < wide < narrow, "a little lower: Student's quantile"


def test_all_answers_to_one_item_say_next_to_nothing() -> None:
    found = agreement(["yes", "no"] * 20, ["yes", "no"] * 20, ("yes", "no"), ["q"] * 40)
    assert found.kappa.low is not None
    assert found.kappa.low < 0


@pytest.mark.slow
@pytest.mark.parametrize("kappa", [0.4, 0.7, 0.95])
@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.8, 0.2), (0.6, 0.3, 0.1)], ids=str)
@pytest.mark.parametrize(
    ("items", "repeats", "alike"),
    [(20, 1, 0), (50, 1, 0), (300, 1, 0), (20, 5, 1), (20, 5, 0.5), (60, 5, 0.7), (48, 10, 0.5), (100, 3, 0.9)],
)
def test_intervals_cover(kappa: float, shares: tuple[float, ...], items: int, repeats: int, alike: float) -> None:
    chances = joint(kappa, shares)
    assert float(cohen_kappa(chances)) == pytest.approx(kappa)
    found = list(draws(chances, items, repeats, alike, 400))
    assert covered([a.kappa for a in found], kappa)[1] >= 0.93
    for place, label in enumerate(LABELS[: len(shares)]):
        assert covered([a.classes[label].f1 for a in found], f1_of(chances, place))[1] >= 0.93
