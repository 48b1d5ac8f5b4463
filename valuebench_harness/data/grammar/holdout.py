"""Which combinations of words are kept from training, decided by a hash of the combination."""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal

Split = Literal["train", "select", "test"]

HELD_OUT = 0.25


def _fraction(key: tuple[str, ...]) -> float:
    digest = blake2b("|".join(key).encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def is_held_out(*key: str) -> bool:
    """Whether a combination is kept from training; a quarter of all are."""
    return _fraction(key) < HELD_OUT


def split_of(*key: str) -> Split:
    """Train, or one of the two disjoint held-out halves: one to tune on, one to report on."""
    x = _fraction(key)
    if x >= HELD_OUT:
        return "train"
    return "select" if x < HELD_OUT / 2 else "test"
