"""The README's main command as a user meets it: first report, again from the cache, and help.

    python benchmarks/main_job.py

Every command runs as a process of its own; wall time and peak memory are the operating system's.
The first run starts with an empty ``VHARNESS_HOME``. Medians of ``--repeats``, with the extremes.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

VHARNESS = Path(sys.executable).with_name("vharness")
MAIN = ("eval", "--steerer", "conva", "--model", "mini", "--quiet")
LIMITS = {"first report": 180.0, "again from the cache": 15.0, "--help": 0.3}


@dataclass(frozen=True)
class Timing:
    """Wall seconds and peak memory (GB) of one process."""

    seconds: float
    gigabytes: float


def timed(arguments: tuple[str, ...], environment: dict[str, str], folder: Path) -> Timing:
    """Runs ``vharness`` once and waits for it."""
    start = time.perf_counter()
    with (folder / "output.txt").open("wb") as out:
        pid = os.posix_spawn(
            VHARNESS,
            [str(VHARNESS), *arguments],
            {**os.environ, **environment},
            file_actions=[(os.POSIX_SPAWN_DUP2, out.fileno(), 1), (os.POSIX_SPAWN_DUP2, out.fileno(), 2)],
        )
        _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - start
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        raise SystemExit(f"vharness {' '.join(arguments)} left with {code}:\n{(folder / 'output.txt').read_text()}")
    return Timing(seconds, usage.ru_maxrss / 1024**2)


def measure(repeats: int) -> dict[str, list[Timing]]:
    """All three commands, ``repeats`` times each; every first report starts from nothing."""
    found: dict[str, list[Timing]] = {name: [] for name in LIMITS}
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            environment = {"VHARNESS_HOME": str(folder / "home")}
            found["first report"].append(timed((*MAIN, "--out", str(folder / "a")), environment, folder))
            found["again from the cache"].append(timed((*MAIN, "--out", str(folder / "b")), environment, folder))
            found["--help"].append(timed(("--help",), environment, folder))
    return found


def main() -> None:
    """Prints one row a command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    libraries = ", ".join(f"{n} {version(n)}" for n in ("torch", "transformers", "lm-eval"))
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {libraries}")
    print(f"{'command':<22} {'median s':>9} {'min':>7} {'max':>7} {'limit':>7} {'peak GB':>8}")
    for name, timings in measure(repeats).items():
        seconds = [t.seconds for t in timings]
        row = (statistics.median(seconds), min(seconds), max(seconds), LIMITS[name], max(t.gigabytes for t in timings))
        print(f"{name:<22} {row[0]:>9.2f} {row[1]:>7.2f} {row[2]:>7.2f} {row[3]:>7.1f} {row[4]:>8.2f}")


if __name__ == "__main__":
    main()
