"""False and missed edges where rows are roles x settings: the recommended test beside plain PC.

    python benchmarks/causal_errors.py [--tables 200]

Tables of 101 roles x 25 settings x 17 values. First no value has an effect on any other; then a random linear
model of 28 effects, of size .3 to .8, is planted. Every line gives the mean number of false edges
with its 95% interval, beside the 6.8 of 136 pairs that tests at 5% may report, and the share of true edges that
was found.
"""

from __future__ import annotations

import argparse

import numpy as np

from valuebench_harness.causal.independence import Estimand, make_test
from valuebench_harness.causal.simulation import planted, random_weights, simulate
from valuebench_harness.causal.skeleton import find_skeleton

ROLES, SETTINGS, VALUES, EDGES, ALPHA = 101, 25, 17, 28, 0.05
ESTIMANDS: tuple[Estimand, ...] = ("rows", "crossed", "within", "roles")
SHARES = ((0.0, 0.0), (0.3, 0.0), (0.0, 0.3), (0.58, 0.07))
"""Shares of the variance between roles and between settings; the last are those of the published table."""


def main() -> None:
    """Prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=200)
    tables = parser.parse_args().tables
    pairs = VALUES * (VALUES - 1) // 2
    print(f"{tables} tables a line; tests at {ALPHA:g} of {pairs} pairs: {ALPHA * pairs:.1f} false edges.\n")
    print(
        "| variance of roles, settings | test | false edges, none true | median | false edges, 28 true | true found |"
    )
    print("|---|---|---|---|---|---|")
    for role, setting in SHARES:
        found: dict[Estimand, list[tuple[int, int, float]]] = {e: [] for e in ESTIMANDS}
        for seed in range(tables):
            rng = np.random.default_rng(seed)
            weights = random_weights(VALUES, EDGES, rng)
            truth = planted(weights).adjacency
            truth = truth | truth.T
            empty = simulate(np.zeros((VALUES, VALUES)), ROLES, SETTINGS, rng, role, setting)
            full = simulate(weights, ROLES, SETTINGS, rng, role, setting)
            for estimand, counts in found.items():
                none = find_skeleton(make_test(empty, estimand), ALPHA).adjacent
                some = find_skeleton(make_test(full, estimand), ALPHA).adjacent
                counts.append(
                    (int(none.sum()) // 2, int((some & ~truth).sum()) // 2, float((some & truth).sum() / truth.sum()))
                )
        for estimand, counts in found.items():
            none_true, false, recall = np.array(counts).T
            cells = [
                f"{none_true.mean():.1f} ± {1.96 * none_true.std(ddof=1) / np.sqrt(tables):.1f}",
                f"{np.median(none_true):.0f}",
                f"{false.mean():.1f} ± {1.96 * false.std(ddof=1) / np.sqrt(tables):.1f}",
                f"{recall.mean():.3f} ± {1.96 * recall.std(ddof=1) / np.sqrt(tables):.3f}",
            ]
            print(f"| {role:g}, {setting:g} | {estimand} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
