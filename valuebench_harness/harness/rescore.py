"""Judging the answers of a run again, without the model."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from valuebench_harness.errors import UsageError
from valuebench_harness.harness.cache import Cache
from valuebench_harness.harness.causal_report import stored_graph, with_causal_report
from valuebench_harness.harness.family import family_of
from valuebench_harness.harness.judging import check_judge, judge_all, judge_items
from valuebench_harness.harness.progress import Reporter
from valuebench_harness.harness.run import Run
from valuebench_harness.harness.scoring import Scorer
from valuebench_harness.judges.base import RuleJudge
from valuebench_harness.judges.registry import make_judge


def rescore(run: Run, judge_name: str, settings: Mapping[str, Any], *, report: Reporter) -> Run:
    """Judges every answer with another judge and writes the run's numbers anew.

    Verdicts of earlier judges stay in the run, and what this judge said before is not asked again, unless it was
    left unscored.

    Args:
        run: whose answers are complete.
        judge_name: of the judge.
        settings: of it.
        report: shows progress.

    Returns:
        The run with its new numbers.

    Raises:
        UsageError: for an unknown judge or setting, or a run whose answers are not complete.
        IncompleteError: where the judge stopped half-way; verdicts so far are kept.
    """
    store = run.store
    if run.info.status == "planned":
        raise UsageError(f"{run.folder} has no answers yet: finish it with its 'vharness eval' command and --resume.")
    judge = make_judge(judge_name, settings)
    check_judge(judge)
    system = family_of(run.info.config).data.system
    with store.lock():
        identity = judge.identity
        verdicts = store.verdicts(identity)
        done = {at for at, v in verdicts.items() if v.label is not None or isinstance(judge, RuleJudge)}
        items = judge_items(list(run.samples.values()), run.documents, system)
        todo = [(key, item) for key, item in items if (key, item.asks) not in done]
        start = time.perf_counter()
        with store.verdicts_writer() as writer, report.stage("verdicts", len(todo), "verdicts") as advance:
            judge_all(todo, judge=judge, cache=Cache(), writer=writer, advance=advance)
        seconds = {**run.info.seconds, "judge": round(time.perf_counter() - start, 3)}
        foreign = run.folder / "lm_eval.json"
        scorer = Scorer(
            system=system.name,
            conditions=list(run.conditions.values()),
            documents=run.documents,
            samples=list(run.samples.values()),
            verdicts=store.verdicts(identity),
            angles={v.id: v.angle for v in system.values if v.angle is not None},
        )
        results = scorer.results(
            judge=identity,
            fits=run.info.fits,
            generate_seconds=run.info.seconds.get("generate", 0.0),
            lm_eval=json.loads(foreign.read_text(encoding="utf-8")) if foreign.is_file() else None,
        )
        if (run.folder / "metrics.json").is_file():
            results = results.model_copy(update={"tuned": run.results.tuned, "matched": run.results.matched})
        if (graph := stored_graph(run.folder)) is not None:
            results = with_causal_report(results, graph)
        store.write_text("metrics.json", results.model_dump_json(indent=1) + "\n")
        config = run.info.config.model_copy(update={"judge": judge_name, "judge_settings": _plain(settings)})
        store.write_info(
            run.info.model_copy(update={"judge": identity, "config": config, "seconds": seconds, "status": "complete"})
        )
    return Run(run.folder)


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as a run records them: paths as text."""
    return {k: [str(x) for x in v] if isinstance(v, list | tuple) else v for k, v in settings.items()}
