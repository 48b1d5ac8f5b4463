from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from tests.harness.compare.observed import observed, shares
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.compare.observations import Observations
from valuebench_harness.harness.compare.statistics import difference, metric_of
from valuebench_harness.harness.compare.verdicts import Comparison, MetricVerdict, compare


def _compare(
    first: Observations, second: Observations, *, metrics: tuple[str, ...] | None = None, margin: float = 0.01
) -> Comparison:
    return compare(first, second, names=("a", "b"), metrics=metrics, margin=margin)


def _only(comparison: Comparison) -> MetricVerdict:
    (found,) = comparison.metrics
    return found


def test_a_clear_fall_is_worse_and_the_same_rise_better() -> None:
    high, low = observed(shares(90, 100)), observed(shares(60, 100))
    down, up = _only(_compare(high, low)), _only(_compare(low, high))
    assert (down.verdict, down.down, down.up) == ("worse", 30, 0)
    assert (up.verdict, up.down, up.up) == ("better", 0, 30)
    assert down.estimate == pytest.approx(-0.3)
    assert (down.before, down.after) == (0.9, 0.6)


def test_a_fall_of_side_effects_is_better() -> None:
    big = {"side_effects": {f"+power>security|{i}": [0.5 if i % 3 else -0.1] for i in range(60)}}
    small = {"side_effects": {f"+power>security|{i}": [0.05 if i % 3 else -0.1] for i in range(60)}}
    assert _only(_compare(observed(big), observed(small))).verdict == "better"
    assert _only(_compare(observed(small), observed(big))).verdict == "worse"


def test_a_fall_within_noise_is_not_called_worse_and_says_what_would_be_shown() -> None:
    found = _only(_compare(observed(shares(50, 100)), observed(shares(48, 100))))
    assert found.verdict == "no difference shown"
    assert found.detectable is not None
    assert 0.02 < found.detectable < 0.1


def test_the_same_answers_of_many_items_are_equivalent() -> None:
    found = _only(_compare(observed(shares(300, 1000)), observed(shares(300, 1000))))
    assert found.verdict == "equivalent"


@pytest.mark.parametrize(("down", "up"), [(5, 0), (8, 1), (12, 2), (20, 9)])
def test_without_a_margin_p_is_that_of_the_exact_sign_test(down: int, up: int) -> None:
    before = {f"+power|{i:03}": [float(i >= up)] for i in range(100)}
    after = {f"+power|{i:03}": [float(i < 100 - down)] for i in range(100)}
    found = difference("csr", before, after, margin=0.0)
    exact = binomtest(up, up + down, alternative="less").pvalue
    assert found.p_worse is not None
    # All 2**n sign flips up to 14 items, draws of them above.
    assert found.p_worse == pytest.approx(exact, rel=1e-9 if up + down <= 14 else 0.15)


def test_a_margin_only_ever_raises_p() -> None:
    before, after = shares(60, 100)["csr"], shares(48, 100)["csr"]
    p = [difference("csr", before, after, margin=m).p_worse or 0.0 for m in (0.0, 0.01, 0.05, 0.1, 0.2)]
    assert p == sorted(p)
    assert p[0] < 0.01
    assert p[-1] > 0.5


def test_holm_holds_the_family() -> None:
    """A fall that one metric alone would show is not shown where it is the smallest of many."""
    metrics = {m: shares(60, 100, metric=m)[m] for m in ("csr", "fr", "success", "exam")}
    fallen = {**metrics, "csr": shares(54, 100)["csr"]}
    alone = _compare(observed(metrics), observed(fallen), metrics=("csr",), margin=0.0)
    family = _compare(observed(metrics), observed(fallen), margin=0.0)
    assert alone.regressed
    assert not family.regressed


@pytest.mark.parametrize(
    ("second", "why"),
    [
        (observed(shares(50, 100), words="other"), "the data changed: 100 of 100"),
        (observed(shares(50, 90)), "10 of 100 are gone"),
        (observed(shares(50, 100), judge="openai/x"), "judged by"),
        (observed({"fr": shares(50, 100)["csr"]}), "only the first side"),
    ],
)
def test_other_data_is_never_compared(second: Observations, why: str) -> None:
    comparison = _compare(observed(shares(50, 100)), second, metrics=("csr",))
    assert _only(comparison).verdict == "not comparable"
    assert why in _only(comparison).reason
    assert not comparison.regressed


def test_new_weights_are_said_and_do_not_keep_from_comparing() -> None:
    comparison = _compare(observed(shares(50, 100)), observed(shares(50, 100), revision="bbb"))
    assert comparison.notes == ("The weights of 'mini' changed: aaa to bbb.",)
    assert _only(comparison).verdict != "not comparable"


def test_unscored_items_are_left_out_and_counted() -> None:
    after = shares(50, 100)
    for item in list(after["csr"])[:10]:
        after["csr"][item] = [None]
    found = _only(_compare(observed(shares(50, 100)), observed(after)))
    assert (found.n, found.unscored) == (90, 10)


def test_consistency_without_any_change_is_undefined() -> None:
    still = observed({"consistency": {f"+power|q{i}": [0.0] for i in range(10)}})
    found = _only(_compare(still, still))
    assert (found.estimate, found.verdict) == (None, "no difference shown")


def test_side_effects_are_the_root_mean_square_of_the_values_means() -> None:
    rng = np.random.default_rng(1)
    changes = {v: rng.integers(-1, 2, size=20) for v in ("security", "power", "tradition")}
    outcomes = {f"+hedonism>{v}|{i}": [float(x)] for v, c in changes.items() for i, x in enumerate(c)}
    expected = np.sqrt(np.mean([c.mean() ** 2 for c in changes.values()]))
    assert metric_of("side_effects", outcomes) == pytest.approx(expected)


def test_unknown_metrics_and_senseless_margins_are_refused() -> None:
    run = observed(shares(5, 10))
    with pytest.raises(UsageError, match="Did you mean 'csr'"):
        _compare(run, run, metrics=("cst",))
    with pytest.raises(UsageError, match="Margin 1"):
        _compare(run, run, margin=1.0)


def test_verdicts_that_got_lost_are_no_equality() -> None:
    """A tenth of them may be; what is left of fewer is not the same sample."""
    first = shares(50, 100)
    (metric, outcomes), *_ = first.items()
    for lost, comparable in ((10, True), (11, False), (100, False)):
        after = {item: [None] if n < lost else found for n, (item, found) in enumerate(outcomes.items())}
        found = _only(_compare(observed(first), observed({metric: after})))
        assert (found.verdict != "not comparable") == comparable
        assert comparable or found.reason == f"{lost} of 100 items that had a verdict have none any more"
