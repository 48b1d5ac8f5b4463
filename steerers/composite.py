"""Several methods at once: ``ica-negative+conva``.

ConVA's control-priority experiment (Jin et al., ACL 2025, Fig. 4) asks whether activation steering
holds its value while the prompt pulls the other way; ``ica-negative+conva`` is that experiment, and
``ica-positive+conva`` and ``ica-none+conva`` its other two bars. Parts act in the order written: each
rewrites the messages that the one before left, and where interventions meet at a layer the later acts
on what the earlier changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from valuebench_harness.engine.plan import EMPTY, Message
from valuebench_harness.errors import UsageError
from valuebench_harness.steerers.base import Direction, ModelShape, Settings, Steered, Steerer, SteerRequest

if TYPE_CHECKING:
    from valuebench_harness.steerers.artifact import Artifact

Pin = Literal["positive", "negative", "none"]

Step = Callable[[tuple[Message, ...]], Steered]
"""What one method does with the messages that it is given."""


@dataclass(frozen=True)
class Part:
    """A method within a composite.

    Attributes:
        steerer: the method.
        pin: its direction whatever the run's; ``none`` switches it off; ``None`` follows the run.
        strength: its strength whatever the run's; ``None`` follows the run.
    """

    steerer: Steerer[Any]
    pin: Pin | None = None
    strength: float | None = None

    @property
    def name(self) -> str:
        """As it is written on the command line."""
        return f"{self.steerer.name}-{self.pin}" if self.pin else self.steerer.name

    @property
    def is_scaled(self) -> bool:
        """Whether the run's strength sets how strongly it steers; a prompt is there or not."""
        return self.steerer.strengths == "real" and self.strength is None and self.pin != "none"

    def request(self, whole: SteerRequest) -> SteerRequest:
        """The part's own request: its direction and strength in place of the run's."""
        direction: Direction = whole.direction if self.pin is None or self.pin == "none" else self.pin
        strength = 1.0 if self.steerer.strengths == "switch" else whole.strength
        return replace(whole, direction=direction, strength=strength if self.strength is None else self.strength)


class Composite(Steerer[Settings]):
    """Applies several methods in order; one strength scales all parts that have a scale.

    Args:
        members: at least one, in the order in which they act.

    Raises:
        UsageError: a method comes twice, two of them rewrite the same part of the prompt, or a part cannot take
            its own strength.
    """

    name = "composite"
    source = "Jin et al., ACL 2025, Fig. 4"

    def __init__(self, members: Sequence[Part]) -> None:
        super().__init__()
        self.members = tuple(members)
        self._splits: dict[str, dict[int, Artifact]] = {}
        self.name = "+".join(m.name for m in self.members)
        scaled = [m.steerer for m in self.members if m.is_scaled]
        self.strengths = "real" if scaled else "switch"
        if scaled:
            last = scaled[-1]
            self.default_strength = last.default_strength
            self.tuning_grid, self.tuning_depths = last.tuning_grid, last.tuning_depths
        self._gated = [m.steerer.default_gate != "none" and m.pin != "none" for m in self.members]
        gates = [m.steerer.default_gate for m, gated in zip(self.members, self._gated, strict=True) if gated]
        self.default_gate = gates[0] if gates else "none"
        self._check()

    @property
    def parts(self) -> tuple[Steerer[Any], ...]:
        """The methods, in order."""
        return tuple(m.steerer for m in self.members)

    @property
    def scaled(self) -> Steerer[Any] | None:
        """The last method that the strength scales: its shipped strength is the composite's."""
        return next((m.steerer for m in reversed(self.members) if m.is_scaled), None)

    def check_strength(self, strength: float) -> None:
        """Raises ``UsageError`` for a strength that a part cannot take."""
        super().check_strength(strength)
        for member in self.members:
            if member.is_scaled:
                member.steerer.check_strength(strength)

    def join(self, artifacts: Sequence[Artifact | None]) -> Artifact | None:
        """One artifact that holds those of all parts, their arrays named ``{place}/{array}``."""
        from valuebench_harness.steerers.artifact import Artifact

        found = [(place, a) for place, a in enumerate(artifacts) if a is not None]
        if not found:
            return None
        metas = {str(place): a.meta.model_dump(mode="json") for place, a in found}
        layers = tuple(sorted({layer for _, a in found for layer in a.meta.layers}))
        meta = found[0][1].meta.model_copy(
            update={
                "method": self.name,
                "layers": layers,
                "settings": {"parts": metas},
                "accuracy": {},
                "seconds": sum(a.meta.seconds for _, a in found),
            }
        )
        return Artifact(meta, {f"{place}/{name}": array for place, a in found for name, array in a.arrays.items()})

    def plan(self, request: SteerRequest, artifact: Artifact | None) -> Steered:
        """Each part's plan after the other; where there is a gate, it governs the parts that use one by default.

        Where no part does, a gate named by the user governs all of them.
        """
        if request.strength == 0:
            return Steered(request.messages)
        artifacts = self._split(artifact)
        steps = []
        for place, member in enumerate(self.members):
            if member.pin == "none":
                continue
            gate_open = request.gate_open or (any(self._gated) and not self._gated[place])
            own = replace(member.request(request), gate_open=gate_open)
            steps.append(_step(member.steerer, own, artifacts.get(place)))
        return chain(request.messages, steps)

    def _split(self, artifact: Artifact | None) -> dict[int, Artifact]:
        """The parts' artifacts by place; made once for each joined one, so that plans share their arrays."""
        if artifact is None:
            return {}
        if artifact.digest not in self._splits:
            self._splits[artifact.digest] = split(artifact)
        return self._splits[artifact.digest]

    def _check(self) -> None:
        names = [m.steerer.name for m in self.members]
        twice = next((n for n in names if names.count(n) > 1), None)
        if twice is not None:
            raise UsageError(f"'{self.name}': '{twice}' comes twice; a method acts once, with one direction.")
        for member in self.members:
            if member.strength is not None:
                member.steerer.check_strength(member.strength)
        rewritten: dict[str, str] = {}
        for member in self.members:
            for role in sorted(_rewrites(member)):
                if role in rewritten:
                    raise UsageError(
                        f"'{self.name}': '{rewritten[role]}' and '{member.name}' both rewrite the {role} message of "
                        "the prompt. Leave one of them out."
                    )
                rewritten[role] = member.name


def split(artifact: Artifact) -> dict[int, Artifact]:
    """The artifacts that :meth:`Composite.join` put together, by place."""
    from valuebench_harness.steerers.artifact import Artifact, ArtifactMeta

    metas = artifact.meta.settings["parts"]
    assert isinstance(metas, dict)
    out = {}
    for place, meta in metas.items():
        prefix = f"{place}/"
        arrays = {n.removeprefix(prefix): a for n, a in artifact.arrays.items() if n.startswith(prefix)}
        out[int(place)] = Artifact(ArtifactMeta.model_validate(meta), arrays)
    return out


def chain(messages: tuple[Message, ...], steps: Iterable[Step]) -> Steered:
    """Takes steps one after the other: each gets the messages that the one before left, interventions add up."""
    plan = EMPTY
    for step in steps:
        done = step(messages)
        messages, plan = done.messages, plan + done.plan
    return Steered(messages, plan)


def _step(steerer: Steerer[Any], request: SteerRequest, artifact: Artifact | None) -> Step:
    return lambda messages: steerer.plan(replace(request, messages=messages), artifact)


def _rewrites(part: Part) -> set[str]:
    """Roles of the messages that a prompt method rewrites, found by letting it rewrite a conversation.

    Only methods that are on or off and learn nothing are tried: no other kind rewrites prompts.
    """
    steerer = part.steerer
    if part.pin == "none" or steerer.strengths != "switch" or type(steerer).fit is not Steerer.fit:
        return set()
    from valuebench_harness.data.values import Value

    before = (Message("system", "Be brief."), Message("user", "What now?"))
    whole = SteerRequest(before, Value(id="any", name="Any", definition="All of it."), "positive", 1.0, _SHAPE)
    with suppress(Exception):  # a user's method may fail in any way; it will say so when the run asks it
        after = steerer.plan(part.request(whole), None).messages
        return {m.role for m in before if m not in after}
    return set()


_SHAPE = ModelShape("any", 1, 1)
