"""How attractive each act is by itself, whatever the persona holds.

Real items differ in how easily they are agreed to, so those of ``mini`` do too: each act has a planted
appeal on the logit scale, and the act for the value gains the difference to the act against it. Twelve
evenly spaced levels are dealt to the twelve acts of a value and side, so they average to zero and shift no
value's rate. Without them every dilemma of a value would be the same coin, and which side greedy
decoding takes would hang on whatever small preference training left behind.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from valuebench_harness.data.grammar.acts import ACTS, VALUES
from valuebench_harness.data.schemas import Dilemma

MAX_APPEAL = 0.8
"""Logits; a dilemma's difference then has a standard deviation of 0.7, a persona's noise one of about 1.2."""

_SEED = 31


@cache
def appeals() -> dict[str, dict[str, float]]:
    """Appeal in logits of every act of every value."""
    rng = np.random.default_rng(_SEED)
    return {
        value: {
            act: float(level)
            for side in ACTS[value]
            for act, level in zip(side, rng.permutation(np.linspace(-MAX_APPEAL, MAX_APPEAL, len(side))), strict=True)
        }
        for value in VALUES
    }


def appeal(dilemma: Dilemma) -> float:
    """What the acts add to the logit of the act for the value."""
    own = appeals()[dilemma.value]
    return own[dilemma.options[dilemma.favours]] - own[dilemma.options[1 - dilemma.favours]]
