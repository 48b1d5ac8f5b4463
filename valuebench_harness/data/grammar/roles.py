"""Roles: personas whose job, type and traits shift every value on its own.

Four fields of sixteen levels each. The shifts of a field's levels are the columns of a centred
random orthogonal matrix, so over all levels they have mean zero, the same variance for every
value and no correlation between values; their sum over four fields is near Gaussian with
standard deviation ``SPREAD``. What a word shifts is therefore arbitrary (an artist is not drawn
to novelty), and name and gender shift nothing: the persona's graph can be found from its
answers, stereotypes cannot. 65,536 combinations; a quarter of them never occurs in training.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache

import numpy as np

from valuebench_harness.data.grammar.acts import VALUES
from valuebench_harness.data.grammar.holdout import is_held_out
from valuebench_harness.data.grammar.lexicon import MEN, WOMEN
from valuebench_harness.data.grammar.scm import FloatArray, latents

SPREAD = 1.0
"""Standard deviation of the sum of all fields' shifts of a value; the noise of e has 0.7."""

_SEED = 23

JOBS: tuple[str, ...] = (
    "potter", "nurse", "sailor", "baker", "clerk", "painter", "judge", "miner",
    "tailor", "pilot", "farmer", "singer", "guard", "cook", "smith", "teacher",
)  # fmt: skip
TYPES: tuple[str, ...] = tuple(a + b + c + d for a in "IE" for b in "NS" for c in "TF" for d in "JP")
TEMPERS: tuple[str, ...] = (
    "calm", "merry", "stern", "gentle", "shy", "witty", "moody", "patient",
    "restless", "sober", "proud", "humble", "curious", "blunt", "dreamy", "earnest",
)  # fmt: skip
MANNERS: tuple[str, ...] = (
    "daring", "tidy", "generous", "frugal", "loyal", "cunning", "playful", "careful",
    "candid", "stubborn", "graceful", "punctual", "talkative", "modest", "nimble", "solemn",
)  # fmt: skip
FIELDS: tuple[tuple[str, ...], ...] = (JOBS, TYPES, TEMPERS, MANNERS)


@dataclass(frozen=True)
class Role:
    """A persona.

    Attributes:
        name, gender: shift nothing.
        job, type, temper, manner: the fields that shift the values.
    """

    name: str
    gender: str
    job: str
    type: str
    temper: str
    manner: str

    @property
    def text(self) -> str:
        """The role as a system prompt."""
        return f"You are {self.name}, a {self.gender}, a {self.job}, type {self.type}, {self.temper} and {self.manner}."

    @property
    def held_out(self) -> bool:
        """Whether this combination of fields is kept from training."""
        return is_held_out("role", self.job, self.type, self.temper, self.manner)

    def e(self) -> FloatArray:
        """The exogenous shift of each value [10], in the order of ``VALUES``."""
        tables = shift_tables()
        words = (self.job, self.type, self.temper, self.manner)
        return sum(
            (table[levels.index(word)] for table, levels, word in zip(tables, FIELDS, words, strict=True)),
            start=np.zeros(len(VALUES)),
        )

    def z(self) -> FloatArray:
        """The planted latent values A e [10], without noise."""
        return latents(self.e())


@cache
def shift_tables() -> tuple[FloatArray, ...]:
    """For each field, the shift of every value by every level [16, 10]."""
    rng = np.random.default_rng(_SEED)
    tables = []
    for levels in FIELDS:
        raw = rng.normal(size=(len(levels), len(VALUES)))
        columns, _ = np.linalg.qr(raw - raw.mean(axis=0))
        tables.append(columns * SPREAD * np.sqrt(len(levels) / len(FIELDS)))
    return tuple(tables)


def sample_role(rng: random.Random, held_out: bool) -> Role:
    """Draws a role whose combination of fields is (or is not) held out from training."""
    while True:
        woman = rng.random() < 0.5
        role = Role(
            name=rng.choice(WOMEN if woman else MEN),
            gender="woman" if woman else "man",
            job=rng.choice(JOBS),
            type=rng.choice(TYPES),
            temper=rng.choice(TEMPERS),
            manner=rng.choice(MANNERS),
        )
        if role.held_out == held_out:
            return role


def roles(n: int, seed: int) -> list[Role]:
    """``n`` different held-out roles."""
    rng = random.Random(seed)
    found: dict[Role, None] = {}
    while len(found) < n:
        found[sample_role(rng, held_out=True)] = None
    return list(found)
