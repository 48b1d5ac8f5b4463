"""From cells to what the engine is asked: messages, gate, plan, rendered prompt and cache key."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from valuebench_harness.engine.plan import Message, SteerPlan
from valuebench_harness.harness.cache import content_key
from valuebench_harness.harness.chat_model import LETTER_ONLY, AnyModel, ChatModel
from valuebench_harness.harness.config import RunConfig
from valuebench_harness.harness.records import BASE, Condition, Document, Sample
from valuebench_harness.harness.targets import ArtifactKey, Target, steer, targets_of
from valuebench_harness.steerers.base import ModelShape, Steerer
from valuebench_harness.steerers.gates.base import GateDecision

if TYPE_CHECKING:
    from valuebench_harness.harness.family import Family
    from valuebench_harness.steerers.artifact import Artifact

ENGINE_VERSION = 2
"""Moves when the engine's answers change, so that cached ones are not taken for new ones."""

LETTERS = "ABCD"


@dataclass(frozen=True)
class Ask:
    """One thing to ask the engine.

    Attributes:
        condition: under which it is asked.
        document: what is asked.
        repeat: number of the answer.
        prompt: rendered.
        plan: of steering.
        decision: of the gate, where there is one.
        steered: whether the plan or the messages differ from the base's.
        seed: of sampling.
        key: of the cache.
    """

    condition: Condition
    document: Document
    repeat: int
    prompt: str
    plan: SteerPlan
    decision: GateDecision | None
    steered: bool
    seed: int
    key: str

    @property
    def sample_key(self) -> str:
        """Key of the sample that answers this."""
        return f"{self.condition.id}|{self.document.id}|{self.repeat}"

    @property
    def plan_digest(self) -> str:
        """What a sample keeps of the plan."""
        return "" if self.plan.is_empty else self.plan.digest[:16]

    def is_answered_by(self, sample: Sample | None) -> bool:
        """Whether a stored sample answers exactly this."""
        return sample is not None and (sample.prompt, sample.plan) == (self.prompt, self.plan_digest)


@dataclass(frozen=True)
class Asker:
    """Turns cells into asks.

    Attributes:
        model: renders prompts.
        family: gives values and wordings.
        steerer: plans.
        config: of the run.
        artifacts: the fitted method by value and layers, where it has something to fit.
        decisions: of the gate by (value, unsteered prompt).
    """

    model: AnyModel
    family: Family
    steerer: Steerer[Any]
    config: RunConfig
    artifacts: Mapping[ArtifactKey, Artifact]
    decisions: Mapping[tuple[str, str], GateDecision]

    def ask(self, cells: Iterable[tuple[Condition, Document]]) -> list[Ask]:
        """Asks for every cell and repeat, in order.

        Raises:
            IncompleteError: a user's own method raised.
        """
        interned: dict[SteerPlan, SteerPlan] = {}
        targets: dict[str, tuple[Target, ...]] = {}
        shape = ModelShape(self.model.name, self.model.n_layers, self.model.width)
        plain = {}
        out = []
        for condition, document in cells:
            messages = conversation(document, self.config.system_prompt, self.model)
            if document.id not in plain:
                plain[document.id] = self.model.render(messages)
            prompt, plan, decision = plain[document.id], SteerPlan(), None
            if condition.id != BASE.id:
                if condition.id not in targets:
                    targets[condition.id] = targets_of(condition, self.family, self.artifacts)
                gated = condition.targets if condition.gate != BASE.gate else ()
                decisions = {v: self.decisions[v, prompt] for v in gated}
                # Several values are recorded as the one whose gate is widest open.
                decision = max(decisions.values(), key=lambda d: (d.open, d.score), default=None)
                gate_open = {v: d.open for v, d in decisions.items()}
                steered = steer(self.steerer, targets[condition.id], messages, shape, gate_open)
                plan = interned.setdefault(steered.plan, steered.plan)
                if steered.messages != messages:
                    prompt = self.model.render(steered.messages)
            changed = prompt != plain[document.id] or not plan.is_empty
            repeats = 1 if document.kind == "exam" else self.config.n_samples
            for repeat in range(repeats):
                seed = row_seed(self.config.seed, document.id, repeat)
                key = self._key(document, prompt, plan, seed)
                out.append(Ask(condition, document, repeat, prompt, plan, decision, changed, seed, key))
        return out

    def _key(self, document: Document, prompt: str, plan: SteerPlan, seed: int) -> str:
        config = self.config
        temperature = config.sampling_temperature
        settings: dict[str, object] = (
            {"choices": letters(document, self.model)}
            if document.kind == "exam"
            else {"tokens": config.max_new_tokens, "temperature": temperature, "seed": seed if temperature else None}
        )
        return content_key(
            "answer",
            engine=ENGINE_VERSION,
            model=self.model.fingerprint,
            commit=self.model.commit,
            dtype=self.model.dtype,
            plan=plan.digest,
            prompt=prompt,
            settings=settings,
        )


def conversation(document: Document, system_prompt: str | None, model: AnyModel | None = None) -> tuple[Message, ...]:
    """What the model is asked, before any steering; one behind a server is asked to name an exam's answer."""
    in_text = document.kind == "exam" and isinstance(model, ChatModel)
    user = Message("user", f"{document.text}\n{LETTER_ONLY}" if in_text else document.text)
    return (Message("system", system_prompt), user) if system_prompt else (user,)


def letters(document: Document, model: AnyModel) -> list[str]:
    """The answers to an exam item as continuations of its prompt.

    As in lm-eval: after a chat template the letter stands at the start of the assistant's turn, after plain
    text a space is in between.
    """
    space = "" if model.has_chat_template else " "
    return [space + letter for letter in LETTERS[: len(document.options)]]


def row_seed(seed: int, document: str, repeat: int) -> int:
    """A seed for one answer: the same for every condition, so that conditions are compared on the same noise."""
    digest = hashlib.sha256(f"{seed}|{document}|{repeat}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def unique(asks: Sequence[Ask]) -> dict[str, Ask]:
    """One ask for each distinct key: a closed gate asks exactly what the base asks."""
    out: dict[str, Ask] = {}
    for ask in asks:
        out.setdefault(ask.key, ask)
    return out
