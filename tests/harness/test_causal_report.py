"""``--report causal`` on stored runs: which graph, on what numbers, and that it stays with the run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.reports.runs import Spec, write_run
from valuebench_harness.causal.graph import from_pairs
from valuebench_harness.causal.graph_files import write_graph
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.causal_report import add_causal_report, planned_graph
from valuebench_harness.harness.config import make_config
from valuebench_harness.harness.plan import make_plan
from valuebench_harness.harness.progress import Reporter
from valuebench_harness.harness.rescore import rescore
from valuebench_harness.harness.results import CausalReport
from valuebench_harness.harness.run import Run, load_run

MOVES = {("power", "power"): 1.0, ("power", "achievement"): 1.0, ("achievement", "achievement"): 1.0}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Steering power moves achievement along; two strengths."""
    monkeypatch.setenv("VHARNESS_HOME", str(tmp_path / "home"))
    spec = Spec(per_value=60, levels=(1.0, 2.0), effects=MOVES, exam=0, questions=0, unscored=0.05)
    return write_run(tmp_path / "run", spec)


def held(run: Run) -> CausalReport:
    assert run.results.causal is not None
    return run.results.causal


def test_its_numbers_are_those_of_the_run(run: Run) -> None:
    causal = held(add_causal_report(run, "planted"))
    assert [level.level for level in causal.levels] == [0, 1]
    for level, pooled in zip(causal.levels, run.results.pooled, strict=True):
        moved = [o for c in level.conditions for o in c.of("expected", "unexpected")]
        assert len(moved) == pooled.statistics.elsewhere
        assert level.tests == pooled.statistics.elsewhere_of == 6
        assert tuple((c.value, c.value) for c in level.conditions if c.moved) == pooled.statistics.moved
        assert level.unscored == sum(o.change.unscored for c in level.conditions if c.moved for o in c.others) > 0
        by_value = {r.condition.value: r for r in run.results.conditions if r.condition.level == level.level}
        assert all(o.change == by_value[c.value].side_effects[o.value] for c in level.conditions for o in c.others)
    (power,) = (c for c in causal.levels[0].conditions if c.value == "power")
    # mini's graph has achievement --> power, not the other way round
    assert {o.value: o.verdict for o in power.others} == {"achievement": "unexpected", "self-direction": "still"}


def test_it_stays_with_the_run(run: Run, tmp_path: Path) -> None:
    """Through a second report without a graph, and another judge's verdicts, also where the graph's file is gone."""
    path = tmp_path / "mine.json"
    write_graph(from_pairs(("Power", "Achievement"), [("Power", "Achievement")]), path)
    first = held(add_causal_report(run, str(path)))
    assert (first.name, first.outside) == ("mine", ("self-direction",))
    assert load_run(run.folder).info.config.report == ("causal",)
    path.unlink()
    assert held(add_causal_report(load_run(run.folder), None)) == first
    again = rescore(load_run(run.folder), "option-match", {}, report=Reporter(quiet=True))
    assert held(again).graph == first.graph
    assert [c.change for level in held(again).levels for c in level.conditions] == [
        r.side_effects[str(r.condition.value)]
        for level in (0, 1)
        for r in again.results.conditions
        if r.condition.level == level and r.condition.value in {"power", "achievement"}
    ]


@pytest.mark.parametrize(("model", "name"), [("mini", "planted"), ("gpt2", "higher-order")])
def test_the_graph_by_default(model: str, name: str) -> None:
    plan = make_plan(make_config(model=model, steerer="ica", limit=1, report="causal"))
    chosen = planned_graph(plan)
    assert chosen is not None
    assert chosen.name == name
    assert set(chosen.graph.nodes) == set(plan.family.data.system.ids)
    assert planned_graph(make_plan(make_config(model=model, steerer="ica", limit=1))) is None


def test_combined_values_are_left_out_and_named() -> None:
    both = make_config(steerer="conva", values=("power+security", "hedonism"), limit=1, report=("causal",))
    assert planned_graph(make_plan(both)) is not None
    combined = both.model_copy(update={"values": ("power+security",)})
    with pytest.raises(UsageError, match="every condition steers several values at once"):
        planned_graph(make_plan(combined))


def test_values_without_higher_order_values_need_a_graph(tmp_path: Path) -> None:
    system = tmp_path / "own.yaml"
    (tmp_path / "items" / "dilemmas").mkdir(parents=True)
    system.write_text("name: own\ndata: ./items\nvalues: {honesty: {}, thrift: {}}\n", encoding="utf-8")
    for value in ("honesty", "thrift"):
        item = {"id": f"{value}/1", "value": value, "scene": "work", "question": "Q?", "options": ["a", "b"]}
        line = json.dumps({**item, "favours": 0}) + "\n"
        (tmp_path / "items" / "dilemmas" / f"{value}.jsonl").write_text(line, encoding="utf-8")
    config = make_config(model="gpt2", steerer="ica", value_system=str(system), report="causal")
    with pytest.raises(UsageError, match=r"'own' have no higher-order values .* --graph FILE"):
        planned_graph(make_plan(config))
