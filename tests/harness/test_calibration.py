"""A judge held against people: answers to one item are alike, those without a label as well."""

from __future__ import annotations

import pytest

from tests.reports.runs import Spec, write_run
from valuebench_harness.harness.calibration import Calibration, GroupRate, calibrate
from valuebench_harness.harness.label_sample import judged_answers
from valuebench_harness.harness.run import Run
from valuebench_harness.judges.labels import Labels
from valuebench_harness.metrics.confusion import Estimate, agreement
from valuebench_harness.metrics.rates import rate

VALUES = ("achievement", "benevolence", "conformity", "hedonism", "power", "security", "self-direction", "universalism")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Eight items with 40 steered answers each, all of them on one side: five items are won, three lost."""
    return write_run(
        tmp_path_factory.mktemp("runs") / "run",
        Spec(
            values=VALUES,
            per_value=1,
            repeats=40,
            levels=(2.0,),
            exam=0,
            questions=0,
            effects={(v, v): float(n < 5) for n, v in enumerate(VALUES)},
            texts=[f"Answer {n}." for n in range(60)],
        ),
    )


def calibrated(run: Run, *, every: int, wrong: str = "") -> Calibration:
    """Labels on every so many-th text by ann, who agrees with the judge, and by bob, who does not on one item."""
    found = {j.id: j for j in judged_answers(run, "dilemma")}
    given: dict[str, dict[str, str]] = {}
    for name in sorted(found)[::every]:
        label = str(found[name].answer.verdicts["csr"].label)
        other = {"yes": "no", "no": "yes"}[label]
        bob = other if found[name].answer.document.id == wrong else label
        given[name] = {"ann": label, "bob": bob} if wrong else {"ann": label}
    return calibrate(run, Labels(("ann", "bob") if wrong else ("ann",), {"csr": given}))


def steered(found: Calibration) -> GroupRate:
    (question,) = found.questions
    return question.rates[1]


def width(found: Estimate) -> float:
    assert found.low is not None
    assert found.high is not None
    return found.high - found.low


def test_a_few_labels_tell_no_more_than_the_runs_own_items(run: Run) -> None:
    group = steered(calibrated(run, every=3))
    found = group.corrected
    assert (found.answers, found.items) == (320, 8)
    aimed = [(a.aimed, a.document.id) for a in run.answers() if a.condition.value == a.document.value]
    whole = rate([hit for hit, _ in aimed], [name for _, name in aimed])
    assert whole.n == 320
    assert found.estimate == pytest.approx(5 / 8)
    assert whole.low is not None
    assert whole.high is not None
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low > 0.9 * (whole.high - whole.low) > 0.5
    assert group.change is not None
    assert width(group.change) > 0.5, "the base's answers are to the same eight items"
    assert group.needed is None, "no label brings more items"


def test_kappa_of_raters_counts_items(run: Run) -> None:
    """Bob is wrong on one item of eight, with all its answers."""
    wrong = next(j.answer.document.id for j in judged_answers(run, "dilemma") if j.group != "base")
    found = calibrated(run, every=1, wrong=wrong)
    pair = found.questions[0].pairs["ann / bob"]
    texts = {j.id: j for j in judged_answers(run, "dilemma")}
    said = [str(j.answer.verdicts["csr"].label) for j in texts.values()]
    items = [j.answer.document.id for j in texts.values()]
    bob = [{"yes": "no", "no": "yes"}[x] if i == wrong else x for x, i in zip(said, items, strict=True)]
    alone = agreement(said, bob, ("yes", "no"), list(texts)).kappa
    assert pair.estimate == pytest.approx(alone.estimate)
    assert width(pair) > 2 * width(alone)
