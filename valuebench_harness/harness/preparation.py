"""Everything between a loaded model and its first answer: fits, gate decisions, the asker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from valuebench_harness.harness.chat_model import ChatModel
from valuebench_harness.harness.fitting import Fitter, learns
from valuebench_harness.harness.gating import decide
from valuebench_harness.harness.records import BASE, FitRecord
from valuebench_harness.harness.requests import Asker, conversation
from valuebench_harness.harness.targets import ArtifactKey
from valuebench_harness.steerers.base import check_layers
from valuebench_harness.steerers.gates.base import GatePrompt
from valuebench_harness.steerers.registry import NO_GATE, make_gate
from valuebench_harness.steerers.states import States

if TYPE_CHECKING:
    from valuebench_harness.harness.cache import Cache
    from valuebench_harness.harness.chat_model import AnyModel
    from valuebench_harness.harness.plan import Plan
    from valuebench_harness.harness.progress import Reporter
    from valuebench_harness.steerers.artifact import Artifact
    from valuebench_harness.steerers.gates.base import Gate


@dataclass(frozen=True)
class Prepared:
    """What answering needs.

    Attributes:
        asker: turns cells into asks.
        artifacts: of the method, by value and layers.
        gate: the gate, where there is one.
        gate_artifacts: of the gate, by value.
        states: of the unsteered model, for further gate decisions; ``None`` where it shows none.
        fits: what was fitted.
    """

    asker: Asker
    artifacts: Mapping[ArtifactKey, Artifact]
    gate: Gate[Any] | None
    gate_artifacts: Mapping[str, Artifact]
    states: States | None
    fits: tuple[FitRecord, ...]


def prepare(plan: Plan, model: AnyModel, cache: Cache, report: Reporter) -> Prepared:
    """Fits the method and its gate for every value and decides on every prompt.

    Raises:
        UsageError: where a layer does not exist or a method cannot be fitted.
        IncompleteError: a user's own method raised.
    """
    config = plan.config
    if isinstance(model, ChatModel):
        return Prepared(Asker(model, plan.family, plan.steerer, config, {}, {}), {}, None, {}, None, ())
    states = States(model, config.batch_size)
    artifacts: dict[ArtifactKey, Artifact] = {}
    gate_artifacts: dict[str, Artifact] = {}
    fits: list[FitRecord] = []
    gate = make_gate(plan.gate_name, config.gate_settings)
    if plan.steerer.name == BASE.steerer:
        return Prepared(Asker(model, plan.family, plan.steerer, config, {}, {}), {}, None, {}, states, ())
    fitter = Fitter.of(config, plan.family, model, states)
    wanted = {(v, c.layers): None for c in plan.conditions for v in c.targets}
    for _, layers in wanted:
        if layers is not None:
            check_layers(layers, fitter.shape)
    total = len(wanted) * learns(plan.steerer) + len(plan.values) * (gate is not None)
    with report.stage("fit", total, "fits") as advance:
        for value, layers in wanted:
            artifact, records = fitter.fit(plan.steerer, value, layers)
            if artifact is not None:
                artifact.check_model(
                    name=model.name, fingerprint=model.fingerprint, n_layers=model.n_layers, width=model.width
                )
                artifacts[value, layers] = artifact
                fits += records
                advance()
        if gate is not None:
            for value in plan.values:
                artifact, records = fitter.fit(gate, value)
                assert artifact is not None
                gate_artifacts[value] = artifact
                fits += records
                advance()
    decisions = {}
    if gate is not None:
        prompts: dict[str, dict[GatePrompt, None]] = {v: {} for v in plan.values}
        for condition, document in plan.cells:
            for value in condition.targets if condition.gate != NO_GATE else ():
                rendered = model.render(conversation(document, config.system_prompt))
                prompts[value][GatePrompt(rendered, document.text)] = None
        decisions = decide(gate, gate_artifacts, {v: list(p) for v, p in prompts.items()}, states, cache)
    asker = Asker(model, plan.family, plan.steerer, config, artifacts, decisions)
    return Prepared(asker, artifacts, gate, gate_artifacts, states, tuple(fits))
