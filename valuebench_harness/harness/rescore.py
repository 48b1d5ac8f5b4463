"""Judging the answers of a run again, without the model."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from valuebench_harness.causal.graph import ValueGraph
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.cache import Cache
from valuebench_harness.harness.causal_report import ReportGraph, with_causal_report
from valuebench_harness.harness.family import family_of
from valuebench_harness.harness.judging import check_judge, judge_all, judge_items
from valuebench_harness.harness.progress import Reporter
from valuebench_harness.harness.run import Run
from valuebench_harness.harness.scoring import LmEval, Scorer
from valuebench_harness.harness.settling import Matched, Tuned
from valuebench_harness.judges.base import RuleJudge
from valuebench_harness.judges.registry import make_judge


class _Graph(BaseModel):
    """The graph that a run's side effects were held against."""

    name: str
    graph: ValueGraph


class _Kept(BaseModel):
    """What a run's numbers hold that its answers do not; all else is made anew, and need not even be readable.

    Attributes:
        tuned: strengths that ``--tune`` chose.
        matched: strengths that ``--match-kl`` chose.
        causal: the graph of ``--report causal``.
    """

    model_config = ConfigDict(extra="ignore")

    tuned: tuple[Tuned, ...] = ()
    matched: tuple[Matched, ...] = ()
    causal: _Graph | None = None


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
        UsageError: for an unknown judge or setting, labels of other answers, a run whose answers are not complete, or
            one whose files cannot be read; before the judge is asked anything.
        IncompleteError: where the judge stopped half-way; verdicts so far are kept.
    """
    store = run.store
    if run.info.status == "planned":
        raise UsageError(f"{run.folder} has no answers yet: finish it with its 'vharness eval' command and --resume.")
    judge = make_judge(judge_name, settings)
    check_judge(judge)
    system = family_of(run.info.config).data.system
    kept, lm_eval = _kept(run.folder), _lm_eval(run.folder)
    with store.lock():
        identity = judge.identity
        verdicts = store.verdicts(identity)
        done = {at for at, v in verdicts.items() if v.label is not None or isinstance(judge, RuleJudge)}
        items = judge_items(list(run.samples.values()), run.documents, system)
        judge.check_items([item for _, item in items], str(run.folder))
        todo = [(key, item) for key, item in items if (key, item.asks) not in done]
        start = time.perf_counter()
        with store.verdicts_writer() as writer, report.stage("verdicts", len(todo), "verdicts") as advance:
            judge_all(todo, judge=judge, cache=Cache(), writer=writer, advance=advance)
        seconds = {**run.info.seconds, "judge": round(time.perf_counter() - start, 3)}
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
            lm_eval=lm_eval,
        ).model_copy(update={"tuned": kept.tuned, "matched": kept.matched})
        if kept.causal is not None:
            results = with_causal_report(results, ReportGraph(kept.causal.name, kept.causal.graph))
        store.write_text("metrics.json", results.model_dump_json(indent=1) + "\n")
        config = run.info.config.model_copy(update={"judge": judge_name, "judge_settings": _plain(settings)})
        store.write_info(
            run.info.model_copy(update={"judge": identity, "config": config, "seconds": seconds, "status": "complete"})
        )
    return Run(run.folder)


def _kept(folder: Path) -> _Kept:
    """Read from the run's numbers; before there are any, chosen strengths stand in ``settled.json``."""
    path = next((folder / name for name in ("metrics.json", "settled.json") if (folder / name).is_file()), None)
    try:
        return _Kept() if path is None else _Kept.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(
            f"{path} cannot be read: '{'.'.join(map(str, first['loc']))}': {first['msg']}. "
            "The same 'vharness eval' command writes it again."
        ) from error


def _lm_eval(folder: Path) -> LmEval | None:
    path = folder / "lm_eval.json"
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    except ValueError as error:
        raise UsageError(f"{path} cannot be read as JSON ({error}); the run must be made again.") from error


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as a run records them: paths as text."""
    return {k: [str(x) for x in v] if isinstance(v, list | tuple) else v for k, v in settings.items()}
