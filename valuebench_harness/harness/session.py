"""One process's work on a run: fit, gate, generate, judge, score - each stage on disk before the next."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from valuebench_harness.errors import IncompleteError, UsageError
from valuebench_harness.harness.aliases import ModelAlias, find_alias, nearest, smaller
from valuebench_harness.harness.cache import Cache
from valuebench_harness.harness.causal_report import ReportGraph, planned_graph, stored_graph, with_causal_report
from valuebench_harness.harness.config import RunConfig
from valuebench_harness.harness.family import Family, model_path
from valuebench_harness.harness.judging import check_judge, judge_all, judge_items
from valuebench_harness.harness.opening import check_keys, open_run
from valuebench_harness.harness.plan import Plan, file_name
from valuebench_harness.harness.progress import Reporter
from valuebench_harness.harness.records import RunInfo
from valuebench_harness.harness.remote import REMOTE
from valuebench_harness.harness.run import Run
from valuebench_harness.harness.scoring import Scorer
from valuebench_harness.harness.settling import Settled
from valuebench_harness.harness.store import RunStore
from valuebench_harness.judges.base import RuleJudge
from valuebench_harness.steerers.registry import make_gate

if TYPE_CHECKING:
    from valuebench_harness.engine.model import SteeredModel
    from valuebench_harness.harness.chat_model import AnyModel
    from valuebench_harness.harness.preparation import Prepared
    from valuebench_harness.judges.base import Judge


def execute(plan: Plan, folder: Path, *, resume: bool, report: Reporter) -> Run:
    """Runs a plan into a folder.

    Raises:
        UsageError: where the folder holds another run, or a run and ``resume`` is off.
        IncompleteError: where the run stopped half-way.
    """
    store = RunStore(folder)
    # Before run.json keeps settings that the judge may refuse, such as a key.
    judge = make_run_judge(plan.config, plan.family)
    graph = planned_graph(plan)
    with store.lock():
        return _run(plan, store, judge, _Loader(plan), resume=resume, report=report, graph=graph)


class _Loader:
    """Loads a run's model when it is first needed, once for all stages."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    @cached_property
    def model(self) -> AnyModel:
        gate = make_gate(self._plan.gate_name, self._plan.config.gate_settings)
        if gate is not None:
            gate.require()  # a gate that is not there is told before a large model is loaded
        return load_run_model(self._plan.config)


def _run(
    plan: Plan,
    store: RunStore,
    judge: Judge,
    loader: _Loader,
    *,
    resume: bool,
    report: Reporter,
    graph: ReportGraph | None = None,
) -> Run:
    if plan.is_unsettled:
        plan = plan.settle(_settle(plan, store, judge, loader, resume=resume, report=report))
    is_new = not store.exists
    info = open_run(store, plan, resume=resume)
    try:
        return _Session(plan, store, info, report, loader, graph).run(judge)
    except UsageError:
        if is_new and not store.samples():  # what was asked for does not work: there is nothing to go on with
            store.forget()
        raise


def _settle(plan: Plan, store: RunStore, judge: Judge, loader: _Loader, *, resume: bool, report: Reporter) -> Settled:
    """Chooses strengths on the model, or finds them chosen."""
    path = store.folder / "settled.json"
    with suppress(ValidationError, OSError):  # a damaged choice is made again: it holds nothing that is drawn
        found = Settled.model_validate_json(path.read_bytes())
        if found.plan_hash == plan.plan_hash and (found.training == plan.training or store.exists):
            return found
    if store.exists:
        check_keys(store, plan)
    if plan.config.match_kl is not None:
        from valuebench_harness.harness.chat_model import whole_model
        from valuebench_harness.harness.match_kl import match
        from valuebench_harness.harness.preparation import prepare

        prepared = prepare(plan, whole_model(loader.model, "--match-kl"), Cache(), report)
        settled = Settled(plan_hash=plan.plan_hash, training=plan.training, matched=match(plan, prepared, report))
    else:
        from valuebench_harness.harness.tune import choose, tuning_plan

        trial_plan = tuning_plan(plan, loader.model.n_layers)
        report.note(f"tuning on {len(trial_plan.documents)} dilemmas, {len(trial_plan.conditions) - 1} trials")
        trials = _run(trial_plan, RunStore(store.folder / "tuning"), judge, loader, resume=resume, report=report)
        settled = Settled(plan_hash=plan.plan_hash, training=plan.training, tuned=choose(plan, trials))
    store.write_text(path.name, settled.model_dump_json(indent=1) + "\n")
    return settled


@dataclass
class _Session:
    """One process's work on a run."""

    plan: Plan
    store: RunStore
    info: RunInfo
    report: Reporter
    loader: _Loader
    graph: ReportGraph | None = None
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
        model = self.loader.model
        self._update(model=model_facts(model), notes=tuple(dict.fromkeys((*plan.notes, *model.notes))))
        for note in model.notes:
            self.report.note(note)
        loaded = time.perf_counter()
        prepared = prepare(plan, model, self.cache, self.report)
        for (value, layers), artifact in prepared.artifacts.items():
            place = f"@{','.join(map(str, layers))}" if layers != config.layers and layers is not None else ""
            name = f"{file_name(plan.steerer.name)}-{value}{place}.safetensors"
            artifact.save(self.store.folder / "artifacts" / name)
        self._update(fits=prepared.fits)
        fitted = time.perf_counter()
        done = self.store.samples()
        # A method that was mended since an earlier session may ask otherwise: its answers are made again.
        asks = [a for a in prepared.asker.ask(plan.cells) if not a.is_answered_by(done.get(a.sample_key))]
        with self.store.samples_writer() as writer, self.report.stage("answers", len(asks), "answers") as advance:
            generate(
                asks,
                model=model,
                config=config,
                cache=self.cache,
                steerer=plan.steerer,
                write=writer.write,
                advance=advance,
            )
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
        judge.check_items([item for _, item in items], str(self.store.folder))
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
            angles={v.id: v.angle for v in self.plan.family.data.system.values if v.angle is not None},
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
            settled=self.plan.settled,
        )
        # A graph that a finished run was held against stays with it, also where it is not named again.
        if (graph := self.graph or stored_graph(self.store.folder)) is not None:
            results = with_causal_report(results, graph)
        self.store.write_text("metrics.json", results.model_dump_json(indent=1) + "\n")


def model_facts(model: AnyModel) -> dict[str, Any]:
    """What a run records of its model."""
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


def load_run_model(config: RunConfig) -> AnyModel:
    """The model of a configuration, or the way to one behind a server.

    Raises:
        UsageError: where it cannot be loaded.
    """
    if config.model.startswith(REMOTE):
        from valuebench_harness.harness.chat_model import ChatModel

        return ChatModel(config.model, config.model_url)
    return load_model(config)


def load_model(config: RunConfig) -> SteeredModel:
    """Loads the model of a configuration.

    Raises:
        UsageError: where it cannot be loaded.
    """
    from valuebench_harness.engine.loading import load
    from valuebench_harness.engine.memory import DoesNotFitError

    alias = find_alias(config.model)
    chosen = alias or ModelAlias(id=model_path(config.model))
    try:
        model = load(
            chosen.id,
            revision=config.revision or chosen.revision,
            dtype=chosen.dtype if config.dtype == "auto" else config.dtype,
            device_map=config.device_map,
            quantization=config.quantization or chosen.quantization,
            trust_remote_code=config.trust_remote_code,
            chat_template=chosen.chat_template,
            blocks=config.blocks or chosen.blocks,
        )
    except DoesNotFitError as error:
        others = ", ".join(smaller(error.room, error.dtype)[:3])
        raise UsageError(f"{error} Smaller models by name: {others or 'mini'}.") from None
    except UsageError as error:
        meant = None if alias is not None or Path(config.model).exists() else nearest(config.model)
        raise UsageError(f"{error} Did you mean '{meant}'?") if meant is not None else error from None
    model.name = config.model
    if alias is not None:
        model.note(f"'{config.model}' stands for {alias.id}.")
    return model
