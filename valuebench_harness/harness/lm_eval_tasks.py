"""Tasks that lm-eval runs: the user's own and lm-eval's."""

from __future__ import annotations

import logging
import math
import os
import random
import re
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import lru_cache, partialmethod
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from lm_eval.evaluator import evaluate
from lm_eval.tasks import TaskManager
from tqdm import tqdm  # type: ignore[import-untyped]

from valuebench_harness.errors import IncompleteError, UsageError, VharnessError, unknown_name
from valuebench_harness.harness.chat_model import whole_model
from valuebench_harness.harness.documents import built_in_tasks
from valuebench_harness.harness.lm import SteeredLM
from valuebench_harness.harness.lm_prompts import Method
from valuebench_harness.harness.targets import targets_of
from valuebench_harness.steerers.registry import NO_GATE
from valuebench_harness.tasks import include_path as shipped_tasks

if TYPE_CHECKING:
    from valuebench_harness.harness.config import RunConfig
    from valuebench_harness.harness.family import Family
    from valuebench_harness.harness.plan import Plan
    from valuebench_harness.harness.preparation import Prepared
    from valuebench_harness.harness.progress import Reporter
    from valuebench_harness.harness.records import Condition

BOOTSTRAP = 1000
"""Draws for standard errors of metrics that are no mean; lm-eval's 100,000 take minutes a metric."""

Loaded = dict[str, Any]
"""What lm-eval makes of a name: its tasks, groups and the map between them."""


def check_tasks(names: Sequence[str], include_path: Path | None, family: Family) -> None:
    """Loads tasks with their data, so that what is wrong with them is said before a model is loaded.

    Args:
        names: tasks, groups or tags.
        include_path: folder with tasks of the user's own.
        family: of the model; its tasks are suggested for misspelt names.

    Raises:
        UsageError: no such folder or task, or one that does not load.
    """
    if include_path is not None and not include_path.is_dir():
        raise UsageError(f"--include-path: there is no folder {include_path}.")
    with _quiet():
        manager = _manager(names, include_path)
        for name in names:
            if name not in manager.task_index:
                raise unknown_name("task", name, [*_built_in(family), *manager.all_tasks])
            _load(manager, name, include_path)


def run_tasks(plan: Plan, prepared: Prepared, report: Reporter) -> dict[str, dict[str, dict[str, float]]]:
    """Runs a plan's lm-eval tasks for the base and every steered condition, ungated twins aside.

    The model's chat template is used where it has one, as for all other tasks. Answers are cached,
    so that an interrupted run repeats none of them.

    Returns:
        Condition id to task to metric to number. A standard error is named ``{metric}_stderr``; a
        metric behind a filter of its own is named ``{metric},{filter}``.

    Raises:
        UsageError: a task does not load, or asks for what the engine cannot do.
        IncompleteError: a task's code fails on its documents or on an answer.
    """
    config, model = plan.config, whole_model(prepared.asker.model, "lm-eval")
    results: dict[str, dict[str, dict[str, float]]] = {}
    with _quiet():
        manager = _manager(plan.foreign, config.include_path)
        loaded = {name: _load(manager, name, config.include_path) for name in plan.foreign}
        for condition in plan.conditions:
            if condition.is_twin:
                continue
            lm = SteeredLM(
                model,
                methods_of(condition, plan, prepared),
                states=prepared.states,
                seed=config.seed,
                batch_size=config.batch_size,
                report=report,
                label=condition.id,
            )
            results[condition.id] = {}
            for name, tasks in loaded.items():
                results[condition.id].update(_numbers(_evaluate(lm, name, tasks, config)))
    return results


def methods_of(condition: Condition, plan: Plan, prepared: Prepared) -> tuple[Method, ...]:
    """How a condition steers every request: one method a value; none for the base."""
    gated = condition.gate != NO_GATE
    return tuple(
        Method(
            steerer=plan.steerer,
            value=target.value,
            direction=target.direction,
            strength=target.strength,
            artifact=target.artifact,
            gate=prepared.gate if gated else None,
            gate_artifact=prepared.gate_artifacts.get(target.value.id),
            wording=target.wording,
        )
        for target in targets_of(condition, plan.family, prepared.artifacts)
    )


def _evaluate(lm: SteeredLM, name: str, tasks: Loaded, config: RunConfig) -> Mapping[str, Mapping[str, Any]]:
    """What ``simple_evaluate`` does with loaded tasks, less its report on the machine (seconds a call)."""
    random.seed(config.seed)
    np.random.seed(config.seed)  # the generator that tasks draw from
    for task in tasks["tasks"].values():
        if task.get_config("num_fewshot") is None:
            task.set_config("num_fewshot", 0)
        task.set_fewshot_seed(config.seed)
    try:
        results = evaluate(
            lm,
            tasks,
            limit=config.limit,
            bootstrap_iters=BOOTSTRAP,
            log_samples=False,
            system_instruction=config.system_prompt,
            apply_chat_template=lm.model.has_chat_template,
            fewshot_as_multiturn=True,
        )
    except VharnessError:
        raise
    except Exception as error:
        raise IncompleteError(
            f"Task '{name}' failed in lm-eval: {_told(error, config.include_path)}. Its answers are kept: "
            "correct the task and start the same command again with --resume."
        ) from error
    scores: Mapping[str, Mapping[str, Any]] = results["results"]
    return scores


def _numbers(results: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """The finite numbers among lm-eval's results; ``none`` is the name of no filter."""
    return {
        task: {
            key.removesuffix(",none"): float(value)
            for key, value in metrics.items()
            if "," in key and isinstance(value, Real) and math.isfinite(value)
        }
        for task, metrics in results.items()
    }


# Finding and loading


def _manager(names: Sequence[str], include_path: Path | None) -> TaskManager:
    """Knows the user's tasks, ours, and lm-eval's own only where they are needed.

    Raises:
        UsageError: a file that seems to hold one of the names does not load.
    """
    folders = tuple(str(folder) for folder in (shipped_tasks(), include_path) if folder is not None)
    manager = TaskManager(include_path=list(folders), include_defaults=False)
    missing = _missing(names, manager)
    if not missing:
        return manager
    if include_path is not None:
        _check_files(missing, include_path, manager)
    return _with_defaults(folders)


@lru_cache(maxsize=1)
def _with_defaults(folders: tuple[str, ...]) -> TaskManager:
    """Indexing lm-eval's 14,000 tasks takes seconds, so a run does it once."""
    return TaskManager(include_path=list(folders))


def _missing(names: Sequence[str], manager: TaskManager) -> list[str]:
    """Names that are not indexed, or that indexed groups refer to."""
    out: list[str] = []
    waiting, seen = list(names), set(names)
    while waiting:
        name = waiting.pop()
        entry = manager.task_index.get(name)
        if entry is None:
            out.append(name)
        elif name in manager.all_groups:
            members = {m for m in (entry.cfg or {}).get("task") or () if isinstance(m, str)} - seen
            seen |= members
            waiting += sorted(members)
    return out


def _check_files(names: Sequence[str], folder: Path, manager: TaskManager) -> None:
    """lm-eval skips a file that does not load without a word; this says so where it declares a missing task."""
    indexed = {entry.yaml_path for entry in manager.task_index.values()}
    declares = re.compile(rf"""^(task|group):\s*["']?({"|".join(map(re.escape, names))})["']?\s*$""", re.MULTILINE)
    for path in sorted(folder.rglob("*.yaml")):
        if path in indexed or not declares.search(path.read_text(encoding="utf-8", errors="replace")):
            continue
        try:
            manager.load([str(path)])
        except Exception as error:
            raise UsageError(f"{path} does not load as an lm-eval task: {_told(error, folder)}.") from error


def _load(manager: TaskManager, name: str, include_path: Path | None) -> Loaded:
    try:
        loaded: Loaded = manager.load([name])
    except VharnessError:
        raise
    except Exception as error:
        path = manager.task_index[name].yaml_path
        where = f"Task '{name}' ({path})" if path else f"Task '{name}'"
        raise UsageError(f"{where} does not load: {_told(error, include_path)}.") from error
    return loaded


def _built_in(family: Family) -> list[str]:
    values = family.data.system.ids
    return [name.format(value=v) for name, _ in built_in_tasks(family) if "{subject}" not in name for v in values]


# Talking to the user


def _told(error: Exception, folder: Path | None) -> str:
    """An error in one line, with the line of the user's own code that raised it."""
    text = f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(".: ")
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if folder is not None and Path(frame.filename).resolve().is_relative_to(folder.resolve()):
            return f"{text} ({frame.filename}:{frame.lineno})"
    return text


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps lm-eval's logs and bars away, and whatever it prints off the standard output that reports go to."""
    logger = logging.getLogger("lm_eval")
    level, bar, pool = logger.level, tqdm.__init__, os.environ.get("DISABLE_MULTIPROC")
    logger.setLevel(logging.ERROR)
    tqdm.__init__ = partialmethod(bar, disable=True)  # lm-eval offers no switch
    os.environ["DISABLE_MULTIPROC"] = "1"  # its bootstrap would fork this process, model and threads included
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        logger.setLevel(level)
        tqdm.__init__ = bar
        if pool is None:
            del os.environ["DISABLE_MULTIPROC"]
        else:
            os.environ["DISABLE_MULTIPROC"] = pool
