"""Everything between a loaded model and its first answer: fits, gate decisions, the asker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from valuebench_harness.harness.fitting import Fitter, code_identity, learns
from valuebench_harness.harness.gating import decide
from valuebench_harness.harness.records import BASE, FitRecord
from valuebench_harness.harness.requests import Asker, conversation
from valuebench_harness.steerers.base import check_layers
from valuebench_harness.steerers.registry import NO_GATE, make_gate
from valuebench_harness.steerers.states import States

if TYPE_CHECKING:
    from valuebench_harness.engine.model import SteeredModel
    from valuebench_harness.harness.cache import Cache
    from valuebench_harness.harness.plan import Plan
    from valuebench_harness.harness.progress import Reporter
    from valuebench_harness.steerers.artifact import Artifact
    from valuebench_harness.steerers.gates.base import Gate


@dataclass(frozen=True)
class Prepared:
    """What answering needs.

    Attributes:
        asker: turns cells into asks.
        artifacts: of the method, by value.
        gate: the gate, where there is one.
        gate_artifacts: of the gate, by value.
        states: of the unsteered model, for further gate decisions.
        fits: what was fitted.
    """

    asker: Asker
    artifacts: Mapping[str, Artifact]
    gate: Gate[Any] | None
    gate_artifacts: Mapping[str, Artifact]
    states: States
    fits: tuple[FitRecord, ...]


def prepare(plan: Plan, model: SteeredModel, cache: Cache, report: Reporter) -> Prepared:
    """Fits the method and its gate for every value and decides on every prompt.

    Raises:
        UsageError: where a layer does not exist or a method cannot be fitted.
    """
    config = plan.config
    states = States(model, config.batch_size)
    artifacts: dict[str, Artifact] = {}
    gate_artifacts: dict[str, Artifact] = {}
    fits: list[FitRecord] = []
    gate = make_gate(plan.gate_name, config.gate_settings)
    if plan.steerer.name == BASE.steerer:
        return Prepared(Asker(model, plan.family, plan.steerer, config, {}, {}), {}, None, {}, states, ())
    fitter = Fitter(model, plan.family, states, config.context_controlled, config.seed)
    if config.layers is not None:
        check_layers(config.layers, fitter.shape)
    identity = code_identity(plan.steerer)
    total = len(plan.values) * (learns(plan.steerer) + (gate is not None))
    with report.stage("fit", total, "fits") as advance:
        for value in plan.values:
            artifact, record = fitter.fit(plan.steerer, identity, value, config.layers)
            if artifact is not None and record is not None:
                artifact.check_model(
                    name=model.name, fingerprint=model.fingerprint, n_layers=model.n_layers, width=model.width
                )
                artifacts[value] = artifact
                fits.append(record)
                advance()
            if gate is not None:
                artifact, record = fitter.fit(gate, code_identity(gate), value)
                assert artifact is not None
                assert record is not None
                gate_artifacts[value] = artifact
                fits.append(record)
                advance()
    decisions = {}
    if gate is not None:
        texts: dict[str, dict[str, None]] = {v: {} for v in plan.values}
        for condition, document in plan.cells:
            if condition.gate != NO_GATE and condition.value is not None:
                texts[condition.value][model.render(conversation(document, config.system_prompt))] = None
        decisions = decide(gate, gate_artifacts, {v: list(t) for v, t in texts.items()}, states, cache)
    asker = Asker(model, plan.family, plan.steerer, config, artifacts, decisions)
    return Prepared(asker, artifacts, gate, gate_artifacts, states, tuple(fits))
