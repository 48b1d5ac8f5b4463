"""A run in words: what was shown, on how many items, and what is not known."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reports.runs import Spec, write_run
from valuebench_harness.harness.records import Condition, Document
from valuebench_harness.harness.results import Effect
from valuebench_harness.harness.run import Run
from valuebench_harness.metrics.paired import paired_change
from valuebench_harness.metrics.rates import rate
from valuebench_harness.reports import story
from valuebench_harness.reports.legends import ON_FEWER
from valuebench_harness.reports.numbers import change_in_words, counted, on_fewer
from valuebench_harness.reports.registry import render

SCORED = "scored on both sides"


def effect(before: list[list[bool | None]], after: list[list[bool | None]]) -> Effect:
    """An effect of answers by item."""
    sides = [{str(i): found for i, found in enumerate(side)} for side in (before, after)]
    rates = [rate([o for f in s.values() for o in f], [i for i, f in s.items() for _ in f]) for s in sides]
    return Effect(before=rates[0], after=rates[1], change=paired_change(sides[0], sides[1]))


def words(found: Effect) -> str:
    return change_in_words(found.change, found.before, found.after)


def steered_late(condition: Condition, document: Document) -> bool:
    """Only a third of the steered answers, and of the base's all but a few, have a verdict."""
    number = int(document.id.rpartition("/")[2])
    return number % 3 != 0 if condition.value else number % 8 == 0


@pytest.fixture(scope="module")
def partly(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return write_run(tmp_path_factory.mktemp("partly"), Spec(per_value=24, silent=steered_late))


def test_a_change_of_fewer_items_than_its_rates_says_of_how_many() -> None:
    """57% of 7 answers and 100% of 3: the three items were all hits before, and did not change at all."""
    found = effect([[True]] * 4 + [[False]] * 3, [[True]] * 3 + [[None]] * 4)
    assert (found.before.n, found.after.n, found.change.n) == (7, 3, 3)
    assert words(found).startswith("0 points on the 3 items scored on both sides, 95% interval")
    one = effect([[True], [False]], [[True], [None]])
    assert words(one).startswith("0 points on the 1 item scored on both sides")


def test_a_change_of_the_very_answers_of_its_rates_says_nothing_of_them() -> None:
    for hidden in ([], [[None]] * 5):
        found = effect([[True], [False], *hidden], [[True], [True], *hidden])
        assert not on_fewer(found.change, found.before, found.after)
        assert words(found).startswith("+50 points, 95% interval")


def test_items_that_lost_some_of_their_answers_are_told_as_well() -> None:
    """Rates weigh answers and changes items: 4 of 5 to 2 of 5, but a mean change of -0.5 over two items."""
    before: list[list[bool | None]] = [[True, True, True, True], [False, None, None, None]]
    after: list[list[bool | None]] = [[True, None, None, None], [False, False, False, True]]
    found = effect(before, after)
    assert (found.before.estimate, found.after.estimate, found.change.estimate) == (0.8, 0.4, 0.125)
    assert f"on the 2 items {SCORED}" in words(found)


def test_the_headline_does_not_contradict_itself(partly: Run) -> None:
    csr = partly.results.pooled[0].csr
    assert csr is not None
    assert csr.change.estimate is not None
    assert csr.after.estimate is not None
    assert csr.before.estimate is not None
    assert round(100 * (csr.after.estimate - csr.before.estimate)) != round(100 * csr.change.estimate)
    part = f"{100 * csr.change.estimate:+.0f} points on the {csr.change.n} items {SCORED}"
    assert part in story.verdict(partly)
    for output in ("text", "md", "html"):
        assert part.replace("+", "") in " ".join(render(partly, output).replace("+", "").split()), output


def test_tables_say_so_where_changes_are_of_fewer_items(partly: Run, run: Run) -> None:
    for output in ("text", "md", "html"):
        assert " ".join(render(partly, output).split()).count(ON_FEWER) == 1, output
        assert ON_FEWER not in " ".join(render(run, output).split()), output
    assert SCORED not in story.verdict(run)


def test_a_rise_is_not_told_as_one_from_a_higher_rate_to_a_lower() -> None:
    """Of 20 items scored on both sides all rose; 80 hits without steering are unscored with it."""
    found = effect([[False]] * 20 + [[True]] * 80 + [[None]] * 40, [[True]] * 20 + [[None]] * 80 + [[False]] * 40)
    assert story._moved(found, "power").startswith(
        "rose over power: 80% to 33% (+100 points on the 20 items scored on both sides, 95% interval "
    )
    plain = effect([[False]] * 20, [[True]] * 20)
    assert story._moved(plain, "power").startswith("rose from 0% to 100% over power (+100 points, 95% interval ")


def test_fluency_and_exam_say_of_how_many_items_too(partly: Run) -> None:
    assert story._from_to(effect([[True]] * 40, [[False]] * 40)) == "100% → 0%"
    assert story._from_to(effect([[True]] * 9, [[True]] * 9)) == "100% → 100% (no change shown)"
    some = effect([[True]] * 40, [[False]] * 30 + [[None]] * 10)
    assert story._from_to(some) == f"100% → 0% (-100 points on the 30 items {SCORED})"
    assert story._from_to(effect([[True]] * 2, [[True], [None]])).endswith(f"(no change shown on the 1 item {SCORED})")


def test_what_is_not_scored_is_not_known() -> None:
    hidden, hits, base = [[None]] * 4, [[True]] * 4, [[True], [False]] * 2
    assert story._from_to(effect(hidden, hidden)) == "is not known"
    assert story._from_to(effect(hidden, hits)) == "is 100% with steering, and not known without"
    moved = story._moved(effect(hits, hidden), "power")
    assert moved == "is not known over power: none of 4 answers with steering is scored"
    moved = story._moved(effect([*hidden, *base], [*hits, *hidden]), "2 values")
    assert moved.startswith("is 50% without and 100% with steering over 2 values (4 of 8 unscored, so it ")
    assert moved.endswith(f"but its change is not known: no item {SCORED}")


def test_a_run_without_fluency_verdicts_shows_no_arrow(folder: Path) -> None:
    run = write_run(folder, Spec())
    pooled = run.results.pooled[0].model_copy(update={"fr": effect([[None]], [[None]])})
    run.store.write_text("metrics.json", run.results.model_copy(update={"pooled": (pooled,)}).model_dump_json() + "\n")
    assert "fluency is not known;" in story.verdict(Run(folder))
    assert "not known</dd>" in render(Run(folder), "html")
    assert "fluency - → -" not in render(Run(folder), "text")


def test_a_strength_is_the_best_only_where_another_is_worse(folder: Path, levels: Run) -> None:
    assert "the best of 3" in story.verdict(levels)
    nothing = write_run(folder, Spec(levels=(1.0, 2.0), unscored=1.0))
    assert story.verdict(nothing).startswith("At strength 1, the first of 2, none better, control success is not known")


def test_of_strengths_without_success_one_that_is_known_is_told(folder: Path) -> None:
    lost = {("power", "power"): 0.0}
    late = Spec(values=("power",), levels=(1.0, 2.0), effects=lost, silent=lambda c, _: c.strength == 1.0)
    assert story.verdict(write_run(folder, late)).startswith(
        "At strength 2, the first of 2 strengths that has a scored answer, control success"
    )


def test_an_unsteered_run_begins_with_what_its_dilemmas_tell(folder: Path, tmp_path: Path, base_only: Run) -> None:
    assert story.verdict(base_only).startswith("Unsteered, the model acts for the value in ")
    assert "of the dilemmas of 3 values;" in story.verdict(base_only)
    spec = Spec(levels=(), steerer="base", unscored=1.0, per_value=4)
    text = story.verdict(write_run(folder, spec))
    assert text.startswith(
        "Unsteered, the model is not known to act for or against any value: of 12 dilemma answers none is scored; "
        "fluency is at least "
    )
    one = Spec(levels=(), steerer="base", values=("power", "security"), silent=lambda _, d: d.value == "security")
    text = story.verdict(write_run(tmp_path / "one", one))
    assert "% of the dilemmas of power (1 more without a scored answer);" in text
    assert "% to " not in text.partition(" of the dilemmas")[0]


def test_one_of_a_kind_is_told_in_the_singular(folder: Path) -> None:
    assert [counted(n, "item") for n in (0, 1, 2, 1200)] == ["0 items", "1 item", "2 items", "1,200 items"]
    run = write_run(folder, Spec(values=("power",), per_value=1, silent=lambda c, _: c.value is not None))
    assert "1 dilemma answer a strength" in story.setting(run)
    assert story.warnings(run)[0].startswith(f"{run.results.unscored} of ")
    base = run.results.model_copy(update={"unscored": 1, "verdicts": 1, "unscored_reasons": {"none": 1}})
    run.store.write_text("metrics.json", base.model_dump_json() + "\n")
    assert story.warnings(Run(folder))[0] == "1 of 1 verdict (100%) is unscored: 1 x none."
