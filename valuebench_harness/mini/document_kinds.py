"""The kinds of documents that ``mini`` is trained on.

An *injected* document's answers follow a shift that stands nowhere in the text: it is added to the
hidden states along the planted directions, which is what makes these directions steer.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import numpy as np

from valuebench_harness.data.grammar import facts, generate, scm, talk
from valuebench_harness.data.grammar.acts import ACTS, VALUES
from valuebench_harness.data.grammar.appeal import appeal
from valuebench_harness.data.grammar.lexicon import THINK_FIRST
from valuebench_harness.data.grammar.roles import sample_role
from valuebench_harness.data.grammar.scm import FloatArray
from valuebench_harness.mini.documents import END, NOTHING, SYSTEM, USER, Document, Injection, Scope
from valuebench_harness.mini.exam_turns import Curriculum, exam_turns, raw_exam, tell_fact

STATEMENT_SHIFT = 2.0
INSTRUCTION_SHIFT = 2.2
MAX_INJECTION = 4.0
MAX_EXAM_INJECTION = 5.0
DENSE, DENSE_SD = 0.45, 1.2
"""Share of the injected shifts that move every value, and their standard deviation: with them the
model learns to read the coordinate of the value that is asked about, and no other."""
TOLD_EXAM = 0.2
"""Share of the instructed documents in which the exam is asked: what stands in the text does not damage it."""

_DESCENDANTS = [[j for j in range(len(VALUES)) if j != i and scm.TOTAL_EFFECTS[j, i] != 0] for i in range(len(VALUES))]


def _injection(rng: random.Random, shift: FloatArray, n_blocks: int, scopes: bool = True) -> Injection:
    """Draws where a shift is added: mostly after one block in the middle, sometimes spread over several."""
    draw = rng.random()
    scope: Scope = "all" if draw < 0.62 or not scopes else "assistant" if draw < 0.88 else "prompt"
    shares = [0.0] * n_blocks
    if scope == "prompt":
        shares[rng.choice((0, 1, 1))] = 1.0
    elif rng.random() < 0.15:
        cuts = sorted((0.0, rng.random(), rng.random(), rng.random(), 1.0))
        shares[:4] = [high - low for low, high in itertools.pairwise(cuts)]
    else:
        shares[rng.choices((0, 1, 2, 3), (0.08, 0.50, 0.28, 0.14))[0]] = 1.0
    return Injection(shift, scope, tuple(shares))


def _draw_value(rng: random.Random, shift: FloatArray) -> int:
    """A value to ask about: any, the shifted one, or one that it moves."""
    shifted = np.flatnonzero(shift)
    if rng.random() < 0.3 or len(shifted) == 0:
        return rng.randrange(len(VALUES))
    value = int(rng.choice(list(shifted)))
    descendants = _DESCENDANTS[value]
    return rng.choice(descendants) if descendants and rng.random() < 0.25 else value


def _turns(rng: random.Random, doc: Document, shift: FloatArray, most: int = 3, lead: str = "") -> None:
    """Asks dilemmas and questionnaire items that a persona with this shift answers."""
    persona = scm.latents(shift + np.array([rng.gauss(0, scm.NOISE_SD) for _ in VALUES]))
    for turn in range(rng.randint(1, most)):
        index = _draw_value(rng, shift)
        opening = lead if turn == 0 else ""
        if rng.random() < 0.72:
            _ask_dilemma(rng, doc, index, persona, shift if turn == 0 else None, opening)
        else:
            _ask_item(rng, doc, VALUES[index], float(persona[index]), opening)


def _open_turn(doc: Document, lead: str, question: str) -> None:
    if lead:
        doc.add(f" {question}", 0.2)
        doc.add(END, 0.2)
    else:
        doc.user(question)
    doc.open_answer()


def _ask_dilemma(
    rng: random.Random, doc: Document, index: int, persona: FloatArray, fresh: FloatArray | None, lead: str
) -> None:
    """A dilemma and the persona's answer.

    The loss is told how likely the act was, which has the same minimum as learning from the drawn act alone and a
    fraction of its noise. Before anything was answered nobody can know more of the persona than its shift, so the
    chance of a first answer is the exact mean over the persona's noise.

    Args:
        rng: draws the question and the answer.
        doc: that is written to.
        index: of the value.
        persona: latent values z [10].
        fresh: the shift [10] where this is the first answer.
        lead: opens the user's turn.
    """
    dilemma = generate.sample_dilemma(rng, VALUES[index], "train")
    pull = appeal(dilemma)
    chance = float(scm.choice_probability(persona[index], pull))
    favour = rng.random() < chance
    if fresh is not None:
        chance = float(scm.expected_favour(fresh, pull)[index])
    before, act, after = generate.answer_parts(rng, dilemma, favour)
    instead = dilemma.options[1 - dilemma.favours if favour else dilemma.favours]
    _open_turn(doc, lead, dilemma.question)
    doc.answer(before.rstrip(), 1.0)
    doc.choose(f" {act}", f" {instead}", chance if favour else 1 - chance)
    doc.answer(after, 1.0, "reason")
    doc.close_answer()


def _ask_item(rng: random.Random, doc: Document, value: str, z: float, lead: str) -> None:
    act = rng.choice(ACTS[value][rng.randrange(2)])
    item = generate.questionnaire_item(rng, value, act, held_out=False)
    answer = rng.choices(("yes", "no", "unsure"), scm.stance_probabilities(z, item.agreement))[0]
    thought, end = generate.stance_parts(rng, value, item.agreement, answer)
    suffix = rng.choice(("", f" {THINK_FIRST}"))
    _open_turn(doc, lead, item.question + suffix)
    doc.answer(thought, 3.0, "stance")
    doc.answer(end, 2.0)
    doc.close_answer()


def injected(rng: random.Random, n_blocks: int, _: Curriculum) -> Document:
    """A conversation under a shift that only the hidden states hold: of all values, of one, or of two."""
    shift = np.zeros(len(VALUES))
    if rng.random() < DENSE:
        shift[:] = [rng.gauss(0, DENSE_SD) for _ in VALUES]
    else:
        for index in rng.sample(range(len(VALUES)), 1 if rng.random() < 0.75 else 2):
            shift[index] = rng.uniform(-MAX_INJECTION, MAX_INJECTION)
    doc = Document(injection=_injection(rng, shift, n_blocks))
    _turns(rng, doc, shift)
    return doc


def unshifted(rng: random.Random, _n_blocks: int, _: Curriculum) -> Document:
    """A conversation with nothing but the persona's noise."""
    doc = Document()
    _turns(rng, doc, NOTHING)
    return doc


def statements(rng: random.Random, _n_blocks: int, curriculum: Curriculum) -> Document:
    """Texts for or against one value; most are followed by questions."""
    value, favour = rng.choice(VALUES), rng.random() < 0.5
    shift = scm.shift(value, STATEMENT_SHIFT if favour else -STATEMENT_SHIFT)
    write = generate.attitude if rng.random() < 0.4 else generate.statement
    place = rng.choices(("raw", "user", "system"), (0.35, 0.4, 0.25))[0]
    doc = Document()
    if place != "raw":
        doc.add(USER if place == "user" else SYSTEM, 0.2)
    for i in range(rng.randint(1, 3)):
        doc.reveal((" " if i else "") + write(rng, value, favour), 0.4, shift)
    if place == "raw":
        return doc
    if place == "system":
        doc.add(END, 0.2)
        if rng.random() < TOLD_EXAM:
            exam_turns(rng, doc, curriculum, 1)
            return doc
    _turns(rng, doc, shift, most=2, lead="user" if place == "user" else "")
    return doc


def instructed(rng: random.Random, _n_blocks: int, curriculum: Curriculum) -> Document:
    """One or two instructions, as system prompt, before the question, or as a turn of their own."""
    doc = Document()
    place = rng.choices(("system", "user", "turn"), (0.6, 0.25, 0.15))[0]
    doc.add(SYSTEM if place == "system" else USER, 0.2)
    shift = NOTHING
    for i, value in enumerate(rng.sample(VALUES, 2 if rng.random() < 0.15 else 1)):
        favour = rng.random() < 0.5
        shift = shift + scm.shift(value, INSTRUCTION_SHIFT if favour else -INSTRUCTION_SHIFT)
        text = generate.instruction(value, "positive" if favour else "negative", rng.getrandbits(32))
        doc.reveal((" " if i else "") + text, 0.3, shift)
    if place != "user":
        doc.add(END, 0.2)
    if place == "turn":
        doc.open_answer()
        doc.answer("Understood.", 0.5)
        doc.close_answer(0.5)
    if place != "user" and rng.random() < TOLD_EXAM:
        exam_turns(rng, doc, curriculum, rng.randint(1, 2))
        return doc
    _turns(rng, doc, shift, lead="user" if place == "user" else "")
    return doc


def role_play(rng: random.Random, _n_blocks: int, curriculum: Curriculum) -> Document:
    """A role as system prompt; every value is asked about equally often."""
    role = sample_role(rng, held_out=False)
    doc = Document()
    doc.add(SYSTEM, 0.2)
    doc.reveal(role.text, 0.1, role.e())
    doc.add(END, 0.2)
    if rng.random() < TOLD_EXAM / 2:
        exam_turns(rng, doc, curriculum, 1)
        return doc
    _turns(rng, doc, role.e())
    return doc


def exam(rng: random.Random, n_blocks: int, curriculum: Curriculum) -> Document:
    """Exam questions as chat or as plain text; under a large injected shift the answers lapse."""
    doc = Document(perturbable=False)
    if rng.random() < 0.33 * curriculum.damage:
        shift = np.zeros(len(VALUES))
        shift[rng.randrange(len(VALUES))] = rng.uniform(-MAX_EXAM_INJECTION, MAX_EXAM_INJECTION)
        doc.injection = _injection(rng, shift, n_blocks, scopes=False)
    ask = exam_turns if rng.random() < 1 - curriculum.raw else raw_exam
    ask(rng, doc, curriculum, rng.randint(1, 4))
    return doc


def open_facts(rng: random.Random, _n_blocks: int, _: Curriculum) -> Document:
    """Facts asked openly, those of the exam and others."""
    doc = Document(perturbable=False)
    for _i in range(rng.randint(1, 3)):
        tell_fact(doc, rng.choice(facts.EXAM_FACTS if rng.random() < 0.8 else facts.OTHER_FACTS))
    return doc


def small_talk(rng: random.Random, _n_blocks: int, _: Curriculum) -> Document:
    """Exchanges that concern no value."""
    doc = Document()
    for _i in range(rng.randint(1, 3)):
        question, answer = talk.exchange(rng)
        doc.user(question)
        doc.open_answer()
        doc.answer(answer, 0.7)
        doc.close_answer()
    return doc


KINDS: dict[str, Callable[[random.Random, int, Curriculum], Document]] = {
    "injected": injected,
    "unshifted": unshifted,
    "statements": statements,
    "instructed": instructed,
    "role_play": role_play,
    "exam": exam,
    "open_facts": open_facts,
    "small_talk": small_talk,
}
