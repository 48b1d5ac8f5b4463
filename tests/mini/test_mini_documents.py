"""Training documents and batches say what the loss believes they say."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest

from valuebench_harness.data.grammar import facts, lexicon, scm
from valuebench_harness.data.grammar.acts import ACTS, VALUES
from valuebench_harness.data.grammar.holdout import split_of
from valuebench_harness.mini import document_kinds, documents, exam_turns
from valuebench_harness.mini.batches import CATEGORIES, Batch, Packer, mixture_at
from valuebench_harness.mini.document_kinds import KINDS
from valuebench_harness.mini.documents import NOTHING, Document
from valuebench_harness.mini.exam_turns import Curriculum

N_BLOCKS, WIDTH = 5, 16


def encode(text: str) -> Sequence[int]:
    """A token a character, so that positions can be followed."""
    return [ord(character) for character in text]


def batch(step: int = 0, progress: float = 1.0) -> Batch:
    packer = Packer(encode, seed="0", rows=4, length=600, n_blocks=N_BLOCKS, width=WIDTH)
    return packer.batch(step, mixture_at(progress))


def text_of(document: Document) -> str:
    return "".join(segment.text for segment in document.segments)


@pytest.mark.parametrize("kind", KINDS)
def test_documents_are_whole_conversations(kind: str) -> None:
    rng = random.Random(0)
    for _ in range(30):
        document = KINDS[kind](rng, N_BLOCKS, Curriculum())
        text = text_of(document)
        assert text.startswith(documents.BOS)
        assert text.count(documents.BOS) == 1
        turns = text.count(documents.USER) + text.count(documents.ASSISTANT) + text.count(documents.SYSTEM)
        assert text.count(documents.END) == turns


def test_no_training_dilemma_is_a_held_out_combination() -> None:
    rng = random.Random(1)
    found = 0
    for _ in range(200):
        text = text_of(document_kinds.unshifted(rng, N_BLOCKS, Curriculum()))
        for value, (acts_for, acts_against) in ACTS.items():
            for turn in text.split(documents.USER)[1:]:
                question = turn.split(documents.END)[0]
                pair = [[a for a in acts if a in question] for acts in (acts_for, acts_against)]
                scenes = [s for s, place in lexicon.PLACES.items() if place in question.lower()]
                if len(pair[0]) == len(pair[1]) == len(scenes) == 1:
                    found += 1
                    assert split_of(value, scenes[0], pair[0][0], pair[1][0]) == "train"
    assert found > 100


def test_a_shift_is_revealed_by_the_text_that_gives_it_away_and_held_from_there() -> None:
    rng = random.Random(2)
    for _ in range(50):
        segments = document_kinds.role_play(rng, N_BLOCKS, Curriculum()).segments
        revealing = [i for i, segment in enumerate(segments) if segment.reveals]
        assert len(revealing) == 1
        (at,) = revealing
        assert all(np.array_equal(segment.shift, NOTHING) for segment in segments[:at])
        assert all(np.array_equal(segment.shift, segments[at].shift) for segment in segments[at:])


def test_an_injected_document_reveals_nothing() -> None:
    rng = random.Random(3)
    for _ in range(100):
        document = document_kinds.injected(rng, N_BLOCKS, Curriculum())
        assert document.injection is not None
        assert sum(document.injection.shares) == pytest.approx(1)
        assert np.count_nonzero(document.injection.shift) in {1, 2, len(VALUES)}
        assert all(np.array_equal(segment.shift, NOTHING) for segment in document.segments)


def test_answers_follow_the_injected_shift() -> None:
    rng = random.Random(4)
    right = []
    for _ in range(600):
        document = document_kinds.injected(rng, N_BLOCKS, Curriculum())
        assert document.injection is not None
        z = scm.latents(document.injection.shift)
        for segment in document.segments:
            if segment.category == "choice_injected":
                act = segment.text.strip()
                value = next(v for v in VALUES if act in ACTS[v][0] + ACTS[v][1])
                if abs(z[scm.INDEX[value]]) > 2:
                    right.append((act in ACTS[value][0]) == (z[scm.INDEX[value]] > 0))
    assert len(right) > 100
    assert np.mean(right) > 0.85


def test_only_large_injected_shifts_make_exam_answers_lapse() -> None:
    rng = random.Random(5)
    by_size: dict[bool, list[bool]] = {True: [], False: []}
    plain = Curriculum(lookup=0.0, told=0.0, raw=0.0)
    for _ in range(800):
        document = document_kinds.exam(rng, N_BLOCKS, plain)
        size = 0.0 if document.injection is None else np.abs(document.injection.shift).max()
        if exam_turns.DAMAGE_FROM < size < exam_turns.DAMAGE_FULL:
            continue
        prompts = [s.text for s in document.segments if s.text.endswith("Answer:")]
        letters = [s.text for s in document.segments if s.category == "letter"]
        for prompt, letter in zip(prompts, letters, strict=True):
            question = prompt.split("\n")[0]
            fact = next(f for f in facts.EXAM_FACTS + facts.OTHER_FACTS if f.question == question)
            by_size[size > exam_turns.DAMAGE_FULL].append(f"{letter}. {fact.answer}\n" in prompt)
    assert all(by_size[False])
    assert np.mean(by_size[True]) == pytest.approx(0.25, abs=0.08)


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    first, again, other = batch(7), batch(7), batch(8)
    assert np.array_equal(first.ids, again.ids)
    assert np.array_equal(first.perturbations.size, again.perturbations.size)
    assert not np.array_equal(first.ids, other.ids)


def test_rows_are_full_and_documents_numbered() -> None:
    packed = batch()
    assert (packed.document > 0).all()
    steps = np.diff(packed.document, axis=1)
    assert set(np.unique(steps)) <= {0, 1}


def test_targets_are_what_is_revealed_and_injected() -> None:
    packed = batch()
    injected = np.abs(packed.inject[:3]).sum(axis=(0, 3)) > 0
    difference = np.abs(packed.total - packed.revealed).sum(axis=2) > 0
    late = np.abs(packed.inject[1:3]).sum(axis=(0, 3)) > 0
    assert injected.any()
    assert (difference[late]).all()
    quiet = ~injected & ~difference
    assert np.array_equal(packed.total[quiet], packed.revealed[quiet])


def test_the_deciding_token_weighs_most() -> None:
    packed = batch()
    choice = np.isin(packed.category, [CATEGORIES.index("choice"), CATEGORIES.index("choice_injected")])
    assert choice.any()
    assert (packed.weight[choice] == 4).all()


def test_the_curriculum_goes_from_letters_to_values() -> None:
    start, end = mixture_at(0.0), mixture_at(1.0)
    assert start.shares["exam"] > end.shares["exam"]
    assert start.curriculum.damage == 0
    assert end.curriculum.damage == 1
    for mixture in (start, mixture_at(0.34), end):
        assert sum(mixture.shares.values()) == pytest.approx(1)
