"""From lm-eval's contexts to steered prompts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from valuebench_harness.engine.plan import EMPTY, Message, SteerPlan
from valuebench_harness.harness.gating import decide
from valuebench_harness.harness.targets import Target, steer
from valuebench_harness.steerers.base import ModelShape
from valuebench_harness.steerers.gates.base import GatePrompt

if TYPE_CHECKING:
    from valuebench_harness.data.values import Value
    from valuebench_harness.engine.model import SteeredModel
    from valuebench_harness.harness.cache import Cache
    from valuebench_harness.steerers.artifact import Artifact
    from valuebench_harness.steerers.base import Direction, Steerer
    from valuebench_harness.steerers.gates.base import Gate
    from valuebench_harness.steerers.states import States


@dataclass(frozen=True)
class Method:
    """How every request is steered, for one value.

    Attributes:
        steerer: the method.
        value: to steer.
        direction: towards the value or away from it.
        strength: 0 is the identity.
        artifact: of the method fitted for the value, where it has something to fit.
        gate: decides on each request; None steers all.
        gate_artifact: of the gate fitted for the value.
        wording: the data set's own instructions; see `SteerRequest`.
    """

    steerer: Steerer[Any]
    value: Value
    direction: Direction
    strength: float
    artifact: Artifact | None = None
    gate: Gate[Any] | None = None
    gate_artifact: Artifact | None = None
    wording: Mapping[str, str] = field(default_factory=dict)

    @property
    def target(self) -> Target:
        """What is steered, without the gate."""
        return Target(self.value, self.direction, self.strength, self.artifact, self.wording)


@dataclass(frozen=True)
class Prompt:
    """A context as the engine gets it.

    Attributes:
        text: with what a prompt method wrote into it.
        plan: of steering.
        special: whether the tokenizer's leading special tokens are put in front.
    """

    text: str
    plan: SteerPlan
    special: bool


@dataclass(frozen=True)
class _Conversation:
    """What a context was rendered from; ``prefill`` opens the answer."""

    messages: tuple[Message, ...]
    prefill: Message | None

    def render(self, model: SteeredModel) -> str:
        if self.prefill is None:
            return model.render(self.messages)
        return model.render((*self.messages, self.prefill), add_generation_prompt=False, continue_final=True)


class Prompter:
    """Steers contexts one by one, as the conversations that they were rendered from.

    lm-eval hands its model text. A context that it rendered with the chat template is
    remembered as the conversation it was, so that prompt methods rewrite messages as they do
    in ``vharness eval``; any other context counts as one user message.

    Args:
        model: renders, and tells the method its shape.
        methods: how to steer, one after the other; none does nothing.
        states: of the unsteered model, for the gate.
        cache: of gate decisions.
    """

    def __init__(self, model: SteeredModel, methods: Sequence[Method], states: States, cache: Cache) -> None:
        self._model = model
        self._methods = tuple(methods)
        self._states = states
        self._cache = cache
        self._conversations: dict[str, _Conversation] = {}

    def render(self, messages: Sequence[Message], *, continue_final: bool) -> str:
        """The unsteered text of a conversation, which is remembered."""
        whole = tuple(messages)
        conversation = _Conversation(whole[:-1], whole[-1]) if continue_final else _Conversation(whole, None)
        text = conversation.render(self._model)
        self._conversations[text] = conversation
        return text

    def steer(self, contexts: Iterable[str]) -> dict[str, Prompt]:
        """How each distinct context is put to the engine; the gate decides on the unsteered text.

        Raises:
            IncompleteError: a user's own method raised.
        """
        distinct = list(dict.fromkeys(contexts))
        gates = [self._gate(method, distinct) for method in self._methods]
        interned: dict[SteerPlan, SteerPlan] = {}
        return {text: self._prompt(text, [gate[text] for gate in gates], interned) for text in distinct}

    def _gate(self, method: Method, texts: Sequence[str]) -> dict[str, bool]:
        if method.gate is None:
            return dict.fromkeys(texts, True)
        assert method.gate_artifact is not None
        value = method.value.id
        prompts = [GatePrompt(text, self._message(text)) for text in texts]
        decisions = decide(method.gate, {value: method.gate_artifact}, {value: prompts}, self._states, self._cache)
        return {text: decisions[value, text].open for text in texts}

    def _message(self, text: str) -> str:
        """What the user last said in a conversation; a context that is none is all the user's."""
        conversation = self._conversations.get(text)
        said = [m.content for m in conversation.messages if m.role == "user"] if conversation is not None else []
        return said[-1] if said else text

    def _prompt(self, text: str, gates: Sequence[bool], interned: dict[SteerPlan, SteerPlan]) -> Prompt:
        conversation = self._conversations.get(text)
        # A chat template writes its own special tokens.
        special = conversation is None or not self._model.has_chat_template
        before = conversation.messages if conversation else (Message("user", text),)
        messages, plan = before, EMPTY
        shape = ModelShape(self._model.name, self._model.n_layers, self._model.width)
        for method, gate_open in zip(self._methods, gates, strict=True):
            done = steer(method.steerer, (method.target,), messages, shape, {method.value.id: gate_open})
            messages, plan = done.messages, plan + done.plan
        if messages != before:
            if conversation is None:
                text = "\n\n".join(message.content for message in messages)
            else:
                text = _Conversation(messages, conversation.prefill).render(self._model)
        return Prompt(text, interned.setdefault(plan, plan), special)
