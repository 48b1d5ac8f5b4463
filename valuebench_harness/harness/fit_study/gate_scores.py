"""What a gate says of prompts that concern a value, and of exam questions, which concern none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from valuebench_harness.engine.plan import Message
from valuebench_harness.harness.documents import default_tasks, make_documents
from valuebench_harness.harness.fit_study.records import GateScores
from valuebench_harness.metrics.rates import rate
from valuebench_harness.steerers.gates.base import GatePrompt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from valuebench_harness.harness.fitting import Fitter
    from valuebench_harness.steerers.gates.base import Gate, GateDecision

MOST = 200
"""Prompts of each kind."""


def gate_scores(gate: Gate[Any], fitter: Fitter, value: str) -> GateScores | None:
    """Fits the gate for a value and scores the value's dilemmas and the family's exam; ``None`` without an exam.

    Raises:
        UsageError: where the gate cannot be fitted.
    """
    family = fitter.family
    exam = [task for task in default_tasks(family)[0] if "questionnaire" not in task and task != family.data.name]
    if not exam:
        return None
    artifact, _ = fitter.fit(gate, value)
    assert artifact is not None
    related, _ = make_documents([f"{family.data.name}_{value}"], family, split="test", limit=MOST)
    unrelated, _ = make_documents(exam, family, split="test", limit=None)
    step = max(1, len(unrelated) // MOST)
    scored = [
        gate.decide(_prompts(fitter, [d.text for d in part]), artifact, fitter.states)
        for part in (related, unrelated[::step][:MOST])
    ]
    opened = [rate([d.open for d in part], [str(i) for i in range(len(part))]) for part in scored]
    return GateScores(
        related=_scores(scored[0]), unrelated=_scores(scored[1]), related_open=opened[0], unrelated_open=opened[1]
    )


def _prompts(fitter: Fitter, texts: Sequence[str]) -> list[GatePrompt]:
    return [GatePrompt(fitter.model.render((Message("user", text),)), text) for text in texts]


def _scores(decisions: Sequence[GateDecision]) -> tuple[float, ...]:
    return tuple(round(d.score, 4) for d in decisions)
