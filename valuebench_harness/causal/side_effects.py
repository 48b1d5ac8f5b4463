"""Does a graph foretell what steering a value moves along? Kang, Section 2.3, where the value aimed at is known.

When a value moves, a graph expects the values to move that a path leads to from it, and no other. Each change
beside the value steered is so one of four: expected and moved, expected and *missed*, *unexpected*, or neither.
A condition counts where its own value is shown to move: else the graph foretells nothing.

Kang counts every value that a steering changed as a cause, since a feature or a role aims at none. Here only the
value aimed at is one: what moves along with it would else be asked for effects of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from valuebench_harness.causal.effects import PERMUTATIONS, average, masked_mean, permutation_p
from valuebench_harness.causal.estimates import DRAWS, Estimate, cluster_counts, interval
from valuebench_harness.causal.graph import BoolArray, ValueGraph
from valuebench_harness.causal.signs import foretold_signs
from valuebench_harness.causal.table import FloatArray
from valuebench_harness.metrics.matrix import Cell
from valuebench_harness.metrics.paired import Change

Verdict = Literal["expected", "missed", "unexpected", "still", "unmeasured"]
"""Expected: foretold and moved. Missed: foretold, and no move was shown. Unmeasured: no item was scored twice."""


class OtherValue(BaseModel):
    """A value beside the one steered.

    Attributes:
        value: its id.
        verdict: what became of the graph's word.
        foretold: whether the graph expects it to move.
        direction: the way it is foretold to move, given the way the steered value went; 0 where the graph
            does not say.
        change: of its favour rate.
        p: of no change, by Holm over all changes beside steered values; below 0.05 it moved.
        detectable: the least true change that 80% of such samples would show in that family of tests.
    """

    model_config = ConfigDict(frozen=True)

    value: str
    verdict: Verdict
    foretold: bool
    direction: int
    change: Change
    p: float | None
    detectable: float | None

    @property
    def other_way(self) -> bool:
        """Whether it moved against the direction foretold."""
        return self.verdict == "expected" and (self.change.estimate or 0.0) * self.direction < 0


class SteeredValue(BaseModel):
    """A condition that steers one value.

    Attributes:
        value: its id.
        change: of the favour rate of its own dilemmas; ``None`` where they were not asked.
        detectable: the least true change of it that 80% of such samples would show.
        moved: whether that change stands, by Holm over the values steered; only then the condition counts.
        others: the values beside it that the graph knows.
    """

    model_config = ConfigDict(frozen=True)

    value: str
    change: Change | None
    detectable: float | None
    moved: bool
    others: tuple[OtherValue, ...]

    def of(self, *verdicts: Verdict) -> tuple[OtherValue, ...]:
        """The values of these verdicts."""
        return tuple(other for other in self.others if other.verdict in verdicts)


class Frequencies(BaseModel):
    """How often values move along: Kang's two frequencies, a condition a value v.

    Attributes:
        expected: mean over the conditions of the share of expected values that moved.
        unexpected: of the others.
        gap: expected minus unexpected.
        permutation_p: share of graphs of the same shape with shuffled values whose gap is as large; ``None``
            without a gap.
    """

    model_config = ConfigDict(frozen=True)

    expected: Estimate
    unexpected: Estimate
    gap: Estimate
    permutation_p: float | None


class SideEffects(BaseModel):
    """What a graph foretold of the side effects at one level of strength, and what came of it.

    Attributes:
        level: number of the level.
        conditions: those that steer one value of the graph.
        tests: changes beside steered values that were looked at: the family that p is adjusted over.
        totals: values by verdict, over the conditions that count.
        unscored: items left out of these changes, since one side has no verdict.
        frequencies: ``None`` where no condition counts.
    """

    model_config = ConfigDict(frozen=True)

    level: int
    conditions: tuple[SteeredValue, ...]
    tests: int
    totals: dict[Verdict, int]
    unscored: int
    frequencies: Frequencies | None


def known_values(graph: ValueGraph) -> tuple[str, ...]:
    """The nodes that a graph speaks of: those that no search left out."""
    left_out = graph.about.get("values_left_out")
    return tuple(node for node in graph.nodes if not isinstance(left_out, dict) or node not in left_out)


def side_effects(
    level: int,
    cells: Sequence[Cell],
    graph: ValueGraph,
    sign: int,
    *,
    seed: int = 0,
    draws: int = DRAWS,
    permutations: int = PERMUTATIONS,
) -> SideEffects:
    """Holds a graph against a matrix of changes.

    Args:
        level: number of the level of strength.
        cells: of the whole matrix: p is adjusted over them, whether the graph has their values or not.
        graph: that foretells.
        sign: +1 where values are raised, -1 where lowered: the way a value is taken to go that is not shown to move.
        seed: of bootstrap and permutations.
        draws: bootstrap samples of the conditions.
        permutations: relabellings of the nodes.
    """
    forecast = _Forecast(graph, cells)
    conditions = tuple(
        forecast.condition([c for c in cells if c.steered == value], sign)
        for value in dict.fromkeys(c.steered for c in cells)
        if value in forecast.place
    )
    counted = [c for c in conditions if c.moved]
    others = [other for c in counted for other in c.others]
    rng = np.random.default_rng(seed)
    return SideEffects(
        level=level,
        conditions=conditions,
        tests=forecast.tests[False],
        totals=dict(Counter(other.verdict for other in others)),
        unscored=sum(other.change.unscored for other in others),
        frequencies=forecast.frequencies(counted, rng, draws, permutations) if counted else None,
    )


class _Forecast:
    """A graph asked about the cells of a matrix.

    Args:
        graph: that foretells.
        cells: of the matrix.
    """

    def __init__(self, graph: ValueGraph, cells: Sequence[Cell]) -> None:
        known = known_values(graph)
        self.graph = graph.over(known)
        self.signs = foretold_signs(self.graph)
        self.place = {value: n for n, value in enumerate(known)}
        self.tests = {own: sum(c.p is not None for c in cells if c.on_target is own) for own in (True, False)}

    def condition(self, row: Sequence[Cell], sign: int) -> SteeredValue:
        """One value steered, from its row of the matrix."""
        own = next((cell for cell in row if cell.on_target), None)
        moved = own is not None and own.shown
        way = int(np.sign(own.change.estimate or 0.0)) if own is not None and moved else sign
        return SteeredValue(
            value=row[0].steered,
            change=own.change if own else None,
            detectable=self._detectable(own) if own else None,
            moved=moved,
            others=tuple(self._other(c, way) for c in row if not c.on_target and c.measured in self.place),
        )

    def _other(self, cell: Cell, way: int) -> OtherValue:
        at = self.place[cell.steered], self.place[cell.measured]
        foretold = bool(self.graph.reach[at])
        verdict: Verdict
        if cell.p is None:
            verdict = "unmeasured"
        elif cell.shown:
            verdict = "expected" if foretold else "unexpected"
        else:
            verdict = "missed" if foretold else "still"
        return OtherValue(
            value=cell.measured,
            verdict=verdict,
            foretold=foretold,
            direction=way * int(self.signs[at]),
            change=cell.change,
            p=cell.p,
            detectable=self._detectable(cell),
        )

    def _detectable(self, cell: Cell) -> float | None:
        return None if cell.p is None else cell.change.detectable_among(self.tests[cell.on_target])

    def frequencies(
        self, counted: Sequence[SteeredValue], rng: np.random.Generator, draws: int, permutations: int
    ) -> Frequencies:
        """Shares of expected and unexpected values that moved; the bootstrap resamples conditions."""
        moved: FloatArray = np.full((len(counted), len(self.place)), np.nan)
        for row, condition in enumerate(counted):
            for other in condition.others:
                if other.verdict != "unmeasured":
                    moved[row, self.place[other.value]] = other.verdict in {"expected", "unexpected"}
        steered = [self.place[c.value] for c in counted]

        def shares(reach: BoolArray) -> FloatArray:
            """``[..., side, condition]`` of reaches ``[..., n, n]``."""
            rows = reach[..., steered, :]
            return np.stack([masked_mean(moved, rows), masked_mean(moved, ~rows)], axis=-2)

        def with_gap(sides: FloatArray) -> FloatArray:
            """``[..., 3]``: both means and their gap, of ``[..., side]``."""
            return np.concatenate([sides, sides[..., :1] - sides[..., 1:]], axis=-1)

        here = shares(self.graph.reach)
        point = with_gap(average(here))
        weights = cluster_counts(len(counted), draws, rng)[:, None, :] * ~np.isnan(here)
        with np.errstate(invalid="ignore"):
            samples = with_gap((weights * np.nan_to_num(here)).sum(axis=-1) / weights.sum(axis=-1))
        known = [int(n) for n in (~np.isnan(here)).sum(axis=-1)]
        estimates = [interval(float(point[k]), samples[:, k], n) for k, n in enumerate((*known, min(known)))]
        return Frequencies(
            expected=estimates[0],
            unexpected=estimates[1],
            gap=estimates[2],
            permutation_p=permutation_p(
                self.graph.reach,
                float(point[2]),
                lambda relabelled: with_gap(average(shares(relabelled)))[..., 2],
                permutations,
                rng,
            ),
        )
