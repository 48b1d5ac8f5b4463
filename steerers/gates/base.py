"""A gate decides from the unsteered prompt whether a method may act on it (ConVA, Eq. 5: g(x) > g0)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, NamedTuple, cast

from valuebench_harness.steerers.base import S, Settings

if TYPE_CHECKING:
    from pathlib import Path

    from valuebench_harness.steerers.artifact import Artifact
    from valuebench_harness.steerers.base import FitContext
    from valuebench_harness.steerers.states import States


class GatePrompt(NamedTuple):
    """A prompt as the two kinds of gates read it.

    Attributes:
        rendered: what the steered model reads, chat template included.
        message: what the user says, for gates that are models of their own.
    """

    rendered: str
    message: str


@dataclass(frozen=True)
class GateDecision:
    """``score`` is g(x) in [0, 1]; the gate is open where it exceeds g0."""

    score: float
    open: bool


class Gate(ABC, Generic[S]):
    """Decides on prompts, one value at a time."""

    name: ClassVar[str]
    settings_type: ClassVar[type[Settings]] = Settings

    def __init__(self, settings: S | None = None) -> None:
        self.settings: S = settings if settings is not None else cast(S, self.settings_type())

    @property
    def reads(self) -> tuple[Path, ...]:
        """Files and folders that decisions depend on: with other contents, it is another gate."""
        return ()

    def require(self) -> None:
        """Makes sure that all the gate needs beside the steered model is at hand.

        Raises:
            UsageError: it is not, and cannot be had.
        """

    @abstractmethod
    def fit(self, context: FitContext) -> Artifact:
        """Learns to tell prompts that concern the context's value from those that do not."""

    @abstractmethod
    def decide(self, prompts: Sequence[GatePrompt], artifact: Artifact, states: States) -> list[GateDecision]:
        """One decision for each prompt, from an unsteered pass or from what the user says."""
