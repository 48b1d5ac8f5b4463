"""From lm-eval's contexts to steered prompts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from valuebench_harness.engine.plan import EMPTY, Message, SteerPlan
from valuebench_harness.harness.gating import decide
from valuebench_harness.steerers.base import ModelShape, SteerRequest

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
    """How every request is steered.

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
        method: how to steer; None does nothing.
        states: of the unsteered model, for the gate.
        cache: of gate decisions.
    """

    def __init__(self, model: SteeredModel, method: Method | None, states: States, cache: Cache) -> None:
        self._model = model
        self._method = method
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
        """How each distinct context is put to the engine; the gate decides on the unsteered text."""
        distinct = list(dict.fromkeys(contexts))
        gate_open = self._gate(distinct)
        interned: dict[SteerPlan, SteerPlan] = {}
        return {text: self._prompt(text, gate_open[text], interned) for text in distinct}

    def _gate(self, texts: Sequence[str]) -> dict[str, bool]:
        method = self._method
        if method is None or method.gate is None:
            return dict.fromkeys(texts, True)
        assert method.gate_artifact is not None
        value = method.value.id
        decisions = decide(method.gate, {value: method.gate_artifact}, {value: texts}, self._states, self._cache)
        return {text: decisions[value, text].open for text in texts}

    def _prompt(self, text: str, gate_open: bool, interned: dict[SteerPlan, SteerPlan]) -> Prompt:
        conversation, method = self._conversations.get(text), self._method
        # A chat template writes its own special tokens.
        special = conversation is None or not self._model.has_chat_template
        if method is None:
            return Prompt(text, EMPTY, special)
        messages = conversation.messages if conversation else (Message("user", text),)
        steered = method.steerer.plan(
            SteerRequest(
                messages=messages,
                value=method.value,
                direction=method.direction,
                strength=method.strength,
                shape=ModelShape(self._model.name, self._model.n_layers, self._model.width),
                gate_open=gate_open,
                wording=method.wording,
            ),
            method.artifact,
        )
        if steered.messages != messages:
            if conversation is None:
                text = "\n\n".join(message.content for message in steered.messages)
            else:
                text = _Conversation(steered.messages, conversation.prefill).render(self._model)
        return Prompt(text, interned.setdefault(steered.plan, steered.plan), special)
