"""The adapter interface every steering method implements.

A method is *fitted* once for each value (``fit`` returns an :class:`Artifact`, or ``None``
where there is nothing to learn) and then *plans* each request: which messages to send and
which interventions to apply. A plan is data; the engine alone touches the model.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar, cast

from pydantic import BaseModel, ConfigDict

from valuebench_harness.engine.plan import EMPTY, Message, SteerPlan
from valuebench_harness.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from valuebench_harness.data.schemas import ContrastivePair, Demonstration
    from valuebench_harness.data.values import Value
    from valuebench_harness.engine.model import SteeredModel
    from valuebench_harness.steerers.artifact import Artifact
    from valuebench_harness.steerers.states import States

Direction = Literal["positive", "negative"]


@dataclass(frozen=True)
class ModelShape:
    """What a method may know of the model when it plans: its name, depth and width."""

    name: str
    n_layers: int
    width: int


@dataclass(frozen=True)
class FitContext:
    """All that a method may learn from.

    Attributes:
        shape: of the model that is fitted.
        states: reads hidden states of texts in the unsteered model (memoised, so that
            methods which read the same texts share one pass).
        value: the value to steer.
        pairs: contrastive training pairs of that value.
        neutral: texts that concern no value.
        layers: layers asked for by the user, or ``None`` for the method's own choice.
        seed: seeds every split and draw.
        parent: artifact of another method, for methods that imitate one.
        model: the model itself, for methods that read or train more of it than last-token states.
        demonstrations: prompts with answers for and against the value, disjoint from the dilemmas.
        wording: sentences of the data set's own language, as in :class:`SteerRequest`.
    """

    shape: ModelShape
    states: States
    value: Value
    pairs: Sequence[ContrastivePair]
    neutral: Sequence[str]
    layers: tuple[int, ...] | None = None
    seed: int = 0
    parent: Artifact | None = None
    model: SteeredModel | None = None
    demonstrations: Sequence[Demonstration] = ()
    wording: Mapping[str, str] = field(default_factory=dict)

    def artifact(
        self,
        method: str,
        arrays: Mapping[str, np.ndarray],
        *,
        layers: Sequence[int],
        settings: Settings | None = None,
        accuracy: Mapping[int, float] | None = None,
    ) -> Artifact:
        """What ``fit`` returns: arrays with the facts that the context knows (the harness adds the time).

        Args:
            method: name of the method.
            arrays: what was learned, float32.
            layers: that the method will steer; checked against the model.
            settings: of the method.
            accuracy: held-out accuracy by layer, where there is a classifier.
        """
        from valuebench_harness.steerers.artifact import Artifact, ArtifactMeta

        meta = ArtifactMeta(
            method=method,
            value=self.value.id,
            model=self.shape.name,
            fingerprint=self.states.fingerprint,
            n_layers=self.shape.n_layers,
            width=self.shape.width,
            layers=check_layers(layers, self.shape),
            data_hash=self.data_hash,
            settings=settings.model_dump(mode="json") if settings is not None else {},
            accuracy=dict(accuracy or {}),
            seed=self.seed,
        )
        return Artifact(meta, dict(arrays))

    @property
    def data_hash(self) -> str:
        """Hash of all training texts."""
        from valuebench_harness.steerers.artifact import texts_hash

        return texts_hash(
            [p.positive for p in self.pairs],
            [p.negative for p in self.pairs],
            list(self.neutral),
            [f"{d.direction}\n{d.prompt}\n{d.answer}" for d in self.demonstrations],
        )

    def labelled_states(self) -> tuple[np.ndarray, np.ndarray]:
        """Last-token states of both texts of every pair.

        Returns:
            Positive and negative states, each ``[n_pairs, n_layers, width]``, float32.
        """
        positive = self.states.last([p.positive for p in self.pairs])
        negative = self.states.last([p.negative for p in self.pairs])
        return positive, negative


@dataclass(frozen=True)
class SteerRequest:
    """One prompt to be steered.

    Attributes:
        messages: the conversation as the task asks it.
        value: the value to steer.
        direction: towards the value or away from it.
        strength: 0 is the identity; larger is stronger.
        gate_open: the gate's decision on this prompt; ``True`` where there is no gate.
        shape: of the model.
        wording: sentences of the data set's own language (keys ``positive`` and ``negative``),
            for prompt methods on a model that only speaks a grammar.
    """

    messages: tuple[Message, ...]
    value: Value
    direction: Direction
    strength: float
    shape: ModelShape
    gate_open: bool = True
    wording: Mapping[str, str] = field(default_factory=dict)

    @property
    def sign(self) -> int:
        """+1 towards the value, -1 away from it."""
        return 1 if self.direction == "positive" else -1


@dataclass(frozen=True)
class Steered:
    """What a method wants done with a request: messages to send, interventions to apply."""

    messages: tuple[Message, ...]
    plan: SteerPlan = EMPTY


class Settings(BaseModel):
    """Base of a method's settings: unknown keys and wrong types are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


S = TypeVar("S", bound=Settings)


class Steerer(ABC, Generic[S]):
    """A steering method.

    Class attributes (an instance that is made of other methods sets its own):
        name: what users call it, lower case.
        source: the paper the method comes from.
        settings_type: the class of the method's settings.
        default_strength: used where no strength was shipped for the model.
        default_gate: name of the gate it uses unless told otherwise.
        strengths: ``real`` takes any number >= 0, ``switch`` only 0 and 1.
        uses_pairs: whether a method that learns learns from the contrastive pairs, so that their number matters.
        tuning_grid: strengths that ``--tune`` tries; empty for multiples of the default one.
        tuning_depths: single layers that ``--tune`` tries beside the method's own choice, as shares of the depth.
    """

    name: str
    source: ClassVar[str]
    settings_type: ClassVar[type[Settings]] = Settings
    default_strength: float = 1.0
    default_gate: str = "none"
    strengths: Literal["real", "switch"] = "real"
    uses_pairs: ClassVar[bool] = True
    tuning_grid: tuple[float, ...] = ()
    tuning_depths: tuple[float, ...] = ()

    def __init__(self, settings: S | None = None) -> None:
        self.settings: S = settings if settings is not None else cast(S, self.settings_type())

    def check_strength(self, strength: float) -> None:
        """Raises ``UsageError`` for a strength this method cannot take."""
        if not 0 <= strength < float("inf"):
            raise UsageError(
                f"Strength {strength:g} of '{self.name}' must be a finite number >= 0 (0 is the identity)."
            )
        if self.strengths == "switch" and strength not in (0, 1):
            raise UsageError(
                f"Strength {strength:g} of '{self.name}' must be 0 (off) or 1 (on): it rewrites the prompt."
            )

    @property
    def reads(self) -> tuple[Path, ...]:
        """Files and folders of the user's that ``fit`` reads: with other contents, it is another fit."""
        return ()

    def preset_strength(self, value: str) -> float | None:  # noqa: ARG002 - for those with presets
        """The strength that a preset among the settings gives a value; it goes before a shipped one."""
        return None

    @property
    def parts(self) -> tuple[Steerer[Any], ...]:
        """The methods that this one is made of; each is fitted, and its fit cached, by itself."""
        return ()

    def join(self, artifacts: Sequence[Artifact | None]) -> Artifact | None:  # noqa: ARG002 - for those with parts
        """The artifact of a method made of others, from those of its :attr:`parts`."""
        return None

    def fit(self, context: FitContext) -> Artifact | None:  # noqa: ARG002 - for those who learn
        """Learns what the method needs for one value; ``None`` where that is nothing."""
        return None

    @abstractmethod
    def plan(self, request: SteerRequest, artifact: Artifact | None) -> Steered:
        """Plans one request. Strength 0 must return the request's messages and an empty plan."""


def check_layers(layers: Sequence[int], shape: ModelShape) -> tuple[int, ...]:
    """Sorted, distinct layers, all within the model.

    Raises:
        UsageError: for a layer that the model does not have.
    """
    bad = [x for x in layers if not 0 <= x < shape.n_layers]
    if bad:
        raise UsageError(
            f"Layer {bad[0]} is out of range: {shape.name} has {shape.n_layers} layers, "
            f"0 to {shape.n_layers - 1} (--layers)."
        )
    return tuple(sorted(set(layers)))
