"""The runs that a leaderboard still needs, one after the other or several at once.

Several at once are Ray tasks, a process each, so that every accelerator has a model of its own. A run is in its folder
before it counts, and a task whose process died is started again and goes on there: nothing is passed
between the processes but configurations and errors.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from valuebench_harness.errors import IncompleteError, UsageError, VharnessError
from valuebench_harness.harness.plan import Plan, default_folder, make_plan
from valuebench_harness.harness.progress import Reporter
from valuebench_harness.harness.session import execute

if TYPE_CHECKING:
    from valuebench_harness.harness.config import RunConfig


def evaluate_all(plans: Sequence[Plan], report: Reporter, workers: int = 1) -> list[Path]:
    """Runs plans, or finds their finished runs, in the folders that are theirs by default.

    Args:
        plans: what to run.
        report: shows what is done.
        workers: how many run at once.

    Returns:
        The folders of the runs, in order.

    Raises:
        UsageError: ``workers`` is no positive number, Ray is not installed, or a run was refused.
        IncompleteError: a run stopped half-way; the others were finished, and the same call goes on with it.
    """
    if workers < 1:
        raise UsageError(f"--workers {workers} must be 1 or more.")
    if workers == 1:
        for plan in plans:
            report.note(_name(plan.config))
            execute(plan, default_folder(plan), resume=True, report=report)
    else:
        _evaluate_at_once(plans, report, min(workers, len(plans)))
    return [default_folder(plan) for plan in plans]


def _name(config: RunConfig) -> str:
    return f"{config.steerer} on {config.model}"


def _evaluate_at_once(plans: Sequence[Plan], report: Reporter, workers: int) -> None:
    if find_spec("ray") is None:
        raise UsageError("--workers runs evaluations side by side with Ray: pip install 'valuebench-harness[ray]'.")
    import ray

    with _cluster(workers):
        # An accelerator for each worker where there are enough of them, an equal share of one otherwise.
        accelerators = ray.cluster_resources().get("GPU", 0.0)  # type: ignore[no-untyped-call]
        task = ray.remote(num_cpus=1, num_gpus=min(1.0, accelerators / workers))(_evaluate)
        started = time.monotonic()
        waiting = {task.remote(plan.config, default_folder(plan).resolve()): plan for plan in plans}
        failed: list[tuple[Plan, VharnessError]] = []
        while waiting:
            (ready,), _ = ray.wait(list(waiting), num_returns=1)
            plan = waiting.pop(ready)
            error = _outcome(ready, plan)
            if error is not None:
                failed.append((plan, error))
            word = "done" if error is None else "failed"
            done = len(plans) - len(waiting)
            report.note(f"{word}: {_name(plan.config)} ({done} of {len(plans)}, {time.monotonic() - started:.0f} s)")
    if failed:
        errors = "\n".join(f"{_name(plan.config)}: {error}" for plan, error in failed)
        kind = UsageError if any(error.exit_code == UsageError.exit_code for _, error in failed) else IncompleteError
        raise kind(errors)


def _evaluate(config: RunConfig, folder: Path) -> VharnessError | None:
    """One run, in a worker. An error meant for the user comes back as a value: Ray would wrap it in a traceback."""
    try:
        execute(make_plan(config), folder, resume=True, report=Reporter(quiet=True))
    except VharnessError as error:
        return type(error)(str(error))
    return None


def _outcome(ready: Any, plan: Plan) -> VharnessError | None:
    import ray

    try:
        error: VharnessError | None = ray.get(ready)
    except ray.exceptions.WorkerCrashedError:
        return IncompleteError(
            f"Its process died several times, perhaps for lack of memory; {default_folder(plan)} keeps what was "
            "finished. Start the same command again with fewer --workers."
        )
    return error


@contextmanager
def _cluster(workers: int) -> Iterator[None]:
    """Ray on this machine, or the cluster that RAY_ADDRESS names; it must see the same folders."""
    import ray

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    here: dict[str, Any] = {} if "RAY_ADDRESS" in os.environ else {"num_cpus": workers}
    try:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR, **here)
    except Exception as error:  # Ray raises plain exceptions where it does not start
        ray.shutdown()
        raise UsageError(
            f"Ray did not start ({error}). Without --workers, evaluations run one after the other."
        ) from error
    try:
        yield
    finally:
        ray.shutdown()
