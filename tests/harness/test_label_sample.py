"""The answers that people label are those behind the run's own numbers, looked at from the same sides."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import pytest

from valuebench_harness.harness.calibration import calibrate
from valuebench_harness.harness.config import RunConfig
from valuebench_harness.harness.label_sample import Judged, judged_answers
from valuebench_harness.harness.records import BASE, Condition, Document, RunInfo, Sample, VerdictRecord
from valuebench_harness.harness.results import Results
from valuebench_harness.harness.run import Run
from valuebench_harness.harness.scoring import Scorer
from valuebench_harness.harness.store import RunStore
from valuebench_harness.judges.labels import Labels

ITEMS = 5
BOTH = Condition(
    id="caa:achievement:1+power:-1:+2",
    steerer="caa",
    value="achievement:1+power:-1",
    weights={"achievement": 1.0, "power": -1.0},
    strength=2.0,
)
POWER = Condition(id="caa:power:+2", steerer="caa", value="power", strength=2.0)
WEAK = POWER.model_copy(update={"id": "caa:power:+1", "strength": 1.0})
FAVOURS = {  # of five answers to the dilemmas of each value, those that act for it
    BASE.id: {"achievement": 2, "power": 4, "security": 3},
    BOTH.id: {"achievement": 5, "power": 1, "security": 3},
    POWER.id: {"achievement": 2, "power": 5, "security": 3},
    WEAK.id: {"achievement": 2, "power": 4, "security": 3},
}


def documents() -> list[Document]:
    out = []
    for value in ("achievement", "power", "security"):
        for n in range(ITEMS):
            shared = {"task": "t", "value": value, "text": f"{value} {n}?"}
            out.append(Document(id=f"{value}/{n}", kind="dilemma", system="schwartz", **shared))
            for system in ("schwartz", "valuebench"):
                name = f"{system}/{value}/{n}"
                out.append(Document(id=name, kind="questionnaire", system=system, agreement=1, **shared))
    return out


def write(folder: Path, steered: Sequence[Condition]) -> tuple[Run, Results]:
    """A run in which every answer has a verdict, and its numbers."""
    conditions, asked = [BASE, *steered], documents()
    samples, verdicts = [], []
    for c in conditions:
        for d in asked:
            if d.kind == "questionnaire" and c is not BASE and d.system == "schwartz" and d.value not in c.targets:
                continue
            favours = int(d.id.rpartition("/")[2]) < FAVOURS[c.id][str(d.value)]
            s = Sample(condition=c.id, document=d.id, prompt="?", answer="for" if favours else "against")
            samples.append(s)
            said = (
                {"stance": "yes"} if d.kind == "questionnaire" else {"csr": "yes" if favours else "no", "fr": "fluent"}
            )
            for asks, label in said.items():
                verdict = {"sample": s.key, "asks": asks, "judge": "grammar", "label": label}
                verdicts.append(VerdictRecord.model_validate(verdict))
    store = RunStore(folder)
    config = RunConfig(model="mini", steerer="caa")
    store.write_info(RunInfo(config=config, plan_hash="p", data_hash="d", judge="grammar", created="2026-01-02"))
    store.write_plan(conditions, asked)
    with store.samples_writer() as writer:
        writer.write(samples)
    with store.verdicts_writer() as writer:
        writer.write(verdicts)
    scorer = Scorer(
        "schwartz", conditions, {d.id: d for d in asked}, samples, {(v.sample, v.asks): v for v in verdicts}
    )
    return Run(folder), scorer.results(judge="grammar", fits=[], generate_seconds=0.0)


def aimed(judged: Sequence[Judged]) -> dict[str, list[bool]]:
    """By group, which answers are on the side aimed at."""
    out: dict[str, list[bool]] = defaultdict(list)
    for j in judged:
        out[j.group].append((j.answer.verdicts["csr"].label == "yes") == (j.aim > 0))
    return out


def test_a_value_steered_both_ways_is_looked_at_from_each_conditions_side(tmp_path: Path) -> None:
    run, results = write(tmp_path, [BOTH, POWER])
    found = aimed(judged_answers(run, "dilemma"))
    # Achievement for, power against, power for; the base answers power's dilemmas once for each of the two.
    assert {group: (sum(hits), len(hits)) for group, hits in found.items()} == {
        "base": (2 + 1 + 4, 3 * ITEMS),
        "caa at 2": (5 + 4 + 5, 3 * ITEMS),
    }
    (pooled,) = results.pooled
    assert pooled.csr is not None
    assert (pooled.csr.before.hits, pooled.csr.before.n) == (7, 15)
    assert (pooled.csr.after.hits, pooled.csr.after.n) == (14, 15)


def test_a_rater_who_agrees_with_the_judge_finds_the_runs_own_rates(tmp_path: Path) -> None:
    run, _ = write(tmp_path, [BOTH, POWER])
    given = {j.id: {"ann": str(j.answer.verdicts["csr"].label)} for j in judged_answers(run, "dilemma")}
    (csr,) = calibrate(run, Labels(("ann",), {"csr": given})).questions
    rates = {r.group: (r.raters["ann"].estimate, r.corrected.estimate) for r in csr.rates}
    assert rates == {"base": pytest.approx((7 / 15, 7 / 15)), "caa at 2": pytest.approx((14 / 15, 14 / 15))}


def test_levels_do_not_multiply_the_base(tmp_path: Path) -> None:
    run, _ = write(tmp_path, [WEAK, POWER.model_copy(update={"level": 1})])
    assert {group: len(hits) for group, hits in aimed(judged_answers(run, "dilemma")).items()} == {
        "base": ITEMS,
        "caa at 1": ITEMS,
        "caa at 2": ITEMS,
    }


def test_questionnaires_of_another_system_are_none_of_the_values_steered(tmp_path: Path) -> None:
    run, results = write(tmp_path, [POWER])
    judged = judged_answers(run, "questionnaire")
    assert Counter((j.group, j.answer.document.system) for j in judged) == {
        ("base", "schwartz"): ITEMS,
        ("caa at 2", "schwartz"): ITEMS,
    }
    consistency = results.pooled[0].consistency
    assert consistency is not None
    assert consistency.items == ITEMS


def test_a_run_of_the_base_alone_looks_at_every_value_from_its_own_side(tmp_path: Path) -> None:
    run, _ = write(tmp_path, [])
    assert {j.answer.document.value: j.aim for j in judged_answers(run, "dilemma")} == {
        "achievement": 1,
        "power": 1,
        "security": 1,
    }
