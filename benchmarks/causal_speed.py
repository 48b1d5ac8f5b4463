"""Discovery beside causal-learn's, on the same tables, in one run.

    python benchmarks/causal_speed.py [--repeats 3] [--columns 17 200]

Tables are simulated as collections are, 101 roles x 25 settings of a sparse linear model. With 17 columns 30%
of the variance is between roles; with more the rows are independent: counted as independent, crossed rows
leave so many false edges that causal-learn takes hours. Both return the same skeleton, which is checked. Then
200 bootstrap samples (two-way) of the 17 columns, with the published and with the recommended test.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version

import numpy as np

from valuebench_harness.causal.discover import PUBLISHED, Discovery, discover
from valuebench_harness.causal.simulation import random_weights, simulate
from valuebench_harness.causal.table import OrientationTable

ROLES, SETTINGS = 101, 25
LIMITS = {"17 columns": 1.0, "200 columns": 5.0, "200 bootstraps of 17 columns": 30.0}


def median(work: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Wall and processor seconds, the medians of some repeats."""
    wall, processor = [], []
    for _ in range(repeats):
        start = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - start[0])
        processor.append(time.process_time() - start[1])
    return statistics.median(wall), statistics.median(processor)


def theirs(table: OrientationTable) -> np.ndarray:
    """causal-learn's PC."""
    from causallearn.search.ConstraintBased.PC import pc

    return np.asarray(pc(table.scores, 0.05, show_progress=False).G.graph)


def made(columns: int) -> OrientationTable:
    """A table with as many true edges as columns."""
    weights = random_weights(columns, columns, np.random.default_rng(0))
    return simulate(weights, ROLES, SETTINGS, np.random.default_rng(1), role_share=0.3 if columns <= 17 else 0.0)


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--columns", type=int, nargs="+", default=[17, 200])
    options = parser.parse_args()
    print(f"{platform.machine()}, Python {platform.python_version()}, causal-learn {version('causal-learn')}\n")
    print("Seconds of wall (processor) time; ratios are of processor time.\n")
    print("| table | ours | causal-learn | ratio | goal | same skeleton |")
    print("|---|---|---|---|---|---|")
    for columns in options.columns:
        table = made(columns)
        ours = median(lambda table=table: discover(table, PUBLISHED), options.repeats)
        graphs: list[np.ndarray] = []
        peer = median(lambda table=table, graphs=graphs: graphs.append(theirs(table)), 1)
        found = discover(table, PUBLISHED)
        adjacent = found.adjacency | found.adjacency.T
        name = f"{columns} columns"
        same = "yes" if (adjacent == (graphs[0] != 0)).all() else "NO"
        times = f"{ours[0]:.2f} ({ours[1]:.2f}) | {peer[0]:.1f} ({peer[1]:.1f}) | {peer[1] / ours[1]:.0f}"
        print(f"| {name} | {times} | {LIMITS.get(name, '-')} | {same} |", flush=True)
    small = made(17)
    for how in (PUBLISHED, Discovery()):
        asked = how.model_copy(update={"bootstraps": 200})
        wall, processor = median(lambda asked=asked: discover(small, asked), 1)
        name = "200 bootstraps of 17 columns"
        print(f"| {name} ({how.estimand}) | {wall:.1f} ({processor:.1f}) | - | - | {LIMITS[name]} | - |", flush=True)


if __name__ == "__main__":
    main()
