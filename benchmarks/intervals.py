"""Are 95% intervals 95% intervals? Simulations with a known truth.

    python -m benchmarks.intervals

Each line is a share with the simulation's own exact 95% interval; "naive" is what one would do without clusters, or
without human labels. The last part asks `mini` itself, whose oracle knows the truth.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.support import oracle_coverage as oracle
from tests.support import simulations as sim
from tests.support.simulations import Share
from valuebench_harness.data.grammar.acts import VALUES


def line(name: str, share: Share) -> None:
    """Prints one share."""
    low, high = share.interval
    print(f"  {name:<62} {share.estimate:6.3f}   {low:.3f} to {high:.3f}")


def of_mini(name: str, populations: Sequence[oracle.Population], trials: int) -> None:
    """Prints coverage on answers of ``mini``, by answers a question."""
    truths = [population.truth for population in populations]
    for n_samples in range(1, oracle.SAMPLES + 1):
        asked = f"mini {name} ({min(truths):.2f} to {max(truths):.2f}), {oracle.DRAWN} x {n_samples}"
        line(asked, oracle.coverage(populations, n_samples, trials))


def main() -> None:
    """Prints all simulations."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=2_000)
    trials = parser.parse_args().trials
    print(f"{trials} data sets each\nCoverage of control success (95% wanted)")
    for design in sim.DESIGNS:
        ours, naive = sim.coverage_of_rates(design, trials)
        line(str(design), ours)
        if design.repeats > 1:
            line("    naive", naive)
    both, one = sim.coverage_over_roles(trials)
    line("24 questions x 16 roles, both as clusters", both)
    line("    naive: questions alone", one)
    print("False findings of paired tests at 0.05, 100 questions")
    for name, share in sim.errors_of_paired_tests(trials).items():
        line(name, share)
    print("False findings with 40 roles of 6 answers each")
    for name, share in sim.errors_of_clustered_tests(trials).items():
        line(name, share)
    print("Coverage of the rate that people would give, 100 labels (95% wanted)")
    for judge in sim.JUDGES:
        corrected, naive = sim.coverage_of_corrected_rates(judge, trials)
        line(str(judge), corrected)
        line("    naive: the judge alone", naive)
    print(
        f"Coverage of the oracle's truth by {oracle.DRAWN} questions a value, judged by option-match, {trials} of each"
    )
    for name, strength in ((f"at strength {oracle.MIDDLE:g}", oracle.MIDDLE), ("at the shipped strengths", None)):
        with tempfile.TemporaryDirectory() as folder:
            found = oracle.populations(VALUES, 2 * oracle.DRAWN, Path(folder), strength=strength)
        if strength is not None:
            of_mini("unsteered", found[oracle.UNSTEERED], trials)
        of_mini(name, found[oracle.STEERED], trials)


if __name__ == "__main__":
    main()
