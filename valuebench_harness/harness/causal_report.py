"""``--report causal``: a run's side effects beside what a graph of values foretells of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from valuebench_harness.causal.graph import ValueGraph
from valuebench_harness.causal.graph_files import reference_name
from valuebench_harness.causal.named import HIGHER_ORDER, PLANTED, REFERENCES, named_graph
from valuebench_harness.causal.side_effects import known_values, side_effects
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.family import Family, family_of
from valuebench_harness.harness.records import BASE, Condition
from valuebench_harness.harness.result_statistics import changes_by_pair
from valuebench_harness.harness.results import CausalReport, Results
from valuebench_harness.harness.run import Run
from valuebench_harness.metrics.matrix import effect_matrix

if TYPE_CHECKING:
    from valuebench_harness.harness.plan import Plan

CAUSAL = "causal"


class ReportGraph(NamedTuple):
    """A graph to hold a run against.

    Attributes:
        name: what the report calls it.
        graph: over values of the run's system, or some of them.
    """

    name: str
    graph: ValueGraph


def wants_causal(reports: Collection[str], graph: str | None) -> bool:
    """Whether the report is asked for.

    Raises:
        UsageError: a graph is named for a report that is not.
    """
    if graph is not None and CAUSAL not in reports:
        raise UsageError("--graph names the graph of --report causal: add --report causal.")
    return CAUSAL in reports


def planned_graph(plan: Plan) -> ReportGraph | None:
    """The graph that a plan's run is to be held against; ``None`` where that report is not asked for.

    Raises:
        UsageError: a graph without its report, one that does not exist or is not of these values, or a run that
            will have no side effects to foretell.
    """
    config = plan.config
    if not wants_causal(config.report, config.graph):
        return None
    system = plan.family.data.system.name
    measured = {d.value for d in plan.documents if d.kind == "dilemma" and d.system == system and d.value is not None}
    _check(plan.conditions, measured)
    chosen = _graph(config.graph, plan.family)
    _check_graph(chosen, plan.conditions, measured)
    return chosen


def add_causal_report(run: Run, graph: str | None) -> Run:
    """Holds a stored run against a graph and stores the outcome with its numbers; the model is not needed.

    Args:
        run: with its numbers.
        graph: name or file; ``None`` for the one it was held against before, else the default.

    Raises:
        UsageError: as for :func:`planned_graph`; a run without numbers.
        IncompleteError: the folder cannot be written.
    """
    results, conditions = run.results, list(run.conditions.values())
    measured = {v for r in results.conditions for v in r.side_effects}
    _check(conditions, measured)
    chosen = stored_graph(run.folder) if graph is None else None
    chosen = chosen or _graph(graph, family_of(run.info.config))
    _check_graph(chosen, conditions, measured)
    config = run.info.config.model_copy(update={"report": (CAUSAL,), "graph": graph or run.info.config.graph})
    with run.store.lock():
        run.store.write_text("metrics.json", with_causal_report(results, chosen).model_dump_json(indent=1) + "\n")
        run.store.write_info(run.info.model_copy(update={"config": config}))
    return Run(run.folder)


def stored_graph(folder: Path) -> ReportGraph | None:
    """The graph that a folder's numbers were held against; ``None`` where there is none, or no number to read."""
    with suppress(UsageError):
        found = Run(folder).results.causal
        if found is not None:
            return ReportGraph(found.name, found.graph)
    return None


def with_causal_report(results: Results, chosen: ReportGraph) -> Results:
    """The same numbers, held against a graph, level by level of strength."""
    known = known_values(chosen.graph)
    levels, combined, outside = [], [], []
    for pooled in results.pooled:
        members = [r for r in results.conditions if r.condition.level == pooled.condition.level]
        combined += [r.condition.value for r in members if r.condition.weights]
        singles = [r for r in members if not r.condition.weights]
        outside += [v for r in singles for v in (r.condition.value, *r.side_effects) if v not in known]
        # The rows of combinations as well, though no graph knows them: the correction is that of the run's statistics.
        cells = effect_matrix(changes_by_pair((r.condition, r.side_effects) for r in members))
        levels.append(side_effects(pooled.condition.level, cells, chosen.graph, pooled.condition.sign))
    report = CausalReport(
        name=chosen.name,
        graph=chosen.graph,
        levels=tuple(levels),
        combined=tuple(dict.fromkeys(map(str, combined))),
        outside=tuple(dict.fromkeys(map(str, outside))),
    )
    return results.model_copy(update={"causal": report})


def _graph(name: str | None, family: Family) -> ReportGraph:
    system = family.data.system
    if name is None:
        name = PLANTED if family.is_mini else HIGHER_ORDER
        if name == HIGHER_ORDER and not any(v.groups for v in system.values):
            raise UsageError(
                f"--report causal needs a graph: the values of '{system.name}' have no higher-order values to make one "
                "from. Name one with --graph FILE (docs/causal.md)."
            )
    graph = named_graph(name, system.values, system.ids)
    return ReportGraph(name if name in REFERENCES else reference_name(name), graph)


def _check(conditions: Sequence[Condition], measured: Collection[str]) -> None:
    """Raises ``UsageError`` where a run has no side effects that a graph could foretell."""
    steered = [c for c in conditions if c.id != BASE.id and not c.is_twin]
    if not steered:
        raise UsageError("--report causal is about what steering moves; this run has the unsteered model only.")
    single = [c for c in steered if not c.weights]
    if not single:
        raise UsageError(
            "--report causal: every condition steers several values at once, or one with a weight, so that no graph "
            "can say which of them a change comes from. Steer values one by one (a,b)."
        )
    own = [c for c in single if c.value in measured]
    if not own:
        raise UsageError(
            f"--report causal: '{single[0].value}' is steered, but its dilemmas are not among the tasks (--tasks)."
        )
    if not any(set(measured) - {c.value} for c in own):
        raise UsageError(
            f"--report causal: no value but '{own[0].value}', which is steered, is measured, so there are no side "
            "effects to foretell. Leave --tasks out, or name the tasks of other values as well."
        )


def _check_graph(chosen: ReportGraph, conditions: Sequence[Condition], measured: Collection[str]) -> None:
    """Raises ``UsageError`` where a graph has no value that is steered beside another that is measured."""
    known = set(known_values(chosen.graph)) & set(measured)
    if not any(c.value in known and len(known) > 1 for c in conditions):
        raise UsageError(
            f"--report causal: the graph '{chosen.name}' has no value that is steered and measured beside another that "
            f"is measured. It has: {', '.join(known_values(chosen.graph)) or 'none'}."
        )
