"""Graphs from steering as intervention: ours beside gies (greedy interventional equivalence search).

    python benchmarks/peers/interventions.py [--tables 40]
    python benchmarks/peers/interventions.py --collections FOLDER ... --truth planted.json --alpha 0.01

Random linear models of 10 values and 11 effects of size .3 to .8 are planted; 100 roles answer unsteered and with
each value pushed by one standard deviation up and down, as a collection has them. Three kinds of push:

- clean: adds to its value, whose own causes go on acting;
- leaking: adds up to a fifth of that, at random, to every other value as well;
- replacing: sets its value whatever the causes, which is what gies assumes (a do-intervention).

gies gets the rows of both pushes of a value as one environment: it centres each environment, so that a push of one
sign alone would tell it nothing. Once it gets the rows as they are, which it takes for independent, and once less
the role's mean, which makes them nearly so. It runs in an environment of its own (numpy alone), which the first
call makes with pip.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import environments
import numpy as np

from valuebench_harness.causal.discover import Discovery, discover
from valuebench_harness.causal.distances import distances
from valuebench_harness.causal.graph import Edge, ValueGraph
from valuebench_harness.causal.graph_files import read_graph
from valuebench_harness.causal.interventions import Response, Target, graph_of_effects, orient_by_targets, respond
from valuebench_harness.causal.simulation import planted, random_weights, simulate
from valuebench_harness.causal.table import UNSTEERED, FloatArray, OrientationTable, read_table
from valuebench_harness.causal.targets import read_targets

VALUES, EDGES, ROLES, ROLE_SHARE, LEAK = 10, 11, 100, 0.3, 0.2
Kind = Literal["clean", "leaking", "replacing"]
KINDS: tuple[Kind, ...] = ("clean", "leaking", "replacing")
DEFAULT_ROOT = Path(tempfile.gettempdir()) / "vharness-peers"
TARGETS = {f"s{1 + 2 * v + k}": Target(value=f"v{v}", sign=1 - 2 * k) for v in range(VALUES) for k in (0, 1)}
"""By setting: each value is pushed up by one and down by the next."""


def pushed_table(weights: FloatArray, kind: Kind, seed: int) -> OrientationTable:
    """100 roles, unsteered and under each push."""
    rng = np.random.default_rng(seed)
    if kind == "replacing":
        return _replaced(weights, rng)
    pushes = {}
    for number, target in enumerate(TARGETS.values(), 1):
        spilled = rng.uniform(-LEAK, LEAK, VALUES) if kind == "leaking" else np.zeros(VALUES)
        spilled[int(target.value[1:])] = 1.0
        pushes[number] = {v: float(target.sign * share) for v, share in enumerate(spilled)}
    return simulate(weights, ROLES, len(TARGETS) + 1, rng, ROLE_SHARE, targets=pushes)


def _replaced(weights: FloatArray, rng: np.random.Generator) -> OrientationTable:
    """A pushed value is cut from its causes and set to +1 or -1, with its own disturbance around it.

    A role's part of the disturbances is drawn once and stays the same under all pushes.
    """
    own = rng.normal(size=(ROLES, VALUES)) * np.sqrt(ROLE_SHARE)
    blocks, settings = [], []
    for setting, target in {UNSTEERED: None, **TARGETS}.items():
        noise = own + rng.normal(size=own.shape) * np.sqrt(1 - ROLE_SHARE)
        cut = weights.copy()
        if target is not None:
            place = int(target.value[1:])
            cut[place] = 0.0
            noise[:, place] += target.sign
        blocks.append(noise @ np.linalg.inv(np.eye(VALUES) - cut).T)
        settings += [setting] * ROLES
    names = tuple(f"role {r}" for r in range(ROLES)) * len(blocks)
    values = tuple(f"v{k}" for k in range(VALUES))
    return OrientationTable(values, tuple(settings), names, np.concatenate(blocks), "the simulation")


@dataclass(frozen=True)
class Trial:
    """A table of answers whose graph is known.

    Attributes:
        line: what it is, for the report.
        table: unsteered and pushed.
        targets: of the pushes, by setting.
        truth: the graph.
    """

    line: str
    table: OrientationTable
    targets: Mapping[str, Target]
    truth: ValueGraph

    @property
    def unsteered(self) -> OrientationTable:
        """The rows that were not pushed."""
        return self.table.only(settings=(UNSTEERED,))


def ours(trial: Trial, alpha: float) -> Iterator[tuple[str, ValueGraph, float]]:
    """Every method of ours: its name, its graph, processor seconds."""
    how = Discovery(alpha=alpha)

    def pushed() -> Response:
        return respond(trial.table, trial.targets)

    methods: dict[str, Callable[[], ValueGraph]] = {
        "observation alone (PC)": lambda: discover(trial.table, how),
        "direct effects (`--targets`)": lambda: graph_of_effects(pushed()),
        "PC on unsteered rows, turned (`--turn-by-changes`)": lambda: orient_by_targets(
            discover(trial.unsteered, how), pushed()
        ),
        "PC on all rows, turned": lambda: orient_by_targets(discover(trial.table, how), pushed()),
    }
    for name, method in methods.items():
        start = time.process_time()
        graph = method()
        yield name, graph, time.process_time() - start


def for_gies(trial: Trial, number: str, *, within: bool) -> dict[str, FloatArray]:
    """The environments of a table, by name as run_gies.py takes them; ``within``: less each role's mean."""
    table = trial.table
    scores = {setting: table.by_role(setting, table.role_names) for setting in table.setting_names}
    mean = np.mean(list(scores.values()), axis=0) if within else 0.0
    found = {f"{number}.none": scores[UNSTEERED] - mean}
    for v, value in enumerate(table.values):
        pushes = [scores[setting] - mean for setting, target in trial.targets.items() if target.value == value]
        if pushes:
            found[f"{number}.{v}"] = np.concatenate(pushes)
    return found


def read_gies(adjacency: FloatArray, names: Sequence[str]) -> ValueGraph:
    """Its matrix, in which an edge that stands both ways has no direction."""
    there = adjacency != 0
    edges = [
        Edge(source=names[i], target=names[j], mark="---" if there[j, i] else "-->")
        for i, j in np.argwhere(there)
        if not (there[j, i] and j < i)
    ]
    return ValueGraph(nodes=tuple(names), edges=tuple(edges))


def theirs(trials: Sequence[Trial], root: Path) -> Iterator[tuple[str, str, tuple[float, ...]]]:
    """Of every table and way of giving it to gies: the line, the name and the figures."""
    ways = {"gies": False, "gies, less the role's mean": True}
    asked: dict[str, FloatArray] = {}
    for n, trial in enumerate(trials):
        for name, within in ways.items():
            asked |= for_gies(trial, f"{n}/{name}", within=within)
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "ask.npz", **asked)  # type: ignore[arg-type] # its stubs take the names for options
        environments.run(environments.GIES, root, Path(folder))
        found = dict(np.load(Path(folder) / "gies.npz"))
    for n, trial in enumerate(trials):
        for name in ways:
            graph = read_gies(found[f"{n}/{name}.graph"], trial.table.values)
            yield trial.line, name, (*scored(graph, trial.truth), float(found[f"{n}/{name}.seconds"]))


def simulated(tables: int) -> Iterator[Trial]:
    """So many tables of each kind of push."""
    for kind in KINDS:
        for n in range(tables):
            weights = random_weights(VALUES, EDGES, np.random.default_rng(n))
            yield Trial(kind, pushed_table(weights, kind, 1000 + n), TARGETS, planted(weights))


def collected(folder: Path, truth: Path) -> Trial:
    """The training answers of a collection that pushed values, and the graph behind them."""
    table, targets = read_table(folder / "train.csv"), read_targets(folder)
    return Trial(folder.name, table, targets, read_graph(truth, table.values))


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=40)
    parser.add_argument("--alpha", type=float, default=0.05, help="of PC")
    parser.add_argument("--collections", type=Path, nargs="+", help="folders of collections, instead of simulations")
    parser.add_argument("--truth", type=Path, help="the graph behind their answers")
    parser.add_argument("--environments", type=Path, default=DEFAULT_ROOT, help=f"[{DEFAULT_ROOT}]")
    options = parser.parse_args()
    if options.collections and not options.truth:
        parser.error("--collections needs --truth, such as 'vharness causal reference planted --out planted.json'")
    if options.collections:
        trials = [collected(folder, options.truth) for folder in options.collections]
    else:
        trials = list(simulated(options.tables))
    rows: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    for trial in trials:
        for name, graph, seconds in ours(trial, options.alpha):
            rows.setdefault((trial.line, name), []).append((*scored(graph, trial.truth), seconds))
    for line, name, figures in theirs(trials, options.environments):
        rows.setdefault((line, name), []).append(figures)
    print("| push | method | SHD | adjacency F1 | direction F1 | seconds |")
    print("|---|---|---|---|---|---|")
    for line in dict.fromkeys(trial.line for trial in trials):
        for (of, name), runs in rows.items():
            if of == line:
                print(f"| {line} | {name} | {' | '.join(cells(runs))} |")


def scored(graph: ValueGraph, truth: ValueGraph) -> tuple[float, float, float]:
    """SHD, adjacency F1 and direction F1; an F1 without edges counts as 0."""
    found = distances(graph, truth)
    return float(found.shd), found.adjacency.f1 or 0.0, found.direction.f1 or 0.0


def cells(runs: list[tuple[float, ...]]) -> list[str]:
    """Means with the half width of their intervals, and the mean processor seconds."""
    numbers = np.array(runs)
    if len(numbers) == 1:
        return [f"{numbers[0, 0]:.0f}", *(f"{x:.3f}" for x in numbers[0, 1:3]), f"{numbers[0, 3]:.2f}"]
    half = 1.96 * numbers.std(axis=0, ddof=1) / np.sqrt(len(numbers))
    shd, adjacency, direction, seconds = numbers.mean(axis=0)
    return [
        f"{shd:.1f} ± {half[0]:.1f}",
        f"{adjacency:.3f} ± {half[1]:.3f}",
        f"{direction:.3f} ± {half[2]:.3f}",
        f"{seconds:.2f}",
    ]


if __name__ == "__main__":
    main()
