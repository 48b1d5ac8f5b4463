"""Graphs by gies. Runs in that library's own environment: python run_gies.py EXCHANGE.

``ask.npz`` holds tables by name ``NUMBER.ENVIRONMENT``, where the environment is the number of the value that was
pushed, or ``none``; ``gies.npz`` gets the adjacency matrix and the seconds of each number.
"""

from __future__ import annotations

import sys
import time
from importlib.metadata import version
from pathlib import Path

import gies
import numpy as np

exchange = Path(sys.argv[1])
environments: dict[str, dict[str, np.ndarray]] = {}
for name, rows in np.load(exchange / "ask.npz").items():
    number, _, pushed = name.partition(".")
    environments.setdefault(number, {})[pushed] = rows

found: dict[str, np.ndarray] = {"version": np.array(version("gies"))}
for number, by_target in environments.items():
    start = time.process_time()
    adjacency, _ = gies.fit_bic(list(by_target.values()), [[] if t == "none" else [int(t)] for t in by_target])
    found[f"{number}.graph"], found[f"{number}.seconds"] = adjacency, np.array(time.process_time() - start)
np.savez(exchange / "gies.npz", **found)
