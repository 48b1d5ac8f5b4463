"""What ``mini`` would answer if it were its planted causal model: the truth that a collection is held against.

A role gives e, the conversation's noise is added, z = A e follows, and each answer is drawn with the planted
probabilities of yes, no and unsure. A steering method moves e of its value alone, by ``SHIFT``.
"""

from __future__ import annotations

import numpy as np

from valuebench_harness.data.grammar import scm
from valuebench_harness.harness.collect.config import CollectConfig
from valuebench_harness.harness.collect.people import planted_role
from valuebench_harness.harness.collect.plan import Cell
from valuebench_harness.harness.collect.records import LABELS, Person, Reply, Setting
from valuebench_harness.harness.requests import row_seed

SHIFT = 2.0
"""Units of e; the noise has 0.7, the roles 1."""

_NODES = 40

Shares = tuple[float, float, float]


class Oracle:
    """Answers cells.

    Args:
        config: of the collection.
    """

    def __init__(self, config: CollectConfig) -> None:
        self._config = config
        nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
        self._nodes, self._weights = nodes, weights / weights.sum()
        self._sd = scm.NOISE_SD * np.sqrt((scm.TOTAL_EFFECTS**2).sum(axis=1))
        self._given: dict[tuple[str, str], scm.FloatArray] = {}
        self._shares: dict[tuple[str, str, int, int], Shares] = {}

    def reply(self, cell: Cell, repeat: int) -> Reply:
        """An answer drawn from the planted model, or its exact probabilities."""
        index = scm.INDEX[cell.question.value]
        z = float(scm.latents(self._e(cell.setting, cell.person))[index])
        ids = {"setting": cell.setting.id, "role": cell.person.id, "item": cell.question.id, "repeat": repeat}
        if self._config.score == "probability":
            key = (cell.setting.id, cell.person.id, index, cell.question.agreement)
            if key not in self._shares:  # the same for every item that speaks for the value, or against it
                self._shares[key] = self._expected(z, index, cell.question.agreement)
            return Reply(**ids, probabilities=self._shares[key], mass=1.0)
        rng = np.random.default_rng(row_seed(self._config.run.seed, f"{cell.person.id}|{cell.question.id}", repeat))
        noisy = z + scm.latents(rng.normal(0, scm.NOISE_SD, len(scm.INDEX)))[index]
        said = rng.choice(LABELS, p=scm.stance_probabilities(float(noisy), cell.question.agreement))
        return Reply(**ids, answer=f"Answer: {said}.", finish="eos")

    def _expected(self, z: float, index: int, agreement: int) -> Shares:
        """Probabilities of yes, no and unsure, averaged over the noise around z."""
        around = z + self._sd[index] * self._nodes
        shares = np.array([scm.stance_probabilities(float(x), agreement) for x in around])
        yes, no, unsure = (self._weights @ shares).tolist()
        return yes, no, unsure

    def _e(self, setting: Setting, person: Person) -> scm.FloatArray:
        key = (setting.id, person.id)
        if key not in self._given:
            role = planted_role(person)
            e = role.e() if role is not None else np.zeros(len(scm.INDEX))
            if setting.value is not None:
                e = e + scm.shift(setting.value, setting.sign * SHIFT)
            self._given[key] = e
        return self._given[key]
