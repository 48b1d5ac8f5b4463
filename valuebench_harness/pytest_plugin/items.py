"""Test items: an expectation of a YAML file each, and a gate of a baseline each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from valuebench_harness.errors import UsageError, VharnessError
from valuebench_harness.harness.compare.verdicts import UNMEASURED, MetricVerdict
from valuebench_harness.harness.config import RunConfig
from valuebench_harness.metrics.ids import METRICS
from valuebench_harness.pytest_plugin.evaluations import key_of
from valuebench_harness.pytest_plugin.expectations import Bounds, Case, SideEffects, Versus, read_cases
from valuebench_harness.pytest_plugin.measured import ALL, Measured
from valuebench_harness.pytest_plugin.state import BASE, Gate, State, state_of
from valuebench_harness.reports.behind import Claim

if TYPE_CHECKING:
    from valuebench_harness.reports.session import Kind


class UnmetError(Exception):
    """An expectation does not hold; the message says why, in lines."""


class _Item(pytest.Item):
    """Shows errors that are meant for people as what they are, without a traceback."""

    lineno: int = 0
    kind: Kind = "expectation"
    _told = False

    @property
    def state(self) -> State:
        return state_of(self.config)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, UnmetError | VharnessError):
            return f"{self.path.name}:{self.lineno + 1}: {excinfo.value}" if self.lineno else str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, self.lineno, self.name

    def runtest(self) -> None:
        """Looks at what the item is about; a failure that said nothing of itself yet is told in its own words."""
        try:
            self.look()
        except (UnmetError, VharnessError) as error:
            if not self._told:
                self.record(expectation=self.name, found=str(error), verdict="failed")
            raise

    def look(self) -> None:
        """Raises where what the item is about does not hold."""
        raise NotImplementedError

    def record(self, *, claim: Claim | None = None, **facts: Any) -> None:
        """Facts of the result, for the table at the end, the page and JUnit."""
        self._told = self._told or "expectation" in facts
        about = {"claim": asdict(claim)} if claim else {}
        self.user_properties.append(("vharness", json.dumps({"kind": self.kind, **facts, **about})))


class ExpectationFile(pytest.File):
    """A ``test_*.vharness.yaml`` file."""

    def collect(self) -> Iterator[pytest.Item]:
        """One test an expectation."""
        try:
            cases = read_cases(self.path)
        except UsageError as error:
            raise self.CollectError(str(error)) from None
        for case in cases:
            for key in case.expect.given:
                name = f"{case.name}:{key}" if len(cases) > 1 else key
                yield Expectation.from_parent(self, name=name, case=case, key=key)


class Expectation(_Item):
    """One expectation of a case."""

    def __init__(self, *, case: Case, key: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.case, self.key = case, key
        self.lineno = case.lines[key] - 1

    @property
    def run_config(self) -> RunConfig:
        """What is run."""
        return self.case.config

    def gates(self, state: State) -> list[Gate]:
        """The paired tests that it makes."""
        expected = getattr(self.case.expect, self.key)
        if isinstance(expected, Bounds) and expected.drop_max is not None:
            return [Gate(state, self.run_config, self.key, expected.drop_max, BASE)]
        if isinstance(expected, Versus):
            other = self.run_config.model_copy(update={"steerer": expected.steerer, "strength": None, "settings": {}})
            against = BASE if expected.steerer == BASE else other
            return [Gate(state, self.run_config, expected.metric, expected.margin, against)]
        return []

    def look(self) -> None:
        """Evaluates the case, once a session, and checks the expectation."""
        run, key = self.state.measure(self.run_config), key_of(self.run_config)
        self.record(run=run.facts())
        expected = getattr(self.case.expect, self.key)
        if isinstance(expected, SideEffects):
            found = run.side_effects[ALL]
            found = run.side_effects_except(expected.left_out) if expected.left_out else found
            self._bound(found, Claim(key, self.key, left_out=expected.left_out), max_=expected.max)
        elif isinstance(expected, Bounds):
            by_value = run.metric(self.key)
            for name in [n for n in by_value if n != ALL] if expected.each and by_value else [ALL]:
                self._bound(by_value[name], Claim(key, self.key, value=name), expected.min, expected.max)
        for gate in self.own_gates:
            self._gate(gate, isinstance(expected, Versus))

    own_gates: tuple[Gate, ...] = ()

    def _bound(self, found: Measured, about: Claim, min_: float | None = None, max_: float | None = None) -> None:
        wanted = " and ".join(f"{sign} {x:g}" for sign, x in ((">=", min_), ("<=", max_)) if x is not None)
        if not wanted:
            return
        self.record(
            expectation=f"{self.case.name}: {found.title} {wanted}",
            found=found.in_words(),
            verdict=_held(found, min_, max_),
            claim=replace(about, bound="high" if min_ is None or (max_ is not None and found > max_) else "low"),
        )
        if _held(found, min_, max_) == "failed":
            raise UnmetError("\n".join([f"expected {found.title} {wanted}", *found.lines()]))

    def _gate(self, gate: Gate, versus: bool) -> None:
        verdict = self.state.verdict(gate)
        against = gate.against.steerer if isinstance(gate.against, RunConfig) else BASE
        what = f"{self.case.name}: {gate.title} against {against}"
        lacking = versus and against == BASE and verdict.verdict != "better"
        said = "not shown to be better" if lacking else verdict.verdict
        self.record(expectation=what, found=in_words(verdict), verdict=said, claim=gate.claim)
        if lacking:
            raise UnmetError(f"not shown to be better than the base.\n{gate.title}: {in_words(verdict)}")
        check(verdict, f"{gate.title} against {against}")


def _held(found: Measured, min_: float | None, max_: float | None) -> str:
    """Written so that an undefined number fails."""
    low = min_ is None or found >= min_
    high = max_ is None or found <= max_
    return "passed" if low and high else "failed"


class BaselineGate(_Item):
    """One metric of one configuration against the baseline."""

    kind = "gate"

    def __init__(self, *, run_config: RunConfig, gate: Gate, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.run_config, self.gate = run_config, gate

    def look(self) -> None:
        """Compares with the baseline, or replaces it."""
        state, gate = self.state, self.gate
        if state.options.update:
            state.measure(self.run_config)
            self.record(expectation=self.name, found="baseline replaced", verdict="updated", claim=gate.claim)
            return
        verdict = state.verdict(gate)
        if verdict.reason == UNMEASURED:
            pytest.skip(f"this configuration does not measure {gate.metric}")
        self.record(expectation=self.name, found=in_words(verdict), verdict=verdict.verdict, claim=gate.claim)
        notes = setup_notes(state, self.run_config)
        check(verdict, f"{gate.title} against baseline '{state.options.compare}'", notes)


class Orphans(_Item):
    """Fails where the baseline holds runs that no test belongs to any more."""

    kind = "gate"

    def look(self) -> None:
        """Looks for files that no test belongs to."""
        orphans = self.state.orphans
        if orphans:
            baseline = self.state.baseline
            assert baseline is not None
            raise UnmetError(
                f"baseline '{baseline.name}' holds {', '.join(orphans)}, which no test belongs to: a test was removed, "
                f"renamed or changed. Delete the files from {baseline.folder} if that is so."
            )


def check(verdict: MetricVerdict, what: str, notes: Iterable[str] = ()) -> None:
    """Raises where a gate is closed.

    Raises:
        UnmetError: for a regression, or where nothing could be compared.
    """
    more = "".join(f"\n{note}" for note in notes)
    if verdict.verdict == "not comparable":
        raise UnmetError(
            f"{what}: not comparable, so not known to be as good: {verdict.reason}.{more}\n"
            "Where the data or the judge was meant to change, save the baseline again (--vharness-update)."
        )
    if verdict.verdict == "worse":
        raise UnmetError(f"regression: {what}\n{in_words(verdict)}{more}")


def in_words(m: MetricVerdict) -> str:
    """A gate's numbers on one line."""
    if m.estimate is None or m.low is None or m.high is None:
        return m.reason or f"undefined: {m.n} items scored on both sides, {m.unscored} not"
    better = "higher" if METRICS[m.metric].higher_is_better else "lower"
    p = f", p {m.adjusted:.2g} (Holm)" if m.adjusted is not None else ""
    power = ""
    if m.verdict == "no difference shown" and m.detectable is not None:
        power = f"; {m.detectable:.3f} would be shown"
    return (
        f"{m.before:.3f} to {m.after:.3f}, change {m.estimate:+.3f} [{m.low:+.3f}, {m.high:+.3f}], n {m.n}, "
        f"{m.down} fell, {m.up} rose, {m.unscored} unscored{p}; "
        f"margin {m.margin:g}, {better} is better; {m.verdict}{power}"
    )


def setup_notes(state: State, config: RunConfig) -> tuple[str, ...]:
    """What else changed since the baseline, such as the model's weights."""
    from valuebench_harness.harness.compare.verdicts import differences_of_setup

    return differences_of_setup(state.baseline_of(config), state.observations(config))


def gate_name(config: RunConfig, metric: str) -> str:
    """Name of a baseline's gate; brackets would be read as parameters by ``--lf``."""
    return f"vharness-{key_of(config)}-{metric}"
