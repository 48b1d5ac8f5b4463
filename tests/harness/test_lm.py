"""`SteeredLM`: what lm-eval's requests become, request by request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lm_eval.api.instance import Instance
from lm_eval.api.model import CachingLM

from tests.support import plans
from tests.support.checkpoints import build_checkpoint
from valuebench_harness.data.values import load_value_system
from valuebench_harness.engine.loading import load
from valuebench_harness.engine.model import SteeredModel
from valuebench_harness.engine.plan import Message, SteerPlan
from valuebench_harness.engine.rows import GenerationRow, LoglikelihoodRow, TextRow
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.cache import Cache
from valuebench_harness.harness.lm import SteeredLM
from valuebench_harness.harness.lm_prompts import Method
from valuebench_harness.steerers.artifact import Artifact, ArtifactMeta
from valuebench_harness.steerers.base import FitContext, Steered, Steerer, SteerRequest
from valuebench_harness.steerers.gates.base import Gate, GateDecision, GatePrompt
from valuebench_harness.steerers.ica import ICA
from valuebench_harness.steerers.states import States

POWER = load_value_system("schwartz").get("power")
QUESTION = "Should I leave the village?"
STATEMENT = "Power is pleasant, power is heavy."
GREEDY = {"until": [], "max_gen_toks": 12}


class Push(Steerer[Any]):
    """Adds a fixed vector, times the strength."""

    name = "push"
    source = "-"

    def __init__(self, model: SteeredModel) -> None:
        super().__init__()
        self.model = model

    def plan(self, request: SteerRequest, artifact: Artifact | None) -> Steered:
        if request.strength == 0 or not request.gate_open:
            return Steered(request.messages)
        return Steered(request.messages, push(self.model, request.strength))


def push(model: SteeredModel, strength: float = 1.0) -> SteerPlan:
    return SteerPlan((plans.add(model, 2, coefficient=strength),))


class QuestionGate(Gate[Any]):
    """Opens for questions, and remembers what it was shown."""

    name = "question"

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []
        self.said: list[str] = []

    def fit(self, context: FitContext) -> Artifact:
        raise NotImplementedError

    def decide(self, prompts: Sequence[GatePrompt], artifact: Artifact, states: States) -> list[GateDecision]:
        self.shown += [p.rendered for p in prompts]
        self.said += [p.message for p in prompts]
        return [GateDecision(float("?" in p.rendered), "?" in p.rendered) for p in prompts]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SteeredModel:
    return load(str(build_checkpoint(tmp_path_factory.mktemp("llama"))), device="cpu")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache.sqlite")


def pushing(model: SteeredModel, strength: float = 1.0, gate: Gate[Any] | None = None) -> Method:
    meta = ArtifactMeta(
        method="gate", value="power", model="", fingerprint="", n_layers=1, width=1, layers=(0,), data_hash=""
    )
    artifact = Artifact(meta, {"w": np.zeros(1, dtype=np.float32)}) if gate else None
    return Method(Push(model), POWER, "positive", strength, gate=gate, gate_artifact=artifact)


def requests(kind: Any, *arguments: tuple[Any, ...], doc: dict[str, Any] | None = None) -> list[Instance]:
    return [
        Instance(request_type=kind, doc=doc or {}, arguments=args, idx=0, metadata=("task", n, 1))
        for n, args in enumerate(arguments)
    ]


def generated(lm: SteeredLM, *contexts: str, **settings: Any) -> list[str]:
    return lm.generate_until(requests("generate_until", *((c, {**GREEDY, **settings}) for c in contexts)))


def engine_text(model: SteeredModel, prompt: str, plan: SteerPlan | None = None, *, special: bool = True) -> str:
    row = GenerationRow(prompt, plan or SteerPlan(), max_new_tokens=12, special=special)
    return next(model.generate([row]))[1].text


def test_every_request_carries_the_plan(model: SteeredModel, cache: Cache) -> None:
    lm, base = SteeredLM(model, pushing(model), cache=cache), SteeredLM(model, cache=cache)
    plan = push(model)
    assert generated(lm, QUESTION) == [engine_text(model, QUESTION, plan)] != generated(base, QUESTION)
    scored = next(model.loglikelihoods([LoglikelihoodRow(QUESTION, " yes", plan)]))[1]
    pair = requests("loglikelihood", (QUESTION, " yes"))
    assert lm.loglikelihood(pair) == [(scored.logprob, scored.is_greedy)] != base.loglikelihood(pair)
    rolling = next(model.rolling_loglikelihoods([TextRow(STATEMENT, plan)]))[1]
    text = requests("loglikelihood_rolling", (STATEMENT,))
    assert lm.loglikelihood_rolling(text) == [rolling] != base.loglikelihood_rolling(text)


def test_strength_zero_is_the_base(model: SteeredModel, cache: Cache) -> None:
    off = SteeredLM(model, pushing(model, 0.0), cache=cache)
    assert generated(off, QUESTION, STATEMENT) == generated(SteeredLM(model, cache=cache), QUESTION, STATEMENT)
    assert cache.sizes() == {"lm-eval": 2}


def test_a_gate_is_told_what_the_user_says(model: SteeredModel, cache: Cache) -> None:
    gate = QuestionGate()
    lm = SteeredLM(model, pushing(model, gate=gate), cache=cache)
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": QUESTION}]
    text = lm.apply_chat_template(chat)
    generated(lm, text, STATEMENT)
    assert gate.shown == [text, STATEMENT]
    assert gate.said == [QUESTION, STATEMENT]


def test_the_gate_decides_on_each_request(model: SteeredModel, cache: Cache) -> None:
    gate = QuestionGate()
    lm = SteeredLM(model, pushing(model, gate=gate), cache=cache)
    expected = [engine_text(model, QUESTION, push(model)), engine_text(model, STATEMENT)]
    assert generated(lm, QUESTION, STATEMENT) == expected
    assert gate.shown == [QUESTION, STATEMENT]
    # Where nothing stands before what is scored, the gate reads that, and decisions are cached.
    lm.loglikelihood_rolling(requests("loglikelihood_rolling", (STATEMENT,)))
    (unconditional, _), *_ = lm.loglikelihood(requests("loglikelihood", ("", "Is it?")))
    assert gate.shown == [QUESTION, STATEMENT, "Is it?"]
    assert unconditional == next(model.loglikelihoods([LoglikelihoodRow("", "Is it?", push(model))]))[1].logprob


def test_prompt_methods_rewrite_the_conversation_a_context_was_rendered_from(model: SteeredModel, cache: Cache) -> None:
    lm = SteeredLM(model, Method(ICA(), POWER, "positive", 1.0), cache=cache)
    turns = (Message("user", STATEMENT), Message("assistant", "Yes."), Message("user", QUESTION))
    history = [turn.to_dict() for turn in turns]
    context = lm.apply_chat_template(history)
    assert context == model.render(turns)
    instruction = f"You have a high level of power. Power means {POWER.definition}."
    steered = (*turns[:2], Message("user", f"{instruction}\n{QUESTION}"))
    assert generated(lm, context) == [engine_text(model, model.render(steered), special=False)]
    prefill = Message("assistant", "My answer:")
    opened = lm.apply_chat_template([*history, prefill.to_dict()], add_generation_prompt=False)
    prompt = model.render((*steered, prefill), add_generation_prompt=False, continue_final=True)
    assert prompt.endswith("My answer:")
    assert generated(lm, opened) == [engine_text(model, prompt, special=False)]


def test_prompt_methods_put_the_instruction_before_any_other_context(model: SteeredModel, cache: Cache) -> None:
    lm = SteeredLM(model, Method(ICA(), POWER, "positive", 1.0), cache=cache)
    instructed = f"You have a high level of power. Power means {POWER.definition}.\n{QUESTION}"
    assert generated(lm, QUESTION) == [engine_text(model, instructed)]
    base = SteeredLM(model, cache=cache)
    for kind, arguments in (("loglikelihood", ("", STATEMENT)), ("loglikelihood_rolling", (STATEMENT,))):
        unprompted = requests(kind, arguments)
        assert getattr(lm, kind)(unprompted) == getattr(base, kind)(unprompted)


def test_answers_are_cached_by_what_determines_them(model: SteeredModel, cache: Cache) -> None:
    weak, strong = (
        SteeredLM(model, pushing(model, 0.5), cache=cache),
        SteeredLM(model, pushing(model, 1.0), cache=cache),
    )
    first = generated(weak, QUESTION)
    assert generated(strong, QUESTION) != first
    assert cache.sizes() == {"lm-eval": 2}
    assert generated(SteeredLM(model, pushing(model, 0.5), cache=cache, batch_size=1), QUESTION) == first
    assert cache.sizes() == {"lm-eval": 2}
    generated(weak, QUESTION, max_gen_toks=3)
    weak.loglikelihood(requests("loglikelihood", (QUESTION, " yes")))
    assert cache.sizes() == {"lm-eval": 4}


def test_an_interrupted_batch_keeps_what_was_answered(model: SteeredModel, cache: Cache) -> None:
    class Halting(Steerer[Any]):
        name = "halting"
        source = "-"

        def plan(self, request: SteerRequest, artifact: Artifact | None) -> Steered:
            # No such layer: the engine refuses the second batch.
            bad = request.messages[0].content == "Yes"
            plan = SteerPlan((replace(plans.add(model, 1), layer=99),)) if bad else SteerPlan()
            return Steered(request.messages, plan)

    lm = SteeredLM(model, Method(Halting(), POWER, "positive", 1.0), cache=cache, batch_size=1)
    with pytest.raises(UsageError, match="99"):
        generated(lm, QUESTION, "Yes")
    assert cache.sizes() == {"lm-eval": 1}


def test_samples_differ_by_repeat_and_not_by_condition(model: SteeredModel, cache: Cache) -> None:
    (instance,) = requests(
        "generate_until", (QUESTION, {**GREEDY, "do_sample": True, "temperature": 1.0}), doc={"id": "d1"}
    )
    first, second = SteeredLM(model, cache=cache, seed=1).generate_until([instance, instance])
    assert first != second
    off = SteeredLM(model, pushing(model, 0.0), seed=1, batch_size=1, cache=cache)
    assert off.generate_until([instance, instance]) == [first, second]
    assert SteeredLM(model, cache=cache, seed=2).generate_until([instance]) != [first]


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"num_beams": 4}, "Task 'task'.*'num_beams'"), ({"max_gen_toks": 256}, "Task 'task'.*256 new tokens.*256")],
)
def test_generation_settings_that_cannot_be_met_are_refused(
    model: SteeredModel, cache: Cache, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        generated(SteeredLM(model, cache=cache), QUESTION, **settings)
    assert generated(SteeredLM(model, cache=cache), QUESTION, num_beams=1) == [engine_text(model, QUESTION)]


def test_lm_evals_own_cache_is_refused(model: SteeredModel, cache: Cache, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--use_cache"):
        CachingLM(SteeredLM(model, cache=cache), str(tmp_path / "lm.db"))
