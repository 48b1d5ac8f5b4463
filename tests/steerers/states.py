"""Hidden states given as arrays: what a method learns from, without a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from valuebench_harness.data.schemas import ContrastivePair
from valuebench_harness.data.values import Value, load_value_system
from valuebench_harness.engine.plan import Message
from valuebench_harness.steerers.base import Direction, FitContext, ModelShape, SteerRequest


@dataclass(frozen=True)
class GivenStates:
    """Reads states from a table: text to ``[n_layers, width]``; heads ``[n_layers, n_heads, head width]`` likewise."""

    table: dict[str, np.ndarray]
    fingerprint: str = "f" * 64
    head_table: dict[str, np.ndarray] = field(default_factory=dict)

    def last(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([self.table[t] for t in texts])

    def heads(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([self.head_table[t] for t in texts])

    def message_mean(self, texts: Sequence[str], layer: int) -> np.ndarray:
        return self.last(texts)[:, layer]

    def prompt_mean(self, prompts: Sequence[str], layer: int) -> np.ndarray:
        return self.last(prompts)[:, layer]


def value(name: str = "security") -> Value:
    return load_value_system("schwartz").get(name)


def pairs(n: int) -> list[ContrastivePair]:
    return [
        ContrastivePair(
            id=str(i), value="security", form="first-sentence", positive=f"for {i}", negative=f"against {i}"
        )
        for i in range(n)
    ]


def context(
    n: int = 40,
    n_layers: int = 8,
    width: int = 12,
    *,
    gap: Sequence[float] | float = 3.0,
    seed: int = 0,
    layers: tuple[int, ...] | None = None,
    neutral: int = 30,
) -> FitContext:
    """Pairs that lie ``gap`` deviations apart along one direction a layer, dimensions of uneven scale."""
    rng = np.random.default_rng(seed)
    gaps = np.broadcast_to(np.asarray(gap, dtype=float), (n_layers,))
    directions = rng.normal(size=(n_layers, width))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    scale = np.exp(rng.normal(size=(n_layers, width)))
    made = pairs(n)
    table: dict[str, np.ndarray] = {}
    for pair in made:
        for text, sign in ((pair.positive, 0.5), (pair.negative, -0.5)):
            noise = rng.normal(size=(n_layers, width))
            table[text] = ((noise + sign * gaps[:, None] * directions) * scale + 1.0).astype(np.float32)
    texts = [f"neutral {i}" for i in range(neutral)]
    for text in texts:
        table[text] = (rng.normal(size=(n_layers, width)) * scale + 4.0).astype(np.float32)
    return FitContext(
        shape=ModelShape("tiny", n_layers, width),
        states=GivenStates(table),  # type: ignore[arg-type]
        value=value(),
        pairs=made,
        neutral=texts,
        layers=layers,
        seed=seed,
    )


def request(
    strength: float = 1.0, direction: Direction = "positive", *, gate_open: bool = True, **wording: str
) -> SteerRequest:
    return SteerRequest(
        messages=(Message("system", "Be brief."), Message("user", "Should I wait?")),
        value=value(),
        direction=direction,
        strength=strength,
        shape=ModelShape("tiny", 8, 12),
        gate_open=gate_open,
        wording=wording,
    )
