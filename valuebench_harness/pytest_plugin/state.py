"""What one process of a session shares between its tests: options, runs, baseline, and the family of gates."""

from __future__ import annotations

from functools import cached_property

import pytest

from valuebench_harness.errors import UsageError
from valuebench_harness.harness.compare.baselines import Baseline
from valuebench_harness.harness.compare.observations import Observations, observe
from valuebench_harness.harness.compare.verdicts import MetricVerdict, decide, judge_metric
from valuebench_harness.harness.config import RunConfig
from valuebench_harness.metrics.ids import METRICS
from valuebench_harness.pytest_plugin.evaluations import Evaluations, forget_old_sessions, key_of
from valuebench_harness.pytest_plugin.measured import MeasuredRun
from valuebench_harness.pytest_plugin.options import Options, read_options
from valuebench_harness.pytest_plugin.plugin import session_id
from valuebench_harness.reports.behind import Claim

BASE = "base"


class Gate:
    """A paired test that may fail a session: one of a family whose false alarms are held together.

    Args:
        state: of the session.
        config: the run in question.
        metric: id of the metric.
        margin: harm that would not matter.
        against: what it is compared with: ``baseline``, ``base``, or a configuration.
    """

    def __init__(self, state: State, config: RunConfig, metric: str, margin: float, against: str | RunConfig) -> None:
        self.state, self.config, self.metric, self.margin, self.against = state, config, metric, margin, against

    @cached_property
    def difference(self) -> MetricVerdict:
        """The metric's difference, not yet a verdict.

        Raises:
            UsageError: where there is nothing to compare with.
        """
        after = self.state.observations(self.config)
        return judge_metric(self.metric, self._before(), after, self.margin)

    def _before(self) -> Observations:
        if isinstance(self.against, RunConfig):
            # Not a run that the test belongs to: a baseline does not keep it.
            return observe(self.state.evaluations.run(self.against))
        if self.against == BASE:
            return observe(self.state.evaluations.run(self.config), base=True)
        return self.state.baseline_of(self.config)

    @property
    def title(self) -> str:
        """The metric's name."""
        return METRICS[self.metric].title

    @property
    def claim(self) -> Claim:
        """What it says of the run."""
        against = key_of(self.against) if isinstance(self.against, RunConfig) else self.against
        return Claim(key_of(self.config), self.metric, against=against)


class State:
    """The plugin's memory in one process.

    Attributes:
        options: as given.
        baseline: that is saved or compared with, if any.
        evaluations: the session's runs.
        gates: all paired tests of the session.
        known: keys of the runs that tests belong to.

    Args:
        config: of pytest.

    Raises:
        UsageError: for options that make no sense.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.options: Options = read_options(config)
        name = self.options.save or self.options.compare
        self.baseline = Baseline(self.options.baselines, name) if name else None
        self.evaluations = Evaluations(self.options.runs, session_id(config))
        self.gates: list[Gate] = []
        self.known: set[str] = set()
        self._measured: dict[str, MeasuredRun] = {}
        self._observed: dict[str, Observations] = {}
        if not hasattr(config, "workerinput"):
            forget_old_sessions(self.options.runs)

    def measure(self, config: RunConfig) -> MeasuredRun:
        """Evaluates a configuration, once, and keeps its baseline where that is wanted."""
        key = key_of(config)
        if key not in self._measured:
            run = self.evaluations.run(config)
            self._observed[key] = observe(run)
            self._keep(key)
            self._measured[key] = MeasuredRun(run)
        return self._measured[key]

    def observations(self, config: RunConfig) -> Observations:
        """The outcomes of a configuration's run."""
        self.measure(config)
        return self._observed[key_of(config)]

    def _keep(self, key: str) -> None:
        baseline, options = self.baseline, self.options
        if baseline is None:
            return
        missing = not baseline.path(key).exists()
        if options.save or options.update or (options.update_new and missing):
            baseline.save(key, self._observed[key], overwrite=options.update)

    def baseline_of(self, config: RunConfig) -> Observations:
        """The stored outcomes of a configuration.

        Raises:
            UsageError: where the baseline does not hold it.
        """
        baseline, key = self.baseline, key_of(config)
        assert baseline is not None
        if not baseline.path(key).exists():
            held = ", ".join(baseline.held[:5]) or "nothing"
            raise UsageError(
                f"Baseline '{baseline.name}' has no {baseline.path(key)}: the test is new, or its configuration was "
                f"changed. It holds {held}. Save what is missing with --vharness-compare {baseline.name} "
                "--vharness-update-new."
            )
        return baseline.load(key)

    @cached_property
    def _decided(self) -> dict[int, MetricVerdict]:
        found: dict[int, MetricVerdict] = {}
        for gate in self.gates:
            try:
                found[id(gate)] = gate.difference
            except UsageError:
                continue  # fails by itself, and counts for no other
        verdicts = decide(list(found.values()), alpha=self.options.alpha)
        return dict(zip(found, verdicts, strict=True))

    def verdict(self, gate: Gate) -> MetricVerdict:
        """A gate's verdict; "worse" is held at alpha over all gates of the session.

        All gates' runs are needed for that, so the first gate that is asked waits for them.

        Raises:
            UsageError: where the gate has nothing to compare with.
        """
        _ = gate.difference
        return self._decided[id(gate)]

    @property
    def orphans(self) -> list[str]:
        """Files of the baseline that no test of the session belongs to."""
        return [key for key in self.baseline.held if key not in self.known] if self.baseline else []


STATE = pytest.StashKey[State]()


def state_of(config: pytest.Config) -> State:
    """The state of this process, made when first asked for.

    Raises:
        UsageError: for options that make no sense.
    """
    if STATE not in config.stash:
        config.stash[STATE] = State(config)
    return config.stash[STATE]
