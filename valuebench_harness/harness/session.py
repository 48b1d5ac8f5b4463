"""One process's work on a run: fit, gate, generate, judge, score - each stage on disk before the next."""

from __future__ import annotations

import importlib.metadata
import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from valuebench_harness.errors import IncompleteError, UsageError
from valuebench_harness.harness.cache import Cache
from valuebench_harness.harness.config import HOW_NOT_WHAT, RunConfig
from valuebench_harness.harness.family import Family, model_path
from valuebench_harness.harness.judging import check_judge, judge_all, judge_items
from valuebench_harness.harness.plan import Plan
from valuebench_harness.harness.progress import Reporter
from valuebench_harness.harness.records import RunInfo
from valuebench_harness.harness.run import Run
from valuebench_harness.harness.scoring import Scorer
from valuebench_harness.harness.store import RunStore
from valuebench_harness.judges.base import RuleJudge

if TYPE_CHECKING:
    from valuebench_harness.engine.model import SteeredModel
    from valuebench_harness.harness.preparation import Prepared
    from valuebench_harness.judges.base import Judge

LIBRARIES = ("valuebench-harness", "torch", "transformers", "lm-eval", "numpy", "scikit-learn", "scipy")


def execute(plan: Plan, folder: Path, *, resume: bool, report: Reporter) -> Run:
    """Runs a plan into a folder.

    Raises:
        UsageError: where the folder holds another run, or a run and ``resume`` is off.
        IncompleteError: where the run stopped half-way.
    """
    store = RunStore(folder)
    # Before run.json keeps settings that the judge may refuse, such as a key.
    judge = make_run_judge(plan.config, plan.family)
    with store.lock():
        info = _open(store, plan, resume=resume)
        return _Session(plan, store, info, report).run(judge)


def _open(store: RunStore, plan: Plan, *, resume: bool) -> RunInfo:
    if store.exists:
        info = store.info()
        if info.plan_hash != plan.plan_hash:
            raise UsageError(
                f"{store.folder} holds a run of another configuration ({_difference(info, plan)}). "
                "Choose another --out, or give the same configuration."
            )
        if info.tasks_hash != plan.tasks_hash:
            if info.status != "planned":
                raise UsageError(
                    f"The files of the tasks in {plan.config.include_path} have changed since {store.folder} was made. "
                    "Choose another --out."
                )
            info = info.model_copy(update={"tasks_hash": plan.tasks_hash})
        if not resume and info.status != "complete" and store.samples():
            raise UsageError(
                f"{store.folder} holds this run, unfinished ({info.status}). Add --resume to go on with it."
            )
        return info
    info = RunInfo(
        config=plan.config,
        plan_hash=plan.plan_hash,
        data_hash=plan.data_hash,
        tasks_hash=plan.tasks_hash,
        versions={name: importlib.metadata.version(name) for name in LIBRARIES},
        notes=plan.notes,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    store.write_plan(plan.conditions, plan.documents)
    store.write_info(info)
    return info


def _difference(info: RunInfo, plan: Plan) -> str:
    for key in RunConfig.model_fields:
        a, b = getattr(info.config, key), getattr(plan.config, key)
        if a != b and key not in HOW_NOT_WHAT:
            return f"its '{key}' is {a!r}, not {b!r}"
    if info.data_hash != plan.data_hash:
        return "its items are others"
    return "the method's code or its training texts have changed since"


@dataclass
class _Session:
    """One process's work on a run."""

    plan: Plan
    store: RunStore
    info: RunInfo
    report: Reporter
    cache: Cache = field(default_factory=Cache)

    def run(self, judge: Judge) -> Run:
        for note in self.plan.notes:
            self.report.note(note)
        if self.info.status == "planned":
            check_judge(judge)
            self._generate()
        self._judge(judge)
        self._score(judge)
        self._update(status="complete")
        return Run(self.store.folder)

    def _update(self, **changes: Any) -> None:
        self.info = self.info.model_copy(update=changes)
        self.store.write_info(self.info)

    # The model

    def _generate(self) -> None:
        from valuebench_harness.harness.generation import generate
        from valuebench_harness.harness.preparation import prepare

        plan, config = self.plan, self.plan.config
        start = time.perf_counter()
        model = load_model(config)
        self._update(model=_facts(model), notes=tuple(dict.fromkeys((*plan.notes, *model.notes))))
        for note in model.notes:
            self.report.note(note)
        loaded = time.perf_counter()
        prepared = prepare(plan, model, self.cache, self.report)
        for value, artifact in prepared.artifacts.items():
            artifact.save(self.store.folder / "artifacts" / f"{plan.steerer.name}-{value}.safetensors")
        self._update(fits=prepared.fits)
        fitted = time.perf_counter()
        done = self.store.samples()
        asks = [a for a in prepared.asker.ask(plan.cells) if a.sample_key not in done]
        with self.store.samples_writer() as writer, self.report.stage("answers", len(asks), "answers") as advance:
            generate(asks, model=model, config=config, cache=self.cache, write=writer.write, advance=advance)
        if plan.foreign:
            self._lm_eval(prepared)
        end = time.perf_counter()
        seconds = {"load": loaded - start, "fit": fitted - loaded, "generate": end - fitted}
        self._update(
            status="generated",
            seconds={k: round(v, 3) for k, v in seconds.items()},
            notes=tuple(dict.fromkeys((*self.info.notes, *model.notes))),
        )

    def _lm_eval(self, prepared: Prepared) -> None:
        from valuebench_harness.harness.lm_eval_tasks import run_tasks

        results = run_tasks(self.plan, prepared, self.report)
        self.store.write_text("lm_eval.json", json.dumps(results, indent=1) + "\n")

    # The judge

    def _judge(self, judge: Judge) -> None:
        samples = self.store.samples()
        documents = {d.id: d for d in self.plan.documents}
        # A resumed run asks again what a passing fault left unscored; a rule would only say the same, and a
        # finished run is only shown.
        final = isinstance(judge, RuleJudge) or self.info.status == "complete"
        verdicts = self.store.verdicts(judge.identity)
        done = {at for at, verdict in verdicts.items() if final or verdict.label is not None}
        items = judge_items(list(samples.values()), documents, self.plan.family.data.system)
        todo = [(key, item) for key, item in items if (key, item.asks) not in done]
        start = time.perf_counter()
        with self.store.verdicts_writer() as writer, self.report.stage("verdicts", len(todo), "verdicts") as advance:
            judge_all(todo, judge=judge, cache=self.cache, writer=writer, advance=advance)
        seconds = dict(self.info.seconds)
        if todo:  # a run that is only shown again keeps what it cost
            seconds["judge"] = round(time.perf_counter() - start, 3)
        # The judge may be another one than that of an earlier session: "make it again" must name this one.
        self._update(status="judged", judge=judge.identity, config=self.plan.config, seconds=seconds)

    def _score(self, judge: Judge) -> None:
        path = self.store.folder / "lm_eval.json"
        scorer = Scorer(
            system=self.plan.family.data.system.name,
            conditions=self.plan.conditions,
            documents={d.id: d for d in self.plan.documents},
            samples=list(self.store.samples().values()),
            verdicts=self.store.verdicts(judge.identity),
        )
        expected = sum(1 if d.kind == "exam" else self.plan.config.n_samples for _, d in self.plan.cells)
        if len(scorer.samples) != expected:
            raise IncompleteError(
                f"{self.store.folder} holds {len(scorer.samples)} of {expected} answers. "
                "Start the same command again with --resume."
            )
        results = scorer.results(
            judge=judge.identity,
            fits=self.info.fits,
            generate_seconds=self.info.seconds.get("generate", 0.0),
            lm_eval=json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None,
        )
        self.store.write_text("metrics.json", results.model_dump_json(indent=1) + "\n")


def _facts(model: SteeredModel) -> dict[str, Any]:
    return {
        "name": model.name,
        "commit": model.commit,
        "dtype": model.dtype,
        "fingerprint": model.fingerprint,
        "n_layers": model.n_layers,
        "width": model.width,
        "device": str(model.device),
        "chat_template": model.has_chat_template,
    }


def make_run_judge(config: RunConfig, family: Family) -> Judge:
    """The judge of a run: as configured, else the family's."""
    from valuebench_harness.judges.registry import make_judge

    return make_judge(config.judge or family.judge, dict(config.judge_settings))


def load_model(config: RunConfig) -> SteeredModel:
    """Loads the model of a configuration.

    Raises:
        UsageError: where it cannot be loaded.
    """
    from valuebench_harness.engine.loading import load

    model = load(
        model_path(config.model),
        revision=config.revision,
        dtype=config.dtype,
        device_map=config.device_map,
        trust_remote_code=config.trust_remote_code,
        blocks=config.blocks,
    )
    model.name = config.model
    return model
