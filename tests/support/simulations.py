"""Data sets with a known truth: how often do intervals cover it, how often do tests err?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from valuebench_harness.metrics.comparison import compare
from valuebench_harness.metrics.paired import Outcomes
from valuebench_harness.metrics.ppi import Opinions, corrected_rate
from valuebench_harness.metrics.rates import rate, wilson


@dataclass(frozen=True)
class Share:
    """How often something happened, with the simulation's own exact 95% interval."""

    hits: int
    trials: int

    @property
    def estimate(self) -> float:
        return self.hits / self.trials

    @property
    def interval(self) -> tuple[float, float]:
        found = binomtest(self.hits, self.trials).proportion_ci()
        return float(found.low), float(found.high)


@dataclass(frozen=True)
class Design:
    """Answers to ``items`` questions whose chances of success are drawn from a beta distribution."""

    items: int
    repeats: int
    alpha: float
    beta: float

    @property
    def truth(self) -> float:
        return self.alpha / (self.alpha + self.beta)

    def __str__(self) -> str:
        return f"{self.items} items x {self.repeats} answers, rate {self.truth:.2f}"


DESIGNS = (
    Design(48, 5, 1.2, 0.8),
    Design(48, 3, 9, 1),
    Design(100, 4, 0.3, 0.1),
    Design(20, 5, 2, 2),
    Design(480, 1, 4, 1),
    Design(48, 10, 0.975, 0.025),
)


def coverage_of_rates(design: Design, trials: int, seed: int = 0) -> tuple[Share, Share]:
    """Coverage of the clustered interval, and of the one that takes every answer as independent."""
    rng = np.random.default_rng(seed)
    names = [f"q{i}" for i in range(design.items) for _ in range(design.repeats)]
    ours = naive = 0
    for _ in range(trials):
        chances = np.repeat(rng.beta(design.alpha, design.beta, design.items), design.repeats)
        found = rate([bool(x) for x in rng.random(len(names)) < chances], names)
        ours += _covers((found.low, found.high), design.truth)
        naive += _covers(wilson(found.hits, found.n), design.truth)
    return Share(ours, trials), Share(naive, trials)


def coverage_over_roles(trials: int, seed: int = 0) -> tuple[Share, Share]:
    """The same with 24 questions crossed with 16 roles: both as clusters, and the questions alone."""
    rng = np.random.default_rng(seed)
    items, roles = 24, 16
    asked = [f"q{i}" for i in range(items) for _ in range(roles)]
    who = [f"r{r}" for _ in range(items) for r in range(roles)]
    both = one = 0
    for _ in range(trials):
        leaning = rng.normal(0, 0.8, (items, 1)) + rng.normal(0, 0.8, (1, roles)) + rng.normal(size=(items, roles))
        outcomes = [bool(x) for x in leaning.ravel() > 0]
        two = rate(outcomes, asked, who)
        both += _covers((two.low, two.high), 0.5)
        alone = rate(outcomes, asked)
        one += _covers((alone.low, alone.high), 0.5)
    return Share(both, trials), Share(one, trials)


def errors_of_paired_tests(trials: int, seed: int = 0) -> dict[str, Share]:
    """How often two methods of the same strength are told apart on 100 questions."""
    rng = np.random.default_rng(seed)
    wrong = {"Agresti-Min interval": 0, "McNemar exact": 0, "permutation": 0}
    for _ in range(trials):
        hard = rng.beta(1.2, 0.8, 100)
        first, second = (_outcomes(rng.random(100) < hard) for _ in range(2))
        found = compare(first, second, seed=int(rng.integers(2**31)))
        wrong["Agresti-Min interval"] += found.change.shown
        wrong["McNemar exact"] += _small(found.mcnemar)
        wrong["permutation"] += _small(found.permutation)
    return {name: Share(hits, trials) for name, hits in wrong.items()}


def errors_of_clustered_tests(trials: int, seed: int = 0) -> dict[str, Share]:
    """The same for 40 roles with 6 answers each, whose leaning between the methods is the role's own."""
    rng = np.random.default_rng(seed)
    names = [f"{role}.{n}" for role in range(40) for n in range(6)]
    role_of = {name: name.partition(".")[0] for name in names}
    wrong = {"permutation by role": 0, "permutation by answer": 0}
    for _ in range(trials):
        lean = np.repeat(rng.normal(0, 0.15, 40), 6)
        first, second = (_outcomes(rng.random(240) < 0.5 + sign * lean, names) for sign in (-1, 1))
        seeds = int(rng.integers(2**31))
        wrong["permutation by role"] += _small(compare(first, second, role_of, seed=seeds).permutation)
        wrong["permutation by answer"] += _small(compare(first, second, seed=seeds).permutation)
    return {name: Share(hits, trials) for name, hits in wrong.items()}


@dataclass(frozen=True)
class BiasedJudge:
    """Calls ``false_yes`` of what people reject a yes, and misses ``false_no`` of what they accept.

    Each item has ``repeats`` of the answers; people say the same of all of them in a share ``alike`` of the items.
    """

    truth: float
    false_yes: float
    false_no: float
    answers: int = 1000
    repeats: int = 1
    alike: float = 0.0

    def __str__(self) -> str:
        answers = f"{self.answers} answers"
        if self.repeats > 1:
            answers = f"{self.answers // self.repeats} x {self.repeats} ({self.alike:.0%} alike)"
        return f"rate {self.truth}, {answers}, judge {self.false_yes:.0%} false yes, {self.false_no:.0%} no"


JUDGES = (
    BiasedJudge(0.8, 0.10, 0.05),
    BiasedJudge(0.5, 0.30, 0.02),
    BiasedJudge(0.9, 0.20, 0.01),
    BiasedJudge(0.3, 0.05, 0.20, 400),
    BiasedJudge(0.6, 0.05, 0.05, 480, 10, 0.9),
    BiasedJudge(0.6, 0.05, 0.05, 480, 10, 0.5),
    BiasedJudge(0.9, 0.05, 0.05, 480, 10, 0.5),
    BiasedJudge(0.6, 0.20, 0.20, 500, 5, 0.9),
    BiasedJudge(0.9, 0.10, 0.02, 144, 3, 0.5),
)


def coverage_of_corrected_rates(judge: BiasedJudge, trials: int, seed: int = 0) -> tuple[Share, Share]:
    """Coverage with 100 labels: of the corrected rate, and of the judge's own."""
    rng = np.random.default_rng(seed)
    corrected = naive = 0
    for _ in range(trials):
        people, verdicts, items = judged(judge, rng)
        found = corrected_rate(opinions(people, verdicts, rng.permutation(judge.answers)[:100], items))
        corrected += _covers((found.low, found.high), judge.truth)
        naive += _covers(wilson(int(verdicts.sum()), judge.answers), judge.truth)
    return Share(corrected, trials), Share(naive, trials)


def judged(judge: BiasedJudge, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What people and the judge say of each answer, and its item, all ``[answers]``."""
    items = np.arange(judge.answers) // judge.repeats
    count = int(items[-1]) + 1
    shared = rng.random(count) < judge.alike
    chances = np.where(shared, rng.random(count) < judge.truth, judge.truth)[items]
    people = rng.random(judge.answers) < chances
    noise = rng.random(judge.answers)
    return people, np.where(people, noise >= judge.false_no, noise < judge.false_yes), items


def opinions(
    people: np.ndarray,
    judge: np.ndarray,
    labelled: np.ndarray,
    items: np.ndarray | None = None,
    texts: np.ndarray | None = None,
) -> list[Opinions]:
    """Answers of which those at the places ``labelled`` have a label; by default each has item and text of its own."""
    known = set(labelled.tolist())
    return [
        Opinions(
            item=f"q{n if items is None else items[n]}",
            text=f"t{n if texts is None else texts[n]}",
            judge=bool(judge[n]),
            people=bool(people[n]) if n in known else None,
        )
        for n in range(len(judge))
    ]


def _covers(interval: tuple[float | None, float | None], truth: float) -> bool:
    low, high = interval
    return low is not None and high is not None and low <= truth <= high


def _small(p: float | None) -> bool:
    return p is not None and p < 0.05


def _outcomes(hits: np.ndarray, names: Sequence[str] | None = None) -> Outcomes:
    return {name: [bool(hit)] for name, hit in zip(names or [f"q{n}" for n in range(len(hits))], hits, strict=True)}
