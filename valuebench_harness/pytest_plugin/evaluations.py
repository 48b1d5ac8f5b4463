"""Each configuration is evaluated once a session, by whichever process comes first, and read by all."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

from filelock import FileLock

from valuebench_harness.harness.compare.observations import identity
from valuebench_harness.harness.config import RunConfig
from valuebench_harness.harness.plan import make_plan
from valuebench_harness.harness.progress import Reporter
from valuebench_harness.harness.run import Run
from valuebench_harness.harness.session import execute

KEPT_SESSIONS = 3


def key_of(config: RunConfig) -> str:
    """A readable name of a configuration, the same in every session: the name of its baseline."""
    digest = hashlib.sha256(json.dumps(identity(config), sort_keys=True).encode()).hexdigest()[:8]
    values = "all" if config.values is None else "+".join(config.values)
    parts = (re.sub(r"[^A-Za-z0-9.+-]+", "-", text).strip("-")[-40:] for text in (config.model, config.steerer, values))
    return "_".join([*parts, digest])


class Evaluations:
    """The runs of a session.

    Args:
        root: folder of all sessions.
        session: id of this one, the same in all its processes.
    """

    def __init__(self, root: Path, session: str) -> None:
        self.folder = root / session
        self._runs: dict[str, Run] = {}

    def run(self, config: RunConfig) -> Run:
        """The run of a configuration: evaluated now, or by another process, or before.

        A process that was killed half-way leaves its finished answers; the next one goes on from there.

        Raises:
            UsageError: for a configuration that cannot be run.
            IncompleteError: where the run stopped half-way.
        """
        key = key_of(config)
        if key not in self._runs:
            folder = self.folder / key
            self._prepare()
            with FileLock(self.folder / f"{key}.lock"):
                done = self.finished(key)
                if done is None:
                    done = execute(make_plan(config), folder, resume=True, report=Reporter(quiet=True))
            self._runs[key] = done
        return self._runs[key]

    def finished(self, key: str) -> Run | None:
        """A run of the session by its key, whichever process made it; ``None`` where there is none."""
        folder = self.folder / key
        run = Run(folder) if (folder / "run.json").is_file() else None
        return run if run and run.info.status == "complete" else None

    def _prepare(self) -> None:
        if not self.folder.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder.parent / ".gitignore").write_text("*\n", encoding="utf-8")


def forget_old_sessions(root: Path) -> None:
    """Deletes all but the last sessions' runs; answers stay in the cache."""
    sessions = [p for p in root.glob("*") if p.is_dir()]
    for folder in sorted(sessions, key=lambda p: p.stat().st_mtime)[:-KEPT_SESSIONS]:
        shutil.rmtree(folder, ignore_errors=True)
