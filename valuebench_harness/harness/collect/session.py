"""One process's work on a collection: fit, answer, judge, tabulate - each stage on disk before the next."""

from __future__ import annotations

import importlib.metadata
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from valuebench_harness.errors import IncompleteError, UsageError
from valuebench_harness.harness.cache import Cache
from valuebench_harness.harness.collect.answering import Asker, Block, blocks, cell_key, fit_settings
from valuebench_harness.harness.collect.computing import compute, way_of
from valuebench_harness.harness.collect.features import choose_features, few_features
from valuebench_harness.harness.collect.oracle import Oracle
from valuebench_harness.harness.collect.plan import CollectPlan
from valuebench_harness.harness.collect.protocol import prefix_label, split_answer
from valuebench_harness.harness.collect.records import CollectInfo, Reply
from valuebench_harness.harness.collect.store import CollectStore
from valuebench_harness.harness.collect.tables import ANSWERS, THOUGHT, Reader, orientation_table, write_answers
from valuebench_harness.harness.judging import check_judge, judge_all
from valuebench_harness.harness.opening import LIBRARIES
from valuebench_harness.harness.own_code import told
from valuebench_harness.harness.session import load_run_model, make_run_judge, model_facts
from valuebench_harness.judges.base import JudgeItem, RuleJudge

if TYPE_CHECKING:
    from valuebench_harness.harness.chat_model import AnyModel
    from valuebench_harness.harness.progress import Reporter
    from valuebench_harness.harness.store import ShardWriter
    from valuebench_harness.judges.base import Judge


def collect(plan: CollectPlan, folder: Path, *, resume: bool, report: Reporter) -> CollectInfo:
    """Collects into a folder: ``train.csv``, ``test.csv`` and ``answers.parquet`` beside what was asked.

    Raises:
        UsageError: where the folder holds another collection, or this one and ``resume`` is off.
        IncompleteError: where it stopped half-way.
    """
    store = CollectStore(folder)
    # Before the folder keeps settings that the judge may refuse, such as a key.
    judge = make_run_judge(plan.config.run, plan.family)
    with store.lock():
        info = _open(store, plan, resume=resume)
        return _Session(plan, store, info, report).run(judge)


def _open(store: CollectStore, plan: CollectPlan, *, resume: bool) -> CollectInfo:
    if store.exists:
        info = store.info()
        if info.plan_hash != plan.plan_hash:
            raise UsageError(
                f"{store.folder} holds another collection ({_difference(info, plan)}). "
                "Choose another --out, or give the same configuration."
            )
        if not resume and info.status == "planned" and any((store.folder / "answers").glob("*.jsonl")):
            raise UsageError(f"{store.folder} holds this collection, unfinished. Add --resume to go on with it.")
        return info
    if (store.folder / "run.json").exists():
        raise UsageError(f"{store.folder} holds a run of 'vharness eval'. Choose another --out.")
    info = CollectInfo(
        config=plan.config,
        plan_hash=plan.plan_hash,
        versions={name: importlib.metadata.version(name) for name in LIBRARIES},
        notes=plan.questionnaire.notes,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    store.write_plan(plan.methods.settings, plan.people, plan.questionnaire.items)
    store.write_info(info)
    return info


def _difference(info: CollectInfo, plan: CollectPlan) -> str:
    before, now = (_flat(config.what()) for config in (info.config, plan.config))
    for key in now:
        if before.get(key) != now[key]:
            return f"its '{key}' is {before.get(key)!r}, not {now[key]!r}"
    return "its items, its templates, or the methods' code or training texts are others"


def _flat(config: dict[str, Any]) -> dict[str, Any]:
    return {**config.pop("run"), **config}


@dataclass
class _Session:
    plan: CollectPlan
    store: CollectStore
    info: CollectInfo
    report: Reporter
    cache: Cache = field(default_factory=Cache)

    def run(self, judge: Judge) -> CollectInfo:
        for note in self.plan.questionnaire.notes:
            self.report.note(note)
        if self.info.status == "planned":
            check_judge(judge)
        if self.plan.is_unsettled:
            self._choose()
        if self.info.status == "planned":
            self._answer()
        self._judge(judge)
        self._tabulate(judge)
        return self.info

    def _update(self, **changes: Any) -> None:
        self.info = self.info.model_copy(update=changes)
        self.store.write_info(self.info)

    @cached_property
    def model(self) -> AnyModel:
        """Loaded when it is first needed."""
        model = load_run_model(self.plan.config.run)
        if self.info.model and self.info.model.get("fingerprint") != model.fingerprint:
            raise UsageError(f"{model.name} has changed since {self.store.folder} was made. Choose another --out.")
        self._update(model=model_facts(model))
        return model

    def _choose(self) -> None:
        """Chooses features, or takes those of an earlier session; they are on disk before the first answer."""
        if not self.info.features:
            features = choose_features(self.plan, self.model)
            fewer = (few_features(self.plan, features),) if len(features) < (self.plan.config.top or 0) else ()
            for note in fewer:
                self.report.note(note)
            self._update(features=features, notes=(*self.info.notes, *fewer))
        self.plan = self.plan.settle(self.info.features)
        self.store.write_plan(self.plan.methods.settings, self.plan.people, self.plan.questionnaire.items)

    def _answer(self) -> None:
        start = time.perf_counter()
        done = frozenset(r.key for r in self.store.replies())
        expected = sum(self.plan.count().values())
        with self.store.answers_writer() as writer:
            if self.plan.config.oracle:
                self._oracle(done, writer)
            else:
                self._model(done, expected - len(done), writer)
        self._update(status="answered", seconds={"answer": round(time.perf_counter() - start, 3)})

    def _oracle(self, done: frozenset[str], writer: ShardWriter) -> None:
        oracle, repeats = Oracle(self.plan.config), range(self.plan.config.run.n_samples)
        for block in blocks(self.plan, done):
            keys = [(cell, n) for cell in block.cells for n in repeats if cell_key(cell, n) not in done]
            writer.write([oracle.reply(cell, n) for cell, n in keys])

    def _model(self, done: frozenset[str], left: int, writer: ShardWriter) -> None:
        config, model = self.plan.config, self.model
        targets, fits = fit_settings(self.plan, model, self.report)
        self._update(fits=fits)
        asker = Asker(self.plan, model, targets, way_of(config))
        with self.report.stage("answers", left, "answers") as advance:

            def answer(block: Block) -> None:
                asks = asker.ask(block.cells, done)
                compute(asks, model=model, config=config, cache=self.cache, write=writer.write, advance=advance)

            for block in blocks(self.plan, done):
                if block.steerer is None:
                    answer(block)
                else:
                    with told(block.steerer, "steering the model"):
                        answer(block)
        for note in model.notes:
            self.report.note(note)
        self._update(notes=tuple(dict.fromkeys((*self.info.notes, *model.notes))))

    def _judge(self, judge: Judge) -> None:
        final = isinstance(judge, RuleJudge)
        verdicts = self.store.verdicts(judge.identity)
        done = {key for key, verdict in verdicts.items() if final or verdict.label is not None}
        todo = [(key, item) for key, item in self._to_judge() if key not in done]
        with self.store.verdicts_writer() as writer, self.report.stage("verdicts", len(todo), "verdicts") as advance:
            judge_all(todo, judge=judge, cache=self.cache, writer=writer, advance=advance)

    def _to_judge(self) -> list[tuple[str, JudgeItem]]:
        """Answers that do not say by their first words what they mean, and thoughts where they are wanted."""
        config = self.plan.config
        texts = {q.id: q.text for q in self.plan.questionnaire.items}
        out = []
        for reply in self.store.replies():
            if reply.probabilities is not None:
                continue
            thought, answer = split_answer(reply.answer)
            if prefix_label(answer) is None:
                out.append((reply.key, _item(reply, texts, answer)))
            if config.judge_thoughts and thought and not config.is_mini:
                out.append((reply.key + THOUGHT, _item(reply, texts, thought)))
        return out

    def _tabulate(self, judge: Judge) -> None:
        expected = sum(self.plan.count().values())
        replies = {r.key: r for r in self.store.replies()}
        if len(replies) != expected:
            raise IncompleteError(
                f"{self.store.folder} holds {len(replies)} of {expected} answers. "
                "Start the same command again with --resume."
            )
        # Replies come in the order of batches; files made from them shall not depend on it.
        ordered = sorted(replies.values(), key=lambda r: (r.setting, r.role, r.item, r.repeat))
        scored = list(Reader(self.plan, self.store.verdicts(judge.identity)).read(ordered))
        counts: dict[str, int] = {}
        for part in ("train", "test"):
            of_part = [s for s in scored if s.question.part == part]
            if not of_part:
                continue
            counts[part] = len(of_part)
            counts[f"{part}_unscored"] = sum(s.score is None for s in of_part)
            self.store.write_text(f"{part}.csv", orientation_table(self.plan, of_part, part).to_csv())
        write_answers(scored, self.store.folder / ANSWERS)
        self._update(status="complete", judge=judge.identity, counts=counts, config=self.plan.config)


def _item(reply: Reply, texts: dict[str, str], said: str) -> JudgeItem:
    return JudgeItem(asks="stance", prompt=texts[reply.item], answer=said)
