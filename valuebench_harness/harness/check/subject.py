"""What all checks look at: a steerer, fitted on a model, with prompts to plan."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from valuebench_harness.engine.intervention import Intervention
from valuebench_harness.engine.plan import EMPTY, Message, SteerPlan
from valuebench_harness.errors import UsageError, VharnessError
from valuebench_harness.harness.check.foreign import Watch, count_hooks, in_words, own_frames
from valuebench_harness.harness.check.observe import Row, Seen, distance, observe
from valuebench_harness.harness.documents import make_documents
from valuebench_harness.harness.fitting import Fitter, learns
from valuebench_harness.harness.plan import make_method
from valuebench_harness.harness.session import load_model
from valuebench_harness.steerers.artifact import Artifact
from valuebench_harness.steerers.base import Steered, SteerRequest, check_layers

if TYPE_CHECKING:
    from valuebench_harness.data.values import Value
    from valuebench_harness.engine.model import SteeredModel
    from valuebench_harness.harness.config import RunConfig
    from valuebench_harness.harness.family import Family
    from valuebench_harness.steerers.base import Direction, FitContext, Steerer

N_PROMPTS = 6
N_GENERATED = 10
"""Tokens of the continuation that stands for an answer."""


class BrokenSteererError(VharnessError):
    """The steerer raised, or returned what cannot be used: there is nothing to go on with.

    Attributes:
        frames: its own part of the traceback, where it raised.
    """

    exit_code = 1

    def __init__(self, words: str, frames: str = "") -> None:
        super().__init__(words)
        self.frames = frames


@dataclass(frozen=True)
class Learned:
    """What fitting gave.

    Attributes:
        artifact: of the method, where it learns.
        seconds: that it took.
    """

    artifact: Artifact | None
    seconds: float


class Subject:
    """A steerer under examination.

    Args:
        config: names model, steerer, settings, value (the first), direction, strength and layers.
        family: of the model.
    """

    def __init__(self, config: RunConfig, family: Family) -> None:
        self.config = config
        self.family = family
        self.steerer, self.direction, self.gate_name = make_method(config)
        self.value: Value = family.data.system.get(config.values[0] if config.values else family.data.system.ids[0])
        self.strength = config.strength[0] if config.strength else self.steerer.default_strength
        self.steerer.check_strength(self.strength)
        if self.strength == 0:
            raise UsageError("Strength 0 is the identity for every steerer: check it at another (--strength).")
        self.model: SteeredModel = load_model(config)
        self.fitter = Fitter.of(config, family, self.model)
        if config.layers is not None:
            check_layers(config.layers, self.fitter.shape)
        self.watch = Watch(self.model.model)
        self.prompts = self._prompts()
        # Before any of the steerer's code has seen the model.
        self.n_hooks = count_hooks(self.model.model)
        self.untouched = observe(self.model, [self.row(messages) for messages in self.prompts])
        self._planned: dict[tuple[object, ...], Steered] = {}

    # What the steerer does

    @property
    def learns(self) -> bool:
        """Whether there is something to fit."""
        return learns(self.steerer)

    @cached_property
    def context(self) -> FitContext:
        """What the steerer learns from."""
        return self.fitter.context(self.value.id, self.config.layers)

    @cached_property
    def learned(self) -> Learned:
        """The first fit."""
        return self.fit(self.steerer)

    @property
    def artifact(self) -> Artifact | None:
        """What the first fit learned."""
        return self.learned.artifact

    def fresh(self) -> Steerer[Any]:
        """Another steerer with the same settings, that knows nothing of this one."""
        return make_method(self.config)[0]

    def fit(self, steerer: Steerer[Any], value: str | None = None) -> Learned:
        """Fits a steerer, parts first; for the subject's value unless another is named.

        Raises:
            BrokenSteererError: where its code raises, or returns no artifact.
            UsageError: where it says that it cannot.
        """
        context = self.context if value is None else self.fitter.context(value, self.config.layers)
        start = time.perf_counter()
        with self.watch.over("fit()"):
            try:
                artifact = _fit(steerer, context)
            except VharnessError:
                raise
            except Exception as error:
                raise _raised("fit()", error, steerer) from error
        if artifact is not None and not isinstance(artifact, Artifact):
            raise BrokenSteererError(f"fit() returned {type(artifact).__name__}: return context.artifact(...)")
        return Learned(artifact, time.perf_counter() - start)

    def ask(self, steerer: Steerer[Any], request: SteerRequest, artifact: Artifact | None) -> Steered:
        """Lets a steerer plan a request.

        Raises:
            BrokenSteererError: where its code raises, or returns something else than a plan.
            UsageError: where it says that it cannot.
        """
        with self.watch.over("plan()"):
            try:
                steered = steerer.plan(request, artifact)
            except VharnessError:
                raise
            except Exception as error:
                raise _raised("plan()", error, steerer) from error
        return _checked(steered)

    def request(
        self,
        messages: tuple[Message, ...],
        *,
        strength: float | None = None,
        direction: Direction | None = None,
        gate_open: bool = True,
    ) -> SteerRequest:
        """A request for the value; strength and direction are the configured ones unless given."""
        return SteerRequest(
            messages=messages,
            value=self.value,
            direction=direction or self.direction,
            strength=self.strength if strength is None else strength,
            shape=self.fitter.shape,
            gate_open=gate_open,
            wording=self.family.wording(self.value),
        )

    def plan(
        self,
        messages: tuple[Message, ...],
        *,
        strength: float | None = None,
        direction: Direction | None = None,
        gate_open: bool = True,
    ) -> Steered:
        """What the steerer plans for a prompt; the same question is asked once."""
        request = self.request(messages, strength=strength, direction=direction, gate_open=gate_open)
        key = (messages, request.strength, request.direction, gate_open)
        if key not in self._planned:
            self._planned[key] = self.ask(self.steerer, request, self.artifact)
        return self._planned[key]

    @cached_property
    def interventions(self) -> tuple[Intervention, ...]:
        """Distinct interventions of the plans at the checked strength."""
        plans = [self.plan(messages).plan for messages in self.prompts]
        return tuple(dict.fromkeys(i for plan in plans for i in plan.active))

    @property
    def layers(self) -> tuple[int, ...]:
        """Layers that the plans act on by interventions."""
        return tuple(sorted({i.layer for i in self.interventions}))

    @property
    def acts_inside(self) -> bool:
        """Whether the steerer changes states or weights, rather than the prompt alone."""
        return any(not self.plan(messages).plan.is_empty for messages in self.prompts)

    # Rows

    def row(self, messages: tuple[Message, ...], plan: SteerPlan | None = None) -> Row:
        """The prompt with a continuation of the family's own language."""
        prompt = self.model.token_ids(self.model.render(messages), special=not self.model.has_chat_template)
        return Row((*prompt, *self._continuation), len(self._continuation), plan or EMPTY)

    def steered_rows(self, *, strength: float | None = None, direction: Direction | None = None) -> list[Row]:
        """All prompts as the steerer wants them asked."""
        planned = [self.plan(messages, strength=strength, direction=direction) for messages in self.prompts]
        return [self.row(steered.messages, steered.plan) for steered in planned]

    @cached_property
    def rows(self) -> list[Row]:
        """All prompts, steered at the checked strength and direction."""
        return self.steered_rows()

    @cached_property
    def base(self) -> list[Seen]:
        """What the unsteered model computes for the tokens of `rows`."""
        return observe(self.model, [row.under(EMPTY) for row in self.rows])

    @cached_property
    def seen(self) -> list[Seen]:
        """What the steered model computes for `rows`."""
        return observe(self.model, self.rows)

    @cached_property
    def noise(self) -> float:
        """Relative distance that the unsteered model itself shows between a row alone and in a batch."""
        alone = [observe(self.model, [row.under(EMPTY)])[0] for row in self.rows]
        return max(distance(a.states, b.states) for a, b in zip(alone, self.base, strict=True))

    @property
    def tolerance(self) -> float:
        """Relative distance up to which two computations of one thing count as equal."""
        return max(1e-4, 20 * self.noise)

    @cached_property
    def _continuation(self) -> tuple[int, ...]:
        text = self.family.data.pairs(self.value.id)[0].positive
        return tuple(self.model.token_ids(text, special=False)[:N_GENERATED])

    def _prompts(self) -> list[tuple[Message, ...]]:
        """Dilemmas of the value, from the shortest to the longest."""
        documents, _ = make_documents(
            [f"{self.family.data.name}_{self.value.id}"], self.family, split="test", limit=None
        )
        texts = sorted({d.text for d in documents}, key=lambda text: (len(text), text))
        step = max(1, (len(texts) - 1) // (N_PROMPTS - 1))
        return [(Message("user", text),) for text in texts[::step][:N_PROMPTS]]


def _raised(where: str, error: Exception, steerer: Steerer[Any]) -> BrokenSteererError:
    return BrokenSteererError(f"{where} raised {in_words(error)}", own_frames(error, type(steerer)))


def _fit(steerer: Steerer[Any], context: FitContext) -> Artifact | None:
    if steerer.parts:
        return steerer.join([_fit(part, context) for part in steerer.parts])
    return steerer.fit(context)


def _checked(steered: object) -> Steered:
    if not isinstance(steered, Steered):
        raise BrokenSteererError(f"plan() must return Steered(messages, plan), not {type(steered).__name__}.")
    if not isinstance(steered.plan, SteerPlan):
        raise BrokenSteererError(f"plan() must return a SteerPlan in Steered, not {type(steered.plan).__name__}.")
    messages: Sequence[object] = steered.messages
    if not isinstance(messages, tuple) or not all(isinstance(m, Message) for m in messages):
        raise BrokenSteererError("plan() must return a tuple of Message in Steered; start from request.messages.")
    return steered
