"""What a report says of strengths that were chosen, and of several values steered at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reports.runs import Spec, write_run
from valuebench_harness.harness.results import Results
from valuebench_harness.harness.run import Run
from valuebench_harness.harness.settling import Matched, Trial, Tuned
from valuebench_harness.metrics.rates import Rate, rate
from valuebench_harness.reports.registry import render
from valuebench_harness.reports.settled import settled
from valuebench_harness.reports.table import Section


def share(hits: int, n: int = 20) -> Rate:
    return rate([i < hits for i in range(n)], [str(i) for i in range(n)])


def trial(strength: float, hits: int, layers: tuple[int, ...] | None = None) -> Trial:
    return Trial(strength=strength, layers=layers, success=share(hits), csr=share(hits), fr=share(20))


TUNED = Tuned(
    value="power",
    strength=2.0,
    layers=(3,),
    rule="the rule",
    base=share(4),
    items=tuple(f"power-{n}" for n in range(20)),
    grid=(trial(1.0, 10), trial(2.0, 12), trial(1.0, 15, (3,)), trial(2.0, 19, (3,))),
)
MATCHED = Matched(value="power", strength=1.23456, kl=0.4987, target=0.5, texts=64, tokens=1234)


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return write_run(tmp_path / "run", Spec(values=("power",), exam=0)).results


def texts(section: Section) -> list[list[str]]:
    assert section.table is not None
    return [[cell.text for cell in row] for row in section.table.rows]


def test_a_run_at_given_strengths_says_nothing(results: Results) -> None:
    assert list(settled(results, everything=True)) == []


def test_what_was_tuned_is_told_with_its_items_and_interval(results: Results) -> None:
    found = list(settled(results.model_copy(update={"tuned": (TUNED,)})))
    assert [section.key for section in found] == ["tuned"]
    assert texts(found[0]) == [["power", "2", "3", "20", "95", "76..100", "20", "4"]]
    assert "the rule" in found[0].lead[0]


def test_a_value_that_no_strength_helped_is_named(results: Results) -> None:
    (section,) = settled(results.model_copy(update={"tuned": (TUNED, TUNED.model_copy(update={"base": share(19)}))}))
    assert section.remarks[-1] == "No strength tried did better than no steering for: power."
    (section,) = settled(results.model_copy(update={"tuned": (TUNED,)}))
    assert len(section.remarks) == 1


def test_a_choice_at_the_end_of_the_grid_is_named(results: Results) -> None:
    weakest = TUNED.model_copy(update={"strength": 1.0})
    (section,) = settled(results.model_copy(update={"tuned": (weakest,)}))
    assert section.remarks[-1].endswith("(a weaker one may do as well) for: power.")


def test_everything_shows_the_whole_grid_with_the_choice_marked(results: Results) -> None:
    _, grid = settled(results.model_copy(update={"tuned": (TUNED,)}), everything=True)
    assert [row[:4] for row in texts(grid)] == [
        ["power", "own", "1", "50"],
        ["power", "own", "2", "60"],
        ["power", "3", "1", "75"],
        ["power", "3", "2", "95"],
    ]
    assert grid.table is not None
    assert [row[0].mark for row in grid.table.rows] == ["", "", "", "best"]


def test_what_was_matched_names_the_direction_of_the_divergence(results: Results) -> None:
    (section,) = settled(results.model_copy(update={"matched": (MATCHED,)}))
    assert texts(section) == [["power", "1.235", "0.4987", "0.5", "1,234"]]
    assert "KL(steered || base)" in section.lead[0]
    assert "64 neutral texts" in section.lead[0]


@pytest.mark.parametrize("output", ["text", "md", "html", "json"])
def test_every_format_holds_it(tmp_path: Path, output: str) -> None:
    run = write_run(tmp_path / "run", Spec(values=("power",), exam=0))
    changed = run.results.model_copy(update={"tuned": (TUNED,), "matched": (MATCHED,)})
    (run.folder / "metrics.json").write_text(changed.model_dump_json(), encoding="utf-8")
    shown = render(Run(run.folder), output)
    assert "the rule" in shown
    assert ".4987" in shown, "Markdown writes a leading digit as an entity"
