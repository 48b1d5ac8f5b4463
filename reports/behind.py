"""The samples behind a test: those that a bounded number rests on, or that differ from what a run is held against."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from valuebench_harness.harness.compare.observations import Observations, Outcomes, condition_key, observe
from valuebench_harness.harness.records import BASE, Condition
from valuebench_harness.harness.run import Run
from valuebench_harness.metrics.ids import METRICS

ALL = "all"
BASELINE = "baseline"

FLIPS = ("csr", "fr", "exam")
"""Metrics by whose outcomes a test that names none is looked at."""


@dataclass(frozen=True)
class Claim:
    """What a test says of a run.

    Attributes:
        run: its name.
        metric: that the test looks at; empty where it may look at anything.
        value: steered, or ``all``.
        left_out: values whose items do not matter.
        bound: the end at which the metric is bounded; empty for a test against something.
        against: ``base``, ``baseline``, or the name of another run.
    """

    run: str
    metric: str = ""
    value: str = ALL
    left_out: tuple[str, ...] = ()
    bound: Literal["", "low", "high"] = ""
    against: str = BASE.id


@dataclass(frozen=True)
class Behind:
    """A sample behind a test.

    Attributes:
        sample: its key in the test's run.
        other: run and key of the sample that stands beside it: of the run that it is held against where there is
            one, else the unsteered one.
        note: what it shows.
    """

    sample: str
    other: tuple[str, str]
    note: str


class Evidence:
    """Finds the samples behind the tests of a session.

    Args:
        runs: finished runs by name.
        baseline: gives a run's stored outcomes; ``None`` where there are none to compare with.
    """

    def __init__(self, runs: Mapping[str, Run], baseline: Callable[[str], Observations | None]) -> None:
        self._runs = runs
        self._baseline = baseline
        self._observed: dict[tuple[str, bool], Observations] = {}

    def behind(self, claim: Claim) -> list[Behind]:
        """The samples behind a test, each once: those that count against a bound first, else in the run's order."""
        if claim.run not in self._runs:
            return []
        after = self._observe(claim.run).outcomes
        found: dict[str, Behind] = {}
        for metric in [claim.metric] if claim.metric else FLIPS:
            outcomes = after.get(metric, {})
            notes = _bounded(claim, outcomes) if claim.bound else self._differing(claim, metric, outcomes)
            for item, repeat, note in notes:
                for each in self._at(claim, metric, item, repeat, note):
                    found.setdefault(each.sample, each)
        return list(found.values())

    def _observe(self, name: str, *, base: bool = False) -> Observations:
        if (name, base) not in self._observed:
            self._observed[name, base] = observe(self._runs[name], base=base)
        return self._observed[name, base]

    def _held(self, claim: Claim) -> Observations | None:
        """What the run is held against."""
        if claim.against == BASE.id:
            return self._observe(claim.run, base=True)
        if claim.against == BASELINE:
            return self._baseline(claim.run)
        return self._observe(claim.against) if claim.against in self._runs else None

    def _differing(self, claim: Claim, metric: str, outcomes: Outcomes) -> Iterator[tuple[str, int, str]]:
        """Items whose outcomes are others than what the run is held against has, with what they did."""
        held = self._held(claim)
        before = held.outcomes.get(metric, {}) if held else {}
        against = f"the {claim.against}" if claim.against in (BASE.id, BASELINE) else "the other method"
        for item, found in outcomes.items():
            for repeat, (old, new) in enumerate(zip(before.get(item, ()), found, strict=False)):
                if old is not None and new is not None and old != new:
                    yield item, repeat, f"{METRICS[metric].title} {'rose' if new > old else 'fell'} against {against}"

    def _at(self, claim: Claim, metric: str, item: str, repeat: int, note: str) -> Iterator[Behind]:
        """The samples of one outcome of an item; side effects have one for all answers to it."""
        run, other = self._runs[claim.run], self._runs.get(claim.against)
        place, _, document = item.rpartition("|")
        key = place.partition(">")[0]
        condition = _conditions(run)[key]
        if claim.value not in (ALL, condition.value) or run.documents[document].value in claim.left_out:
            return
        if claim.bound and condition.level:
            return  # a bound is that of the first strength
        under = BASE.id if other is None else _conditions(other)[key].id
        beside = claim.run if other is None else claim.against
        repeats: Sequence[int] = range(run.info.config.n_samples) if metric == "side_effects" else [repeat]
        for n in repeats:
            yield Behind(f"{condition.id}|{document}|{n}", (beside, f"{under}|{document}|{n}"), note)


def _bounded(claim: Claim, outcomes: Outcomes) -> list[tuple[str, int, str]]:
    """All items that a bounded metric rests on, with what they do to it; those at the forbidden end stand first."""
    title = METRICS[claim.metric].title
    best, worst = (1.0, -1.0) if claim.metric == "consistency" else (1.0, 0.0)
    notes = {best: f"counts for {title}", worst: f"counts against {title}", None: "not scored"}
    found = []
    for item, each in outcomes.items():
        for repeat, outcome in enumerate(each):
            if claim.metric == "side_effects":
                # The number is made of changes; those that are none take no part in it that could be looked at.
                if outcome:
                    found.append((-abs(outcome), item, repeat, f"moved by {100 * outcome:+.0f} points"))
            elif outcome in notes:  # a questionnaire answer that did not change counts neither way
                forbidden = outcome == (worst if claim.bound == "low" else best)
                found.append((-float(forbidden), item, repeat, notes[outcome]))
    return [(item, repeat, note) for _, item, repeat, note in sorted(found, key=lambda entry: entry[0])]


def _conditions(run: Run) -> dict[str, Condition]:
    """The steered conditions of a run by what they aim at; no ungated twins."""
    return {condition_key(c): c for c in run.conditions.values() if c.id != BASE.id and not c.is_twin}
