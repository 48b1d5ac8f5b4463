"""Figures of the methods: strength chosen on the selection half, measured on the test half; the exam."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from valuebench_harness.data.grammar import generate
from valuebench_harness.data.grammar.acts import VALUES
from valuebench_harness.data.schemas import Dilemma
from valuebench_harness.data.values import load_value_system
from valuebench_harness.engine.plan import EMPTY, SteerPlan
from valuebench_harness.mini import NAME, write_data
from valuebench_harness.mini.bench import Answered, Bench, PlanOf, always
from valuebench_harness.mini.figures import Estimate, Figure, share
from valuebench_harness.steerers.actadd import ActAdd
from valuebench_harness.steerers.artifact import Artifact
from valuebench_harness.steerers.base import FitContext, ModelShape, Steered, Steerer, SteerRequest
from valuebench_harness.steerers.caa import CAA
from valuebench_harness.steerers.conva import ConVA
from valuebench_harness.steerers.gates.base import GatePrompt
from valuebench_harness.steerers.gates.probe import ProbeGate
from valuebench_harness.steerers.iti import ITI
from valuebench_harness.steerers.repe import RepE
from valuebench_harness.steerers.sft import SFT
from valuebench_harness.steerers.states import States


@dataclass(frozen=True)
class Method:
    """A method, the strengths that are tried, its goal in points and the trial's figure."""

    steerer: Steerer[Any]
    strengths: tuple[float, ...]
    points: int
    trial: str


METHODS: tuple[Method, ...] = (
    Method(CAA(), (0.4, 0.6, 0.8, 1.0, 1.2, 1.5), 30, "+53 in the mean, 99% valid"),
    Method(ConVA(), (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0), 25, "+43 in the mean, 98% valid"),
)

OTHERS: tuple[tuple[Steerer[Any], tuple[float, ...]], ...] = (
    (RepE(), (0.1, 0.25, 0.5, 0.75, 1.0)),
    (ActAdd(), (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)),
    (ITI(), (0.25, 0.5, 1.0, 1.5, 2.0)),
    (SFT(), (0.25, 0.5, 0.75, 1.0, 1.5)),
)
"""Methods without a goal of their own; they too are shipped with a strength for each value."""

WHOLE = 0.97
"""Share of valid answers that a strength has to leave on the selection half."""


class Steering:
    """One method fitted on one value's pairs, with the probe gate beside it."""

    def __init__(self, bench: Bench, steerer: Steerer[Any], value: str, states: States) -> None:
        self._steerer = steerer
        self._value = load_value_system("schwartz").get(value)
        self._states = states
        self._shape = ModelShape(NAME, bench.model.n_layers, bench.model.width)
        context = FitContext(
            shape=self._shape,
            states=states,
            value=self._value,
            pairs=write_data.pairs(value),
            neutral=[text.text for text in write_data.neutral()],
            model=bench.model,
            demonstrations=write_data.demonstrations(value),
            wording={d: generate.instruction(value, d, seed=0) for d in ("positive", "negative")},
        )
        self.artifact: Artifact | None = steerer.fit(context)
        self._gate = ProbeGate()
        self._gate_artifact = self._gate.fit(context)

    def plan(self, strength: float) -> SteerPlan:
        """The plan for any prompt, the gate open."""
        request = SteerRequest((), self._value, "positive", strength, self._shape)
        steered: Steered = self._steerer.plan(request, self.artifact)
        return steered.plan

    def open_for(self, prompts: Sequence[str]) -> dict[str, bool]:
        """The gate's decision on each rendered prompt."""
        asked = [GatePrompt(rendered=prompt, message=prompt) for prompt in prompts]
        decisions = self._gate.decide(asked, self._gate_artifact, self._states)
        return {prompt: decision.open for prompt, decision in zip(prompts, decisions, strict=True)}


@dataclass(frozen=True)
class Chosen:
    """A value's chosen strength and what the test half said of it."""

    strength: float
    base: Estimate
    favour: Estimate
    valid: Estimate
    exam: Estimate
    exam_gated: Estimate
    gate_open: Estimate

    @property
    def points(self) -> float:
        """Favour rate gained, in points."""
        return 100 * (self.favour.estimate - self.base.estimate)


def _where(is_open: Mapping[str, bool], plan: SteerPlan) -> PlanOf:
    """The plan for prompts at which the gate is open, nothing for the others."""
    return lambda prompt: plan if is_open[prompt] else EMPTY


def choose_strength(bench: Bench, steering: Steering, dilemmas: Sequence[Dilemma], strengths: Sequence[float]) -> float:
    """The smallest strength that is within one standard error of the best, among those that leave answers whole.

    What counts is the share of answers that are valid and take the act for the value. The rule of
    one standard error keeps a strength from being chosen for a lucky answer or two at the price of
    its side effects; a strength that leaves fewer than ``WHOLE`` of the answers valid is not looked at
    unless all do.
    """
    n = len(dilemmas)
    answers = {s: bench.ask(dilemmas, always(steering.plan(s))) for s in strengths}
    whole = {s: found for s, found in answers.items() if np.mean(found.valid) >= WHOLE} or answers
    success = {s: sum(found.favours) / n for s, found in whole.items()}
    best = max(success.values())
    return min(s for s in success if success[s] >= best - (best * (1 - best) / n) ** 0.5)


def measure(
    bench: Bench, method: Method, select: Sequence[Dilemma], test: Sequence[Dilemma], base: Answered
) -> list[Figure]:
    """Favour and exam figures of one method over all values.

    Args:
        bench: asks the model.
        method: what is measured.
        select: dilemmas on which strengths are chosen.
        test: dilemmas that are reported on.
        base: unsteered answers to ``test``.
    """
    states = States(bench.model)
    chosen = {}
    items = write_data.exam()
    untouched = share(bench.exam(items))
    for value in VALUES:
        steering = Steering(bench, method.steerer, value, states)
        strength = choose_strength(bench, steering, [d for d in select if d.value == value], method.strengths)
        own = [d for d in test if d.value == value]
        plan = steering.plan(strength)
        is_open = steering.open_for([bench.exam_prompt(item) for item in items])
        answers = bench.ask(own, always(plan))
        chosen[value] = Chosen(
            strength=strength,
            base=share(base.of(value).favours),
            favour=share(answers.favours),
            valid=share(answers.valid),
            exam=share(bench.exam(items, always(plan))),
            exam_gated=share(bench.exam(items, _where(is_open, plan))),
            gate_open=share(list(steering.open_for([bench.prompt(d.question) for d in own]).values())),
        )
    return [_favour_figure(method, chosen), _exam_figure(method, chosen, untouched)]


def others(bench: Bench, select: Sequence[Dilemma], test: Sequence[Dilemma], base: Answered) -> Figure:
    """Strengths of the methods that have no goal, and what the test half says of them."""
    states = States(bench.model)
    data: dict[str, dict[str, Any]] = {}
    cells = []
    for steerer, strengths in OTHERS:
        rows = data[steerer.name] = {}
        for value in VALUES:
            steering = Steering(bench, steerer, value, states)
            strength = choose_strength(bench, steering, [d for d in select if d.value == value], strengths)
            answers = bench.ask([d for d in test if d.value == value], always(steering.plan(strength)))
            favour, valid = share(answers.favours), share(answers.valid)
            gained = 100 * (favour.estimate - share(base.of(value).favours).estimate)
            rows[value] = {
                "strength": strength,
                "points": round(gained, 1),
                "favour": favour.model_dump(),
                "valid": valid.model_dump(),
            }
        points = [row["points"] for row in rows.values()]
        frail = Estimate(**min((row["valid"] for row in rows.values()), key=lambda valid: float(valid["estimate"])))
        cells.append(f"{steerer.name} +{np.mean(points):.0f} (least +{min(points):.0f}), least valid {frail.text(2)}")
    return Figure(
        id="others",
        property="other methods, strength chosen on one half, measured on the other",
        goal="-",
        trial="-",
        result=f"{'; '.join(cells)}; n = {frail.n} a value",
        met=None,
        data=data,
    )


def _favour_figure(method: Method, chosen: dict[str, Chosen]) -> Figure:
    name = method.steerer.name
    weakest = min(chosen, key=lambda v: chosen[v].points)
    least_valid = min(chosen, key=lambda v: chosen[v].valid.estimate)
    worst, frail = chosen[weakest], chosen[least_valid]
    return Figure(
        id=name,
        property=f"{method.steerer.name.upper() if name == 'caa' else 'ConVA'}, strength chosen on one half, "
        "measured on the other",
        goal=f">= +{method.points} points for each of the ten values, valid >= 95%",
        trial=method.trial,
        result=f"mean +{np.mean([c.points for c in chosen.values()]):.0f}; least {weakest} +{worst.points:.0f} "
        f"({worst.base.text(2)} to {worst.favour.text(2)}); least valid {least_valid} {frail.valid.text(2)}, "
        f"n = {worst.valid.n} a value",
        met=worst.points >= method.points and frail.valid.estimate >= 0.95,
        data={
            value: {
                "strength": c.strength,
                "points": round(c.points, 1),
                "base": c.base.model_dump(),
                "favour": c.favour.model_dump(),
                "valid": c.valid.model_dump(),
                "gate_open": c.gate_open.model_dump(),
            }
            for value, c in chosen.items()
        },
    )


def _exam_figure(method: Method, chosen: dict[str, Chosen], untouched: Estimate) -> Figure:
    name = method.steerer.name
    lost = {
        key: 100 * (untouched.estimate - float(np.mean([getattr(c, key).estimate for c in chosen.values()])))
        for key in ("exam", "exam_gated")
    }
    least = min(chosen, key=lambda v: untouched.estimate - chosen[v].exam.estimate)
    return Figure(
        id=f"exam-{name}",
        property=f"exam with {name.upper() if name == 'caa' else 'ConVA'} at the strength chosen above: "
        "without the gate / with the gate",
        goal="loses at least 10 points / at most 1",
        trial="8 / not built",
        result=f"{lost['exam']:.1f} / {lost['exam_gated']:.1f} points in the mean of ten values; least loss without "
        f"the gate {least}, accuracy {chosen[least].exam.text(2)}; n = {untouched.n} a value",
        met=lost["exam"] >= 10 and lost["exam_gated"] <= 1,
        data={v: {"open": c.exam.model_dump(), "gated": c.exam_gated.model_dump()} for v, c in chosen.items()},
    )
