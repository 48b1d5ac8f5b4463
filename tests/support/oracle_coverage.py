"""How often the interval of control success holds the truth, where the answers are a model's and the truth is known.

The truth is what ``mini``'s oracle, the parse of its grammar, says of all answers to many questions. A data set is some
of these questions, drawn with replacement, and the verdicts of another judge on their answers. So the interval is held
to what simulations from a formula leave out: how a model's answers to one question hang together, and what the judge
gets wrong or leaves unscored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tests.support.simulations import Share
from valuebench_harness.harness.config import make_config
from valuebench_harness.harness.judging import judge_items
from valuebench_harness.harness.priority import own_dilemmas
from valuebench_harness.harness.progress import Reporter
from valuebench_harness.harness.records import BASE
from valuebench_harness.harness.session import execute
from valuebench_harness.judges.base import JudgeItem, RuleJudge
from valuebench_harness.judges.grammar import Grammar
from valuebench_harness.judges.option_match import OptionMatch
from valuebench_harness.metrics.rates import rate
from valuebench_harness.mini import write_data

SAMPLES = 3
"""Answers a question in the population."""

DRAWN = 48
"""Questions of a data set: what a value of ``mini`` is asked."""

UNSTEERED, STEERED = "unsteered", "steered"
MIDDLE = 0.4
"""A strength of ``caa`` at which rates lie between the unsteered ones and 1; at the shipped ones they are near 1."""


@dataclass(frozen=True)
class Population:
    """All answers to one value's questions, unsteered or steered.

    Attributes:
        truth: share of answers for the value, by the oracle.
        judged: by question, whether each answer is for the value by the other judge; ``None`` is unscored.
    """

    truth: float
    judged: tuple[tuple[bool | None, ...], ...]


def populations(
    values: Sequence[str], questions: int, folder: Path, *, strength: float | None = MIDDLE, seed: int = 1
) -> Mapping[str, list[Population]]:
    """Asks ``mini`` held-out dilemmas that are drawn anew, three sampled answers each at temperature 1.

    Args:
        values: to ask about, and to steer by ``caa``.
        questions: of each value.
        folder: of the run.
        strength: of steering; ``None`` for the shipped ones.
        seed: of the dilemmas and the answers.

    Returns:
        A population a value, ``unsteered`` and ``steered``.
    """
    plan = own_dilemmas(
        make_config(steerer="caa", values=tuple(values), strength=strength, n_samples=SAMPLES, seed=seed)
    )
    like = {d.value: d for d in plan.documents}
    documents = tuple(
        like[value].model_copy(
            update={"id": d.id, "scene": d.scene, "text": d.question, "options": d.options, "favours": d.favours}
        )
        for value in values
        for d in write_data.dilemmas(value, questions, seed=seed)
        if d.split == "test"
    )
    run = execute(replace(plan, documents=documents), folder, resume=True, report=Reporter(quiet=True))
    found: dict[str, list[Population]] = {UNSTEERED: [], STEERED: []}
    items = judge_items(list(run.samples.values()), run.documents, plan.family.data.system)
    for state, wanted in found.items():
        for value in values:
            by_question: dict[str, list[JudgeItem]] = {}
            for key, item in items:
                sample = run.samples[key]
                if item.asks == "csr" and item.value == value and (sample.condition == BASE.id) == (state == UNSTEERED):
                    by_question.setdefault(sample.document, []).append(item)
            oracle = [verdict for asked in by_question.values() for verdict in _verdicts(Grammar(), asked)]
            scored = [verdict for verdict in oracle if verdict is not None]
            judged = tuple(_verdicts(OptionMatch(), asked) for asked in by_question.values())
            wanted.append(Population(sum(scored) / len(scored), judged))
    return found


def _verdicts(judge: RuleJudge, items: Sequence[JudgeItem]) -> tuple[bool | None, ...]:
    labels = [judge.verdict(item).label for item in items]
    return tuple(None if label is None else label == "yes" for label in labels)


def coverage(found: Sequence[Population], n_samples: int, repeats: int, seed: int = 0) -> Share:
    """How often the interval of a data set of 48 questions holds the oracle's truth.

    Args:
        found: data sets are drawn from each.
        n_samples: answers a question, at most those of the population.
        repeats: data sets of each population.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    held = 0
    for population in found:
        for _ in range(repeats):
            outcomes: list[bool | None] = []
            for question in rng.integers(len(population.judged), size=DRAWN):
                answers = population.judged[question]
                outcomes += [answers[i] for i in rng.permutation(len(answers))[:n_samples]]
            # A question that is drawn twice stands for two alike.
            clusters = [f"q{place // n_samples}" for place in range(len(outcomes))]
            interval = rate(outcomes, clusters)
            held += (
                interval.low is not None
                and interval.high is not None
                and (interval.low <= population.truth <= interval.high)
            )
    return Share(held, repeats * len(found))
