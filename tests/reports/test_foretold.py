"""What a report says of a graph that was held against the side effects."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.reports.runs import Spec, write_run
from valuebench_harness.causal.graph import Edge, ValueGraph
from valuebench_harness.harness.causal_report import ReportGraph, with_causal_report
from valuebench_harness.harness.results import Results
from valuebench_harness.harness.run import Run
from valuebench_harness.reports.foretold import foretold
from valuebench_harness.reports.levels import best_level
from valuebench_harness.reports.registry import render
from valuebench_harness.reports.table import Section

ALWAYS = {(v, v): 1.0 for v in ("achievement", "power", "self-direction")}
MOVES = {**ALWAYS, ("power", "achievement"): 1.0, ("achievement", "self-direction"): 1.0}
GRAPH = ValueGraph(
    nodes=("achievement", "power", "self-direction"),
    edges=(
        Edge(source="power", target="achievement", effect=-0.5),
        Edge(source="self-direction", target="power"),
    ),
)


def hold(run: Run, graph: ValueGraph = GRAPH, name: str = "mine") -> Run:
    """The run with its side effects held against a graph, on disk."""
    results = with_causal_report(run.results, ReportGraph(name, graph))
    run.store.write_text("metrics.json", results.model_dump_json() + "\n")
    return Run(run.folder)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Run:
    spec = Spec(per_value=60, effects=MOVES, exam=0, questions=0)
    return hold(write_run(tmp_path_factory.mktemp("told"), spec))


def parts(run: Run) -> list[Section]:
    level = best_level(run.results)
    assert level is not None
    assert run.results.causal is not None
    return list(foretold(run.results.causal, level, several=False, everything=True))


def rows(section: Section) -> dict[str, list[str]]:
    assert section.table is not None
    return {row[0].text: [cell.text for cell in row[1:]] for row in section.table.rows}


def test_every_condition_says_what_was_foretold_and_what_came(told: Run) -> None:
    summary, _ = parts(told)
    found = rows(summary)
    assert [found[v][1:3] for v in ("power", "achievement", "self-direction", "all")] == [
        ["1 of 1", "0 of 1"],
        ["-", "1 of 2"],
        ["0 of 2", "-"],
        ["1 of 3", "1 of 3"],
    ]
    assert found["power"][3].startswith("expected: achievement +")
    assert found["power"][3].endswith(" !")  # the graph has achievement fall
    assert found["achievement"][3].startswith("unexpected: self-direction +")
    assert found["self-direction"][3].startswith("missed: ")


def test_a_miss_stands_beside_what_would_have_been_shown(told: Run) -> None:
    summary, by_value = parts(told)
    assert told.results.causal is not None
    (level,) = told.results.causal.levels
    missed = {o.value: o for c in level.conditions for o in c.of("missed")}
    assert missed
    assert by_value.table is not None
    for other in missed.values():
        assert other.detectable is not None
        size = str(round(100 * other.detectable))
        assert f"({size})" in rows(summary)["self-direction"][3]
        assert [r[8].text for r in by_value.table.rows if r[1].text == other.value and r[9].text == "missed"] == [size]
    assert any("a miss says no more than" in remark for remark in summary.remarks)


def test_a_value_that_did_not_move_itself_is_left_out_of_the_totals(tmp_path: Path) -> None:
    still = {pair: chance for pair, chance in MOVES.items() if pair[0] != "self-direction"}
    summary, _ = parts(hold(write_run(tmp_path, Spec(per_value=60, effects=still, exam=0, questions=0))))
    assert rows(summary)["all"][1:3] == ["1 of 1", "1 of 3"]
    assert any(r.endswith("left out of the totals: self-direction.") for r in summary.remarks)


def test_all_formats_hold_it(told: Run) -> None:
    for form in ("text", "md", "html"):
        shown = " ".join(render(told, form).replace("\\", "").replace("&#39;", "'").split())
        assert "Side effects that the graph 'mine' foretells" in shown
        assert "one by one" in shown or form == "text"
    assert Results.model_validate(json.loads(render(told, "json"))["results"]).causal == told.results.causal
    table = list(csv.DictReader(io.StringIO(render(told, "csv"))))
    found = {(r["value"], r["of"]): r["metric"] for r in table if r["metric"].startswith("causal_") and r["of"]}
    assert found["power", "achievement"] == "causal_expected"
    assert found["achievement", "self-direction"] == "causal_unexpected"
    assert len(found) == 6
    (level,) = told.results.causal.levels if told.results.causal else ()
    assert level.frequencies is not None
    (expected,) = (r for r in table if r["metric"] == "causal_frequency_expected")
    assert float(expected["estimate"]) == level.frequencies.expected.estimate
    assert int(expected["n"]) == level.frequencies.expected.n


def test_a_run_that_was_not_held_against_a_graph_says_nothing(run: Run) -> None:
    assert "foretells" not in render(run, "md")


def test_a_graph_s_name_is_text(tmp_path: Path) -> None:
    run = hold(write_run(tmp_path, Spec(effects=MOVES)), name="<script>x</script>\x1b[31m|*b*")
    assert "<script>x" not in render(run, "html")
    assert "<script>x" not in render(run, "md")
    assert "\x1b[31m" not in render(run, "text")


def test_where_nothing_was_measured_nothing_is_explained(tmp_path: Path) -> None:
    summary, _ = parts(hold(write_run(tmp_path, Spec(effects=MOVES, unscored=1.0, exam=0, questions=0))))
    assert summary.table is None
    assert not any(words in r for r in summary.remarks for words in ("Holm", "Missed", "~", "left out of the totals"))
    assert any("foretells nothing" in line for line in summary.lead)


def test_a_value_without_a_verdict_is_not_marked_as_one_that_stood_still(tmp_path: Path) -> None:
    spec = Spec(per_value=60, effects=MOVES, exam=0, questions=0, silent=lambda _, d: d.value == "self-direction")
    summary, _ = parts(hold(write_run(tmp_path, spec)))
    assert rows(summary)["self-direction"][0] == "-"
    (remark,) = [r for r in summary.remarks if "left out of the totals" in r]
    assert remark.startswith("Not measured, since no item of its own is scored both without and with steering, ")


def test_misses_are_explained_only_where_there_are_any(tmp_path: Path) -> None:
    graph = GRAPH.model_copy(update={"edges": GRAPH.edges[:1]})
    summary, _ = parts(hold(write_run(tmp_path, Spec(per_value=60, effects=MOVES, exam=0, questions=0)), graph))
    assert any("Holm's correction over the 6 changes" in r for r in summary.remarks)
    assert not any("Missed" in r for r in summary.remarks)
