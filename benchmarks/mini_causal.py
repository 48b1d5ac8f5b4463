"""The whole of ``vharness causal`` on ``mini``, against the planted graph and beside the oracle.

    python benchmarks/mini_causal.py --out FOLDER [--roles 500] [--steered-roles 125]

Everything is made by the product's own commands. The oracle answers the same questions, in the same roles and
settings, from the planted causal model: what it reaches is what the estimator can reach.

- *answers alone*: roles answer all items, unsteered; PC at .01.
- *with steering*: fewer roles and items, under CAA towards and away from each value; the unsteered rows'
  graph, turned by the pushes.
- *total effects*: correlation of the changes under steering, a unit of the value's own change, with the planted
  ones, for CAA and for the directions that were planted.
- *effects*: how often values that the planted graph expects to move along do, on test roles and items.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from valuebench_harness.causal.graph import ValueGraph
from valuebench_harness.causal.graph_files import read_graph
from valuebench_harness.data.grammar import scm
from valuebench_harness.mini import weights_path

ALPHA = "0.01"
PLANTED_STRENGTH = "2"
EFFECT_ITEMS = 12
VALUES = tuple(scm.INDEX)


def main() -> None:
    """Runs everything and prints a table; what is finished in the folder is not run again."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="folder of all collections")
    parser.add_argument("--roles", type=int, default=500, help="for answers alone")
    parser.add_argument("--steered-roles", type=int, default=125, help="for steering")
    parser.add_argument("--effect-roles", type=int, default=25, help="test roles for total effects and effects")
    parser.add_argument("--items", type=int, default=6, help="items a value under steering")
    given = parser.parse_args()
    found = measure(given.out, given.roles, given.steered_roles, given.effect_roles, given.items)
    print(json.dumps(found, indent=1))


def measure(out: Path, roles: int, steered_roles: int, effect_roles: int, items: int) -> dict[str, Any]:
    """All figures.

    Args:
        out: folder of all collections.
        roles: that answer alone.
        steered_roles: that answer under steering.
        effect_roles: that show total effects and test a graph's predictions.
        items: of each value under steering.
    """
    out.mkdir(parents=True, exist_ok=True)
    vharness("causal", "reference", "planted", "--out", out / "planted.json")
    found: dict[str, Any] = {"answers alone": {}, "with steering": {}, "total effects": {}}
    for who, options in {"mini": (), "oracle": ("--oracle",)}.items():
        alone = collect(out / f"alone-{who}", roles, *options, "--test-roles", 0, "--item-share", 1)
        graph = discover(alone / "train.csv", out / f"alone-{who}.json")
        found["answers alone"][who] = recovered(graph)
        crossed = ("--test-roles", 0, "--item-share", 1, "--limit", items, "--steerers", "caa")
        steered = collect(out / f"steered-{who}", steered_roles, *options, *crossed)
        turned = discover(steered / "train.csv", out / f"turned-{who}.json", "--turn-by-changes", "--targets", steered)
        found["with steering"][who] = recovered(turned)
        plain = discover(steered / "train.csv", out / f"plain-{who}.json", "--published")
        found["with steering"][f"{who}, plain PC on crossed rows"] = recovered(plain)
        found["total effects"][f"{who}, caa"] = correlation(steered, out / f"pushed-{who}.json")
    vectors = planted_vectors(out / "vectors")
    pushes = ("--steerers", "vector", "--set", f"file={vectors}/{{value}}.safetensors", "--strength", PLANTED_STRENGTH)
    whole = ("--test-roles", 0, "--item-share", 1, "--limit", items)
    pushed = collect(out / "planted", effect_roles, *whole, *pushes)
    found["total effects"]["mini, planted directions"] = correlation(pushed, out / "pushed-planted.json")
    found["effects"] = predicted(out, effect_roles)
    return found


def collect(folder: Path, roles: int, *options: object) -> Path:
    """A collection with exact probabilities, unless it is told otherwise."""
    score = () if "--score" in options else ("--score", "probability")
    vharness("causal", "collect", "--roles", roles, "--seed", 1, *score, "--out", folder, "--resume", *options)
    return folder


def discover(table: Path, out: Path, *options: object) -> ValueGraph:
    """A graph, found at the level of all graphs here."""
    vharness("causal", "discover", table, "--alpha", ALPHA, "--bootstraps", 0, "--out", out, *options)
    return read_graph(out, VALUES)


def recovered(graph: ValueGraph) -> dict[str, Any]:
    """F1 of adjacencies and of directions, against the planted edges."""
    truth = {(cause, effect) for cause, effect, _ in scm.EDGES}
    arrows = {(e.source, e.target) for e in graph.edges if e.mark == "-->"}
    pairs = {e.pair for e in graph.edges}
    return {
        "adjacency_f1": f1(pairs, {frozenset(edge) for edge in truth}),
        "direction_f1": f1(arrows, truth),
        "edges": len(graph.edges),
    }


def f1(found: set[Any], truth: set[Any]) -> float:
    """Harmonic mean of precision and recall."""
    return round(2 * len(found & truth) / (len(found) + len(truth)), 3)


def correlation(folder: Path, out: Path) -> float:
    """Of total effects under steering with the planted ones, the values' effects on themselves left out."""
    graph = discover(folder / "train.csv", out, "--targets", folder)
    effects = graph.about["total_effects"]
    assert isinstance(effects, Mapping)
    measured, planted = [], []
    for cause, row in effects.items():
        assert isinstance(row, Mapping)
        for value, effect in row.items():
            if value != cause:
                assert isinstance(effect, Mapping)
                measured.append(float(str(effect["estimate"])))
                planted.append(scm.TOTAL_EFFECTS[scm.INDEX[value], scm.INDEX[cause]])
    return round(float(np.corrcoef(measured, planted)[0, 1]), 3)


def predicted(out: Path, roles: int) -> dict[str, Any]:
    """Frequencies of expected and unexpected changes under CAA, by the planted graph, on test roles."""
    # Written answers: of probabilities, every one changes a little. Five roles train, as the tables need some.
    options = ("--score", "answers", "--test-roles", roles, "--limit", EFFECT_ITEMS, "--steerers", "caa")
    # Under steering a few answers are no sentences; they are left out, and told of.
    folder = collect(out / "effects", roles + 5, *options, "--max-unscored", 0.05)
    tables = ("--train", folder / "train.csv", "--test", folder / "test.csv")
    text = vharness("causal", "score", *tables, "--graph", out / "planted.json", "--format", "json")
    effects: dict[str, Any] = json.loads(text)["effects"]["sae"]
    counts = json.loads((folder / "collect.json").read_text(encoding="utf-8"))["counts"]
    told = {key: effects[key] for key in ("expected", "unexpected", "permutation_p")}
    return {**told, "answers": counts["test"], "unscored": counts["test_unscored"]}


def planted_vectors(folder: Path) -> Path:
    """The planted directions as steering vectors, a file a value; one unit of e is as long as one of them."""
    folder.mkdir(parents=True, exist_ok=True)
    with safe_open(weights_path() / "planted.safetensors", framework="numpy") as file:
        facts = file.metadata()
        directions = file.get_tensor("directions") * float(facts["scale"])
    for value, direction in zip(json.loads(facts["values"]), directions, strict=True):
        save_file({f"layer.{facts['block']}": direction.astype(np.float32)}, folder / f"{value}.safetensors")
    return folder


def vharness(*arguments: object) -> str:
    """Runs the console script; its progress is shown, its output returned."""
    script = "from valuebench_harness.cli.main import main; main()"
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"vharness {' '.join(command[3:])} ended with {done.returncode}.")
    return done.stdout


if __name__ == "__main__":
    main()
