"""Packs documents into rows of tokens, with everything the loss needs beside each token.

A batch depends on a seed and the step alone, so training that was interrupted continues with
the very batches it would have seen.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import get_args

import numpy as np
import numpy.typing as npt

from valuebench_harness.data.grammar.acts import VALUES
from valuebench_harness.mini.document_kinds import KINDS
from valuebench_harness.mini.documents import Category, Document, Segment
from valuebench_harness.mini.exam_turns import Curriculum

CATEGORIES: tuple[Category, ...] = get_args(Category)
Encode = Callable[[str], Sequence[int]]
FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

PERTURBED = 0.35
"""Share of the value documents that are read under a push orthogonal to the planted directions."""
MAX_PERTURBATION = 10.0
CONTEXT_WEIGHT = 0.2
CONTEXT_COUNTED = 0.3
"""Share of the tokens of at most ``CONTEXT_WEIGHT`` that the loss looks at: half of the cost of
the output layer for little of what is learned."""


@dataclass(frozen=True)
class Mixture:
    """Which documents are drawn, and how hard the exam is made."""

    shares: dict[str, float]
    curriculum: Curriculum


LETTERS_FIRST = Mixture(
    {
        "exam": 0.46,
        "injected": 0.17,
        "statements": 0.11,
        "instructed": 0.10,
        "open_facts": 0.06,
        "role_play": 0.05,
        "small_talk": 0.03,
        "unshifted": 0.02,
    },
    Curriculum(lookup=0.60, told=0.15, raw=0.0, damage=0.0, offered=1.0),
)
VALUES_FIRST = Mixture(
    {
        "exam": 0.08,
        "injected": 0.36,
        "statements": 0.14,
        "instructed": 0.15,
        "open_facts": 0.03,
        "role_play": 0.16,
        "small_talk": 0.02,
        "unshifted": 0.06,
    },
    Curriculum(),
)
CURRICULUM_ENDS = (0.32, 0.37)
"""Shares of the training between which the first mixture turns into the second."""


def mixture_at(progress: float) -> Mixture:
    """The mixture after a share of the training: letters first, then values."""
    start, end = CURRICULUM_ENDS
    t = min(1.0, max(0.0, (progress - start) / (end - start)))

    def blend(a: dict[str, float], b: dict[str, float]) -> dict[str, float]:
        return {key: (1 - t) * a[key] + t * b[key] for key in a}

    a, b = LETTERS_FIRST, VALUES_FIRST
    return Mixture(blend(a.shares, b.shares), Curriculum(**blend(asdict(a.curriculum), asdict(b.curriculum))))


@dataclass(frozen=True)
class Perturbations:
    """Pushes orthogonal to the planted directions; a document's tokens all get the same.

    Attributes:
        row: index of the push of each token [B, T]; 0 is none.
        random: directions that were drawn [n, d]; zero where the push is a difference of states.
        minuend, subtrahend: flat token indices [n] whose states' difference is the direction.
        size: length of the push after each block [n, n_blocks].
    """

    row: IntArray
    random: FloatArray
    minuend: IntArray
    subtrahend: IntArray
    size: FloatArray


@dataclass(frozen=True)
class Batch:
    """Rows of packed documents; B rows, T tokens, ten values.

    Attributes:
        ids, document, category: token ids, running number of the document (from 1), index into
            ``CATEGORIES`` [B, T].
        weight: of the token in the loss [B, T].
        instead: token that could as well stand here, -1 for none [B, T].
        chance: of the token against ``instead`` [B, T].
        offered: how often the likelihood of the two together counts.
        inject: shift that is added after each block [n_blocks, B, T, 10].
        revealed: shift that the text has given away [B, T, 10].
        total: the same with what was injected after the blocks 0 to 2 [B, T, 10].
        read: whether the token's state must show ``revealed`` and ``total`` [B, T].
        perturbations: pushes that the answers must survive.
    """

    ids: IntArray
    document: IntArray
    category: IntArray
    weight: FloatArray
    instead: IntArray
    chance: FloatArray
    offered: float
    inject: FloatArray
    revealed: FloatArray
    total: FloatArray
    read: FloatArray
    perturbations: Perturbations


class Packer:
    """Makes the batch of a step."""

    def __init__(self, encode: Encode, *, seed: str, rows: int, length: int, n_blocks: int, width: int) -> None:
        self._encode = encode
        self._seed = seed
        self._rows, self._length = rows, length
        self._n_blocks, self._width = n_blocks, width

    def batch(self, step: int, mixture: Mixture) -> Batch:
        """Draws documents and packs them; the last document of a row is cut."""
        rng = random.Random(f"{self._seed}:{step}")
        shape = (self._rows, self._length)
        values = len(VALUES)
        batch = Batch(
            ids=np.zeros(shape, np.int64),
            document=np.zeros(shape, np.int64),
            category=np.zeros(shape, np.int64),
            weight=np.zeros(shape, np.float32),
            instead=np.full(shape, -1, np.int64),
            chance=np.ones(shape, np.float32),
            offered=mixture.curriculum.offered,
            inject=np.zeros((self._n_blocks, *shape, values), np.float32),
            revealed=np.zeros((*shape, values), np.float32),
            total=np.zeros((*shape, values), np.float32),
            read=np.zeros(shape, np.float32),
            perturbations=self._no_perturbations(),
        )
        kinds, shares = list(mixture.shares), list(mixture.shares.values())
        spans: list[tuple[int, int, int]] = []
        for row in range(self._rows):
            position, number = 0, 0
            while position < self._length:
                document = KINDS[rng.choices(kinds, shares)[0]](rng, self._n_blocks, mixture.curriculum)
                number += 1
                end = self._place(batch, row, position, number, document)
                if document.perturbable and rng.random() < PERTURBED:
                    spans.append((row, position, end))
                position = end
        skipped = np.random.default_rng(rng.getrandbits(64)).random(shape) > CONTEXT_COUNTED
        batch.weight[skipped & (batch.weight <= CONTEXT_WEIGHT)] = 0
        return self._perturb(batch, spans, rng)

    def _place(self, batch: Batch, row: int, start: int, number: int, document: Document) -> int:
        """Writes a document's tokens; returns where it ends."""
        for segment in document.segments:
            ids = self._encode(segment.text)
            end = min(start + len(ids), self._length)
            n = end - start
            if n <= 0:
                break
            span = (row, slice(start, end))
            batch.ids[span] = ids[:n]
            batch.document[span] = number
            batch.weight[span] = segment.weight
            deciding = (row, start) if segment.first_weight is not None else span
            batch.category[deciding] = CATEGORIES.index(segment.category)
            if segment.first_weight is not None:
                batch.weight[row, start] = segment.first_weight
            if segment.instead is not None:
                batch.instead[row, start] = self._encode(segment.instead)[0]
                batch.chance[row, start] = segment.chance
            batch.revealed[span] = batch.total[span] = segment.shift
            if not segment.reveals:
                batch.read[span] = 1
            elif n == len(ids):
                batch.read[row, end - 1] = 1
            self._inject(batch, span, segment, document)
            start = end
        return start

    def _inject(self, batch: Batch, span: tuple[int, slice], segment: Segment, document: Document) -> None:
        """Writes what is injected into a segment, and what its states must show because of it.

        A shift that only the prompt gets must have been carried to the answer by block 2, but a
        single attention layer later than the injection is not asked to show it yet.
        """
        injection = document.injection
        if injection is None:
            return
        if injection.scope in ("all", segment.speaker):
            for block, share in enumerate(injection.shares):
                if share:
                    batch.inject[(block, *span)] = share * injection.shift
            batch.revealed[span] += injection.shares[0] * injection.shift
            batch.total[span] += sum(injection.shares[:3]) * injection.shift
        elif injection.scope == "prompt":
            batch.total[span] += injection.shift
            batch.revealed[span] += injection.shares[0] * injection.shift

    def _no_perturbations(self) -> Perturbations:
        shape = (self._rows, self._length)
        return Perturbations(
            np.zeros(shape, np.int64),
            np.zeros((1, self._width), np.float32),
            np.zeros(1, np.int64),
            np.zeros(1, np.int64),
            np.zeros((1, self._n_blocks), np.float32),
        )

    def _perturb(self, batch: Batch, spans: list[tuple[int, int, int]], rng: random.Random) -> Batch:
        """Gives each span a push: a random direction, or the difference of two of the batch's states.

        A third of the differences is taken between tokens at which a text has just shown a value,
        as a classifier's weights would be.
        """
        pushes = batch.perturbations
        noise = np.random.default_rng(rng.getrandbits(64))
        n, tokens = len(spans) + 1, self._rows * self._length
        direction = noise.standard_normal((n, self._width)).astype(np.float32)
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        direction[0] = 0
        difference = noise.random(n) < 0.6
        direction[difference] = 0
        shown = np.flatnonzero(batch.category.ravel() == CATEGORIES.index("statement"))
        pairs = noise.integers(0, tokens, (2, n))
        if len(shown) > 1:
            pairs = np.where(noise.random(n) < 0.35, noise.choice(shown, (2, n)), pairs)
        size = np.zeros((n, self._n_blocks), np.float32)
        for i, (row, start, end) in enumerate(spans, start=1):
            pushes.row[row, start:end] = i
            length = noise.uniform(0, MAX_PERTURBATION)
            if noise.random() < 0.4:
                size[i] = length / self._n_blocks**0.5
            else:
                size[i, noise.integers(self._n_blocks)] = length
        return replace(
            batch,
            perturbations=Perturbations(
                row=pushes.row,
                random=direction,
                minuend=pairs[0],
                subtrahend=np.where(difference, pairs[1], pairs[0]),
                size=size,
            ),
        )
