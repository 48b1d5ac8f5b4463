from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tests.harness.collect.conftest import configured
from valuebench_harness.harness.collect.plan import CollectPlan, make_collect_plan
from valuebench_harness.harness.collect.records import Reply
from valuebench_harness.harness.collect.tables import THOUGHT, Reader, orientation_table
from valuebench_harness.harness.records import VerdictRecord

POINTS = {"yes": 1.0, "no": -1.0, "unsure": 0.0}


@pytest.fixture
def plan() -> CollectPlan:
    return make_collect_plan(configured(roles=4, test_roles=1, measured=("power", "security"), n_samples=2))


def replies(plan: CollectPlan, seed: int = 0) -> list[Reply]:
    rng = np.random.default_rng(seed)
    return [
        Reply(
            setting=cell.setting.id,
            role=cell.person.id,
            item=cell.question.id,
            repeat=repeat,
            answer=f"Thought: so be it, so I agree. Answer: {rng.choice(['yes', 'no', 'unsure', 'well'])}.",
        )
        for cell in plan.cells()
        for repeat in range(plan.config.run.n_samples)
    ]


@pytest.mark.parametrize("part", ["train", "test"])
def test_orientations_are_means_of_agreement_times_stance(plan: CollectPlan, part: Any) -> None:
    """Against numpy: a cell of items x repeats, unscored answers left out."""
    given = replies(plan)
    table = orientation_table(plan, Reader(plan, {}).read(given), part)
    questions = {q.id: q for q in plan.questionnaire.items}
    assert table.roles == tuple(p.id for p in plan.people if p.part in (part, "both"))
    for row, role in enumerate(table.roles):
        for column, value in enumerate(table.values):
            cells: dict[str, list[float]] = {}
            for reply in given:
                question = questions[reply.item]
                if (reply.role, question.value, question.part) == (role, value, part):
                    said = POINTS.get(reply.answer.split()[-1].strip("."), math.nan)
                    cells.setdefault(reply.item, []).append(question.agreement * said)
            means = [np.nanmean(x) for x in cells.values() if not np.isnan(x).all()]
            assert table.scores[row, column] == pytest.approx(np.mean(means))


def test_what_is_never_scored_is_missing(plan: CollectPlan) -> None:
    given = [r.model_copy(update={"answer": "Answer: well"}) for r in replies(plan)]
    table = orientation_table(plan, Reader(plan, {}).read(given), "train")
    assert np.isnan(table.scores).all()
    assert len(table) == 4


def test_an_answer_is_taken_at_its_word_and_the_rest_is_judged(plan: CollectPlan) -> None:
    first, second = replies(plan)[:2]
    first = first.model_copy(update={"answer": "Thought: hm. Answer: yes"})
    second = second.model_copy(update={"answer": "Thought: hm. Answer: by no means"})
    verdicts = {
        key: VerdictRecord(sample=key, asks="stance", judge="j", label=label)
        for key, label in ((first.key, "no"), (second.key, "no"), (first.key + THOUGHT, "unsure"))
    }
    scored = list(Reader(plan, verdicts).read([first, second]))
    assert [s.label for s in scored] == ["yes", "no"]
    unjudged = list(Reader(plan, {}).read([first, second]))
    assert [s.label for s in unjudged] == ["yes", None]
    assert unjudged[1].score is None


def test_probabilities_are_expected_scores(plan: CollectPlan) -> None:
    cell = next(iter(plan.cells()))
    reply = Reply(item=cell.question.id, probabilities=(0.5, 0.2, 0.3))
    (scored,) = Reader(plan, {}).read([reply])
    assert scored.score == pytest.approx(cell.question.agreement * 0.3)


def test_a_thought_and_its_answer_are_read_apart(plan: CollectPlan) -> None:
    cell = next(iter(plan.cells()))
    reply = Reply(item=cell.question.id, answer="Thought: I care about safety, so I disagree. Answer: yes.")
    (scored,) = Reader(plan, {}).read([reply])
    assert (scored.thought_label, scored.label) == ("no", "yes")
