"""The Python way in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from valuebench_harness.errors import UsageError
from valuebench_harness.harness.config import RunConfig, make_config
from valuebench_harness.harness.plan import default_folder, make_plan
from valuebench_harness.harness.progress import Reporter
from valuebench_harness.harness.run import Run
from valuebench_harness.harness.session import execute


def evaluate(
    model: str | None = None,
    steerer: str | None = None,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    quiet: bool = True,
    config: RunConfig | None = None,
    **settings: Any,
) -> Run:
    """Runs what ``vharness eval`` runs.

    Args:
        model: ``mini``, a folder, or a hub id.
        steerer: a method by name, or ``path/to/file.py:Class``.
        out: folder of the run; default ``vharness-runs/{model}-{steerer}-{hash}``.
        resume: go on with the run in ``out``.
        quiet: show no progress.
        config: a whole configuration instead of the single keys.
        **settings: any key of :class:`~valuebench_harness.harness.config.RunConfig`, such as
            ``values=("security",)``, ``strength=(1.0, 2.0)``, ``limit=10``.

    Returns:
        The finished run: ``run.results``, ``run.samples``, ``run.answers()``.

    Raises:
        UsageError: for bad input.
        IncompleteError: where the run stopped half-way; finished samples are kept.

    Example:
        >>> run = evaluate("mini", "conva", values=("security",))  # doctest: +SKIP
        >>> run.csr["security"]  # doctest: +SKIP
    """
    if config is None:
        given = {"model": model, "steerer": steerer, **settings}
        config = make_config(**{k: v for k, v in given.items() if v is not None})
    elif model is not None or steerer is not None or settings:
        raise UsageError("Give evaluate() either a config or single keys, not both.")
    plan = make_plan(config)
    folder = Path(out) if out is not None else default_folder(plan)
    return execute(plan, folder, resume=resume, report=Reporter(quiet=quiet))
