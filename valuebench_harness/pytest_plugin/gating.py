"""Which gates a session has: those of its expectations, and one for each metric of each run with a baseline."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from valuebench_harness.errors import UsageError, VharnessError
from valuebench_harness.harness.config import RunConfig, make_config
from valuebench_harness.pytest_plugin.evaluations import key_of
from valuebench_harness.pytest_plugin.items import BaselineGate, Expectation, ExpectationFile, Orphans, gate_name
from valuebench_harness.pytest_plugin.plugin import MARK, _complete
from valuebench_harness.pytest_plugin.state import Gate, state_of
from valuebench_harness.reports.behind import BASELINE


def marked_config(item: pytest.Item) -> RunConfig:
    """The configuration that a test's marker names.

    Raises:
        UsageError: where there is no marker, or it names no configuration.
    """
    marker = item.get_closest_marker(MARK)
    if marker is None:
        raise UsageError(
            f"{item.nodeid} uses vharness_run without @pytest.mark.vharness(model=..., steerer=..., value=...)."
        )
    keys = dict(marker.kwargs)
    if marker.args:
        raise UsageError(f"{item.nodeid}: @pytest.mark.vharness takes keys only, such as steerer='conva'.")
    if "value" in keys:
        keys["values"] = (keys.pop("value"),)
    return make_config(**keys)


def add_gates(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Adds gates behind the tests; they come last, when the runs they need are there."""
    try:
        state = state_of(config)
    except VharnessError as error:
        raise pytest.UsageError(str(error)) from None
    for item in items:
        if isinstance(item, Expectation):
            item.own_gates = tuple(item.gates(state))
            state.gates += item.own_gates
    remember(items)
    if not state.options.compare:
        return
    seen: set[str] = set()
    added: list[pytest.Item] = []
    for item in items:
        run_config = _config_of(item)
        file = item.getparent(pytest.Module) or item.getparent(ExpectationFile)
        if run_config is None or file is None or key_of(run_config) in seen:
            continue
        seen.add(key_of(run_config))
        for metric in state.options.metrics:
            gate = Gate(state, run_config, metric, state.options.margin, BASELINE)
            state.gates.append(gate)
            name = gate_name(run_config, metric)
            added.append(BaselineGate.from_parent(file, name=name, run_config=run_config, gate=gate))
    if _complete(config) and added:
        parent = added[0].parent
        assert parent is not None
        added.append(Orphans.from_parent(parent, name=f"vharness-orphans-of-{state.options.compare}"))
    items += added


def remember(items: Sequence[pytest.Item]) -> None:
    """Notes the runs that tests belong to, selected or not."""
    for item in items:
        run_config = _config_of(item)
        if run_config is not None:
            state_of(item.config).known.add(key_of(run_config))


def _config_of(item: pytest.Item) -> RunConfig | None:
    """The configuration a test looks at; a marker that names none fails in its own test."""
    if isinstance(item, Expectation):
        return item.run_config
    if item.get_closest_marker(MARK) is None:
        return None
    try:
        return marked_config(item)
    except UsageError:
        return None
