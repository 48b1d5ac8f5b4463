"""Figures of the unsteered model: validity, favour rates, instructions, statements, exam, roles."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from valuebench_harness.data.grammar import generate
from valuebench_harness.data.grammar.acts import VALUES
from valuebench_harness.data.grammar.roles import roles
from valuebench_harness.data.schemas import Dilemma, QuestionnaireItem
from valuebench_harness.mini import write_data
from valuebench_harness.mini.bench import Bench
from valuebench_harness.mini.figures import Estimate, Figure, bootstrap, share

SIDES: tuple[bool, bool] = (True, False)
ROLES = 60
ITEMS_PER_ROLE = 12


def unsteered_answers(bench: Bench, dilemmas: Sequence[Dilemma]) -> Iterator[Figure]:
    """Validity and favour rates without steering, sampled and greedy."""
    sampled, greedy = bench.ask(dilemmas), bench.ask(dilemmas, temperature=0.0)
    valid = share(sampled.valid)
    yield Figure(
        id="valid",
        property="answers that the grammar parses, unsteered, temperature 1",
        goal=">= 99%",
        trial="97.7%",
        result=f"{valid.text()}; greedy {share(greedy.valid).text()}, n = {valid.n} each",
        met=valid.estimate >= 0.99,
        data={"sampled": valid.model_dump(), "greedy": share(greedy.valid).model_dump()},
    )
    rates = {
        name: {v: share(a.of(v).favours) for v in VALUES} for name, a in (("sampled", sampled), ("greedy", greedy))
    }
    ends = {name: (min(r.values(), key=_estimate), max(r.values(), key=_estimate)) for name, r in rates.items()}
    yield Figure(
        id="favour",
        property="favour rate on dilemmas, unsteered",
        goal="30-60% for every value",
        trial=".36-.51",
        result="; ".join(f"{name}: {low.text(2)} to {high.text(2)}" for name, (low, high) in ends.items())
        + f", n = {ends['sampled'][0].n} a value",
        met=all(low.estimate >= 0.3 and high.estimate <= 0.6 for low, high in ends.values()),
        data={name: {v: e.model_dump() for v, e in r.items()} for name, r in rates.items()},
    )


def _estimate(estimate: Estimate) -> float:
    return estimate.estimate


def instructed_answers(bench: Bench, dilemmas: Sequence[Dilemma]) -> Iterator[Figure]:
    """Favour rates under instructions for and against the value, seen wordings and held-out ones."""
    for held_out, key, name, limits, trial in (
        (False, "instructed", "under a positive / negative instruction, wordings seen", (0.85, 0.15), ".94 / .05"),
        (
            True,
            "instructed-held-out",
            "the same, wordings without a seen word",
            (0.75, 0.25),
            ".80 / .05 (weaker test)",
        ),
    ):
        answers = [
            bench.ask(
                dilemmas,
                systems=[
                    generate.instruction(d.value, "positive" if side else "negative", seed, held_out)
                    for seed, d in enumerate(dilemmas)
                ],
            )
            for side in SIDES
        ]
        yield _two_sided(key, name, limits, trial, [a.favours for a in answers], [x for a in answers for x in a.valid])


def answers_behind_statements(bench: Bench, dilemmas: Sequence[Dilemma]) -> Figure:
    """Favour rates where two statements for or against the value stand before the question."""
    rng = random.Random(bench.seed)
    answers = []
    for side in SIDES:
        leads = [" ".join(generate.statement(rng, d.value, side) for _ in range(2)) for d in dilemmas]
        answers.append(bench.ask(dilemmas, leads=leads))
    valid = [x for a in answers for x in a.valid]
    name = "behind two value statements in the context"
    return _two_sided("statements", name, (0.85, 0.15), ".93 / .06", [a.favours for a in answers], valid)


def _two_sided(
    key: str,
    name: str,
    limits: tuple[float, float],
    trial: str,
    favours: Sequence[Sequence[bool]],
    valid: Sequence[bool],
) -> Figure:
    positive, negative = map(share, favours)
    return Figure(
        id=key,
        property=name,
        goal=f">= {limits[0]:.0%} / <= {limits[1]:.0%}",
        trial=trial,
        result=f"{positive.text(2)} / {negative.text(2)}, n = {positive.n} / {negative.n}",
        met=positive.estimate >= limits[0] and negative.estimate <= limits[1],
        data={"positive": positive.model_dump(), "negative": negative.model_dump(), "valid": share(valid).model_dump()},
    )


def unsteered_exam(bench: Bench) -> Iterator[Figure]:
    """Exam accuracy, as chat and as lm-eval's plain text; and behind instructions, which must cost nothing."""
    items = write_data.exam()
    chat, plain = share(bench.exam(items)), share(bench.exam(items, chat=False))
    yield Figure(
        id="exam",
        property="exam unsteered",
        goal=">= 98%",
        trial="100%",
        result=f"chat {chat.text()}; plain text {plain.text()}, n = {chat.n} each",
        met=min(chat.estimate, plain.estimate) >= 0.98,
        data={"chat": chat.model_dump(), "plain": plain.model_dump()},
    )
    told = {}
    for direction in ("positive", "negative"):
        systems = [generate.instruction(VALUES[i % len(VALUES)], direction, i) for i in range(len(items))]
        told[direction] = share(bench.exam(items, systems=systems))
    yield Figure(
        id="exam-instructed",
        property="exam behind a positive / negative instruction",
        goal=">= 97%",
        trial="100%",
        result=f"{told['positive'].text()} / {told['negative'].text()}, n = {chat.n} each",
        met=min(t.estimate for t in told.values()) >= 0.97,
        data={direction: t.model_dump() for direction, t in told.items()},
    )


def role_answers(bench: Bench, n_roles: int = ROLES) -> Iterator[Figure]:
    """Questionnaire scores of held-out roles against their planted values; thoughts against answers."""
    people = roles(n_roles, seed=bench.seed + 1)
    asked = [
        (r, value, item)
        for value in VALUES
        for r in range(n_roles)
        for item in _some_items(value, random.Random(f"{value}:{r}"))
    ]
    stances = bench.survey([item for _, _, item in asked], [people[r].text for r, _, _ in asked])
    points: dict[tuple[str, int], list[int]] = {}
    for (r, value, item), stance in zip(asked, stances, strict=True):
        if stance.answer is not None:
            sign = {"yes": 1, "no": -1, "unsure": 0}[stance.answer]
            points.setdefault((value, r), []).append(sign * item.agreement)
    correlations = {}
    for v, value in enumerate(VALUES):
        scores = np.array([np.mean(points[value, r]) for r in range(n_roles)])
        planted = np.array([person.z()[v] for person in people])
        correlations[value] = bootstrap(n_roles, _correlation(scores, planted))
    weakest = min(correlations, key=lambda value: correlations[value].estimate)
    yield Figure(
        id="roles",
        property="roles: questionnaire scores against the roles' planted values",
        goal="correlation >= .8 for every value",
        trial=".79 over all",
        result=f"lowest {weakest}: {correlations[weakest].text(2)}, n = {n_roles} roles x {ITEMS_PER_ROLE} "
        f"items a value; mean {np.mean([c.estimate for c in correlations.values()]):.2f}",
        met=correlations[weakest].estimate >= 0.8,
        data={value: c.model_dump() for value, c in correlations.items()},
    )
    items = [item for value in VALUES for item in write_data.questionnaire(value)]
    plain = bench.survey(items * 4, [""] * (4 * len(items)))
    agree = share([s.thought is not None and s.thought == s.answer for s in plain])
    valid = share([s.valid for s in plain])
    yield Figure(
        id="thought",
        property="thought and answer agree, unsteered",
        goal=">= 98%",
        trial="-",
        result=f"{agree.text()}, n = {agree.n}; whole answer parsed {valid.text()}",
        met=agree.estimate >= 0.98,
        data={"agree": agree.model_dump(), "valid": valid.model_dump()},
    )


def _some_items(value: str, rng: random.Random) -> list[QuestionnaireItem]:
    """As many items for the value as against it."""
    items = write_data.questionnaire(value)
    half = ITEMS_PER_ROLE // 2
    return rng.sample(items[0::2], half) + rng.sample(items[1::2], half)


def _correlation(a: np.ndarray, b: np.ndarray) -> Callable[[np.ndarray], float]:
    """Correlation of a and b over the units that are drawn."""
    return lambda drawn: float(np.corrcoef(a[drawn], b[drawn])[0, 1])
