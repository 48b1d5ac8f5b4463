"""Several values steered at once, with weights: conditions, what is asked, and what is reported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.checkpoints import build_checkpoint
from valuebench_harness.data.values import resolve_values
from valuebench_harness.engine.plan import Message
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.conditions import default_strength, make_condition, make_conditions
from valuebench_harness.harness.config import make_config
from valuebench_harness.harness.evaluate import evaluate
from valuebench_harness.harness.family import family_of
from valuebench_harness.harness.plan import make_plan
from valuebench_harness.harness.records import Condition, Document, Sample, VerdictRecord
from valuebench_harness.harness.results import Results
from valuebench_harness.harness.scoring import Scorer
from valuebench_harness.harness.targets import steer, targets_of
from valuebench_harness.steerers.base import Direction, ModelShape
from valuebench_harness.steerers.registry import make_steerer

BOTH = "achievement:1+power:-0.5"
Labels = Callable[[Condition, Document], list[str]]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_checkpoint(tmp_path_factory.mktemp("model") / "tiny", "llama", layers=3, width=16, length=640)


def condition(text: str, steerer: str = "caa", direction: Direction = "positive", strength: float = 2.0) -> Condition:
    config = make_config(model="folder")
    (spec,) = resolve_values(text, family_of(config).data.system)
    return make_condition(config, make_steerer(steerer), direction, spec, strength=strength, gate="none")


def test_a_condition_aims_at_each_value_by_the_sign_of_its_weight() -> None:
    made = condition(BOTH)
    assert (made.id, made.value) == (f"caa:{BOTH}:+2", BOTH)
    assert made.targets == {"achievement": 1.0, "power": -0.5}
    assert [made.aim(v) for v in ("achievement", "power", "security", None)] == [1, -1, 1, 1]
    turned = condition(BOTH, direction="negative")
    assert [turned.aim(v) for v in ("achievement", "power")] == [-1, 1]
    single = condition("power")
    assert (single.targets, single.weights) == ({"power": 1.0}, {})
    assert condition("power:-2").aim("power") == -1


def test_a_prompt_method_takes_no_half_weights() -> None:
    with pytest.raises(UsageError, match=r"Strength 0\.5 of 'ica'"):
        condition(BOTH, "ica", strength=1)
    assert condition("achievement:1+power:-1", "ica", strength=1).aim("power") == -1


def test_each_value_is_steered_at_its_weight_times_the_strength() -> None:
    made = condition("achievement:1+power:-1", "ica", strength=1)
    family = family_of(make_config(model="folder"))
    targets = targets_of(made, family, {})
    assert [(t.value.id, t.direction, t.strength) for t in targets] == [
        ("achievement", "positive", 1.0),
        ("power", "negative", 1.0),
    ]
    weighed = targets_of(condition(BOTH, direction="negative"), family, {})
    assert [(t.direction, t.strength) for t in weighed] == [("negative", 2.0), ("positive", 1.0)]
    ica, messages, shape = make_steerer("ica"), (Message("user", "Should I?"),), ModelShape("tiny", 3, 16)
    done = steer(ica, targets, messages, shape, {}).messages[-1].content
    assert done.endswith("Should I?")
    assert "achievement" in done.lower()
    assert "power" in done.lower()
    closed = steer(ica, targets, messages, shape, {"power": False}).messages[-1].content
    assert "achievement" in closed.lower()
    assert "power" not in closed.lower(), "a value whose gate is closed is left out, the other is not"


def test_shipped_strengths_of_several_values_are_averaged() -> None:
    config = make_config(model="mini")
    family = family_of(config)
    caa = make_steerer("caa")
    one, other, both = resolve_values("achievement,power,achievement+power", family.data.system)
    mean = (default_strength(config, caa, one) + default_strength(config, caa, other)) / 2
    assert default_strength(config, caa, both) == mean
    strengths = [c.strength for c in make_conditions(config, caa, "positive", [both], "none", has_exam=False)]
    assert strengths == [0.0, mean]


def test_plans_tell_runs_and_combinations_apart() -> None:
    plan = make_plan(make_config(model="folder", steerer="caa", values=f"{BOTH},security", tasks="schwartz_power"))
    assert [c.value for c in plan.conditions] == [None, BOTH, "security"]
    assert plan.values == ("achievement", "power", "security")


# Scoring, against counts by hand


def document(name: str, value: str, kind: Any = "dilemma", **fields: Any) -> Document:
    return Document(id=name, task="t", kind=kind, system="schwartz", value=value, text="?", **fields)


def test_each_target_is_scored_on_its_own_side() -> None:
    steered = condition(BOTH)
    documents = [document(f"{v}-{n}", v) for v in ("achievement", "power", "security") for n in range(4)]
    # Answers for the value, of four: before and after.
    favours = {"achievement": (1, 4), "power": (4, 1), "security": (2, 3)}
    samples, verdicts = [], {}
    for d in documents:
        for c, when in (("base", 0), (steered.id, 1)):
            s = Sample(condition=c, document=d.id, prompt="?", answer="a", steered=bool(when))
            samples.append(s)
            for_it = int(d.id[-1]) < favours[str(d.value)][when]
            labels = {"csr": "yes" if for_it else "no", "fr": "fluent"}
            for asks, label in labels.items():
                verdicts[s.key, asks] = VerdictRecord(sample=s.key, asks=asks, judge="j", label=label)
    scorer = Scorer("schwartz", [Condition(id="base"), steered], {d.id: d for d in documents}, samples, verdicts)
    (result,) = scorer.results(judge="j", fits=[], generate_seconds=0.0).conditions
    by_target = {v: (e.before.estimate, e.after.estimate) for v, e in result.csr_by_target.items()}
    assert by_target == {"achievement": (0.25, 1.0), "power": (0.0, 0.75)}, "fewer answers for power were aimed at"
    assert result.csr is not None
    assert (result.csr.before.hits, result.csr.after.hits, result.csr.after.n) == (1, 7, 8)
    assert result.success is not None
    assert result.success.after.hits == 7
    assert {v: c.estimate for v, c in result.side_effects.items()} == {
        "achievement": 0.75,
        "power": -0.75,
        "security": 0.25,
    }
    assert result.entanglement == pytest.approx(0.25), "what is aimed at is no side effect"


def test_questionnaires_are_counted_from_the_side_aimed_at() -> None:
    steered = condition("achievement:1+power:-1")
    documents = [document(f"{v}-q", v, "questionnaire", agreement=1) for v in ("achievement", "power")]
    answers = {"achievement": ("no", "yes"), "power": ("yes", "no")}
    samples, verdicts = [], {}
    for d in documents:
        for c, when in (("base", 0), (steered.id, 1)):
            s = Sample(condition=c, document=d.id, prompt="?")
            samples.append(s)
            label = answers[str(d.value)][when]
            verdicts[s.key, "stance"] = VerdictRecord(sample=s.key, asks="stance", judge="j", label=label)
    scorer = Scorer("schwartz", [Condition(id="base"), steered], {d.id: d for d in documents}, samples, verdicts)
    (result,) = scorer.results(judge="j", fits=[], generate_seconds=0.0).conditions
    assert result.consistency is not None
    assert (result.consistency.before, result.consistency.after) == (-1.0, 1.0), "both moved the way they were pushed"


def score(conditions: Sequence[Condition], documents: Sequence[Document], labels: Labels, repeats: int = 1) -> Results:
    """Results of hand-made answers; ``labels`` says what the judge said of each, in the order of the repeats."""
    base = Condition(id="base")
    samples, verdicts = [], {}
    for c in (base, *conditions):
        for d in documents:
            if d.kind == "questionnaire" and c.id != base.id and d.value not in c.targets:
                continue
            for repeat, label in enumerate(labels(c, d)[:repeats]):
                s = Sample(condition=c.id, document=d.id, repeat=repeat, prompt="?")
                samples.append(s)
                asked = {"csr": label, "fr": "fluent"} if d.kind == "dilemma" else {"stance": label}
                for asks, said in asked.items():
                    verdicts[s.key, asks] = VerdictRecord.model_validate(
                        {"sample": s.key, "asks": asks, "judge": "j", "label": said}
                    )
    scorer = Scorer("schwartz", [base, *conditions], {d.id: d for d in documents}, samples, verdicts)
    return scorer.results(judge="j", fits=[], generate_seconds=0.0)


def test_a_value_steered_twice_is_scored_under_both_conditions() -> None:
    both, power = condition(BOTH), condition("power")
    documents = [document(f"{v}-{n}", v) for v in ("achievement", "power") for n in range(4)]

    def labels(c: Condition, d: Document) -> list[str]:
        if c.id == "base":
            return ["no", "no"]
        return ["yes", "yes"] if c.aim(d.value) > 0 else ["no", "yes"]

    results = score([both, power], documents, labels, repeats=2)
    (pooled,) = results.pooled
    assert pooled.csr is not None
    assert (pooled.csr.before.hits, pooled.csr.before.n) == (8, 24), "against power, the base is on the side aimed at"
    assert (pooled.csr.after.hits, pooled.csr.after.n) == (8 + 4 + 8, 24)
    assert pooled.csr.after.clusters == 8
    assert pooled.statistics.spread is None, "items of power have four answers, of two conditions"
    spreads = [r.statistics.spread for r in results.conditions]
    assert [(s.seeds, s.items, s.mean) for s in spreads if s] == [(2, 8, 0.75), (2, 4, 1.0)]


def test_two_conditions_are_not_two_draws() -> None:
    members = [condition("achievement:1+power:1"), condition("power:1+achievement:0.9")]
    documents = [document(f"{v}-{n}", v) for v in ("achievement", "power") for n in range(4)]
    (pooled,) = score(members, documents, lambda c, d: ["yes" if int(d.id[-1]) else "no"]).pooled
    assert pooled.statistics.spread is None
    (apart,) = score(
        [condition("achievement"), condition("power")],
        documents,
        lambda c, d: ["yes", "yes" if int(d.id[-1]) else "no"],
        repeats=2,
    ).pooled
    assert apart.statistics.spread is not None
    assert (apart.statistics.spread.seeds, apart.statistics.spread.items) == (2, 8)


def test_consistency_counts_a_value_under_each_condition_that_steers_it() -> None:
    members = [condition("achievement:1+power:-1"), condition("power")]
    documents = [
        document(f"{v}-q{n}", v, "questionnaire", agreement=1) for v in ("achievement", "power") for n in (0, 1)
    ]
    said = {  # (condition, value): the two answers to the first question and to the second
        ("base", "achievement"): (["no", "no"], ["no", "yes"]),
        ("base", "power"): (["no", "yes"], ["no", "yes"]),
        (members[0].id, "achievement"): (["yes", "no"], ["yes", "yes"]),  # +, 0; +, 0
        (members[0].id, "power"): (["no", "no"], ["yes", "no"]),  # aimed at "no": 0, +; -, +
        (members[1].id, "power"): (["yes", "yes"], ["yes", "yes"]),  # +, 0; +, 0
    }
    results = score(members, documents, lambda c, d: said[c.id, str(d.value)][int(d.id[-1])], repeats=2)
    single = [r.consistency for r in results.conditions]
    assert [(c.items, c.rate.hits, c.rate.n) for c in single if c] == [(8, 4, 5), (4, 2, 2)]
    (pooled,) = (r.consistency for r in results.pooled)
    assert pooled is not None
    assert (pooled.items, pooled.rate.hits, pooled.rate.n) == (12, 6, 7)
    assert pooled.rate.clusters == 4, "a question about power is one cluster, whoever was asked it"
    assert pooled.before == pytest.approx((-2 + 0 + 0) / 12)
    assert pooled.after == pytest.approx((2 + 2 + 4) / 12)


def test_a_run_steers_two_values_at_once(checkpoint: Path, tmp_path: Path) -> None:
    config: dict[str, Any] = {
        "model": str(checkpoint),
        "steerer": "caa",
        "tasks": ("schwartz_achievement", "schwartz_power", "schwartz_questionnaire"),
        "limit": 2,
        "strength": (8.0,),
        "max_new_tokens": 4,
        "max_unscored": 1.0,
    }
    run = evaluate(out=tmp_path / "both", values=(BOTH,), **config)
    both = f"caa:{BOTH}:+8"
    assert list(run.conditions) == ["base", both]
    kinds = {d.value for a in run.answers() if a.condition.id == both and (d := a.document).kind == "questionnaire"}
    assert kinds == {"achievement", "power"}
    assert {p.name for p in (run.folder / "artifacts").iterdir()} == {
        "caa-achievement.safetensors",
        "caa-power.safetensors",
    }
    assert set(run.results.conditions[0].csr_by_target) == {"achievement", "power"}
    single = evaluate(out=tmp_path / "one", values=("achievement",), **config)
    answers = {s.document: s.answer for s in run.samples.values() if s.condition == both}
    alone = {s.document: s.answer for s in single.samples.values() if s.condition != "base"}
    base = {s.document: s.answer for s in run.samples.values() if s.condition == "base"}
    shared = answers.keys() & alone.keys()
    assert any(answers[d] != base[d] for d in shared)
    assert any(answers[d] != alone[d] for d in shared), "the second value must have done something too"
