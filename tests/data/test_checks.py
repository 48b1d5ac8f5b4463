"""The checks find what they are meant to find, and the shipped set passes them."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Literal

import pytest

from valuebench_harness.data import checks
from valuebench_harness.data.check_dataset import check_dataset
from valuebench_harness.data.datasets import load_dataset
from valuebench_harness.data.schemas import ContrastivePair, Demonstration, Dilemma, QuestionnaireItem
from valuebench_harness.data.values import load_value_system

VALUES = load_value_system("schwartz").ids


def level(findings: list[checks.Finding], check: str) -> str:
    return next(f.level for f in findings if f.check == check)


def dilemmas(n: int, *, telling: bool) -> list[Dilemma]:
    """Dilemmas whose favoured option is the longer one always (``telling``) or every other time."""
    out = []
    for i in range(n):
        longer_first = i % 2 == 0
        favours = int(not longer_first) if telling else (i // 2) % 2
        options = (
            ("walk all the way round the big lake", "rest") if longer_first else ("rest", "walk the long way home")
        )
        out.append(
            Dilemma(
                id=str(i),
                value="v",
                scene=f"scene {i % 12}",
                question=f"w{i} x{i} y{i}?",
                options=options,
                favours=favours,
            )
        )
    return out


def test_a_set_whose_longer_option_is_always_right_is_caught() -> None:
    assert checks.blind_dilemma_accuracy(dilemmas(60, telling=True)) > 0.95
    assert level(checks.check_dilemmas(dilemmas(60, telling=True)), "bias") == "problem"
    assert checks.blind_dilemma_accuracy(dilemmas(60, telling=False)) < 0.65


def test_pairs_told_apart_by_their_punctuation_are_caught() -> None:
    forms = itertools.cycle(["first-sentence", "first-question", "third-sentence", "third-question"])
    pairs = [
        ContrastivePair(
            id=str(i), value="v", form=form, positive=f"We a{i} b{i} c{i} gladly!", negative=f"We a{i} b{i} c{i} sadly."
        )
        for i, form in zip(range(40), forms, strict=False)
    ]
    found = checks.check_pairs(pairs, controlled=True)
    assert level(found, "bias") == "problem"
    assert level(found, "forms") == "ok"
    assert level(found, "control") == "ok"


def test_unrelated_pairs_are_not_context_controlled() -> None:
    pair = ContrastivePair(
        id="1", value="v", form="first-sentence", positive="I share my bread.", negative="Wars go on."
    )
    assert checks.shared_word_rate(pair) == 0
    assert level(checks.check_pairs([pair], controlled=True), "control") == "problem"


def test_templates_duplicates_and_vocabulary() -> None:
    template = [f"Is it right to walk the dog with {name} today?" for name in "abcdef"]
    assert [n for _, n in checks.repeated_ngrams(template)] == [6, 6]
    assert checks.repeated_ngrams(template[:5]) == []
    assert checks.near_duplicates(["a b c d e f g h", "a b c d e f g i", "x y z"]) == [(0, 1)]
    assert checks.distinct_per_1000(["one two three"] * 10) is None
    assert checks.distinct_per_1000(["one two three four"] * 300) == 4


def test_leakage_by_a_run_of_words_and_by_a_near_copy() -> None:
    training = ["my sister keeps every promise that she has ever made"]
    assert checks.check_leakage(training, ["Rain fell."]).level == "ok"
    assert checks.check_leakage(training, ["Once keeps every promise that she has ever, you know."]).level == "problem"
    assert checks.check_leakage(training, ["my sister keeps the promise that she has ever made"]).level == "problem"
    assert checks.check_leakage([], ["Rain fell."]).level == "ok"


def test_questionnaires_need_items_against_the_value() -> None:
    words = ["oak", "elm", "ash", "fir", "yew", "box"]
    items = [
        QuestionnaireItem(id=a + b, value="v", item=f"{a} {b}", question=f"{a} {b}?", agreement=1)
        for a, b in itertools.combinations(words * 2, 2)
    ]
    assert level(checks.check_questionnaire(items), "balance") == "problem"


def test_a_folder_is_checked_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "v.yaml").write_text("name: v\ndata: .\nvalues: {kind: {}, sharp: {}}\n", encoding="utf-8")
    folder = tmp_path / "dilemmas"
    folder.mkdir()
    rows = [d.model_dump() | {"value": "kind"} for d in dilemmas(20, telling=True)]
    (folder / "kind.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (folder / "sharp.jsonl").write_text("{broken", encoding="utf-8")
    found = {(f.where, f.check): f for f in check_dataset(load_dataset(tmp_path / "v.yaml"))}
    assert found["kind/dilemmas", "bias"].level == "problem"
    assert found["kind/dilemmas", "present"].text == "20 items"
    assert found["kind/pairs", "present"].level == "missing"
    assert found["sharp/dilemmas", "readable"].level == "problem"
    assert "sharp.jsonl:1: not JSON" in found["sharp/dilemmas", "readable"].text


@pytest.mark.parametrize("value", VALUES)
def test_the_shipped_set_passes_every_check(value: str) -> None:
    dataset = load_dataset("schwartz")
    items = dataset.dilemmas(value, None)
    controlled, straightforward = dataset.pairs(value), dataset.pairs(value, controlled=False)
    questionnaire = dataset.questionnaire(value)
    training = [text for pair in controlled + straightforward for text in (pair.positive, pair.negative)]
    findings = [
        *checks.check_dilemmas(items),
        *checks.check_pairs(controlled, controlled=True),
        *checks.check_pairs(straightforward, controlled=False),
        *checks.check_questionnaire(questionnaire),
        checks.check_leakage(training, [item.question for item in items]),
    ]
    assert [f"{f.check}: {f.text}" for f in findings if f.level != "ok"] == []
    assert (len(items), len(controlled), len(straightforward)) == (100, 100, 100)


@pytest.mark.parametrize("value", VALUES)
def test_the_shipped_demonstrations_pass_every_check_and_quote_no_dilemma(value: str) -> None:
    dataset = load_dataset("schwartz")
    items = dataset.demonstrations(value)
    texts = [text for item in items for text in (item.prompt, item.answer)]
    dilemmas = [item.question for other in VALUES for item in dataset.dilemmas(other, None)]
    findings = [*checks.check_demonstrations(items), checks.check_leakage(texts, dilemmas)]
    assert [f"{f.check}: {f.text}" for f in findings if f.level != "ok"] == []
    assert checks.repeated_ngrams(texts) == []
    assert len(items) == 80


def test_demonstrations_need_both_sides_to_the_same_prompts_in_like_lengths() -> None:
    def demo(i: int, direction: Literal["positive", "negative"], words: int, prompt: str = "") -> Demonstration:
        text = " ".join(f"{direction}{i}{j}" for j in range(words))
        asked = prompt or f"What {i} of {i * 7} and {i * 13}?"
        return Demonstration(id=f"{direction}{i}", value="tact", prompt=asked, answer=text, direction=direction)

    def demos(n_against: int) -> list[Demonstration]:
        return [d for i in range(40) for d in (demo(i, "positive", 9), demo(i, "negative", n_against))]

    good = demos(9)
    assert {f.level for f in checks.check_demonstrations(good)} == {"ok"}
    assert level(checks.check_demonstrations(demos(14)), "control") == "problem"
    assert level(checks.check_demonstrations(good[:-1]), "balance") == "problem"
    assert level(checks.check_demonstrations(good[:40]), "size") == "problem"
    twice = [*good, demo(99, "positive", 9, "What 1 of 7 and 13, then?"), demo(99, "negative", 9, good[0].prompt)]
    assert level(checks.check_demonstrations(twice), "duplicates") == "problem"


def test_the_shipped_values_do_not_share_dilemmas() -> None:
    dataset = load_dataset("schwartz")
    items = [item for value in VALUES for item in dataset.dilemmas(value, None)]
    assert len(items) == 1000
    assert len({item.id for item in items}) == 1000
    assert checks.near_duplicates([item.question for item in items]) == []


def test_the_shipped_neutral_texts_are_none_of_the_dilemmas() -> None:
    dataset = load_dataset("schwartz")
    neutral = [item.text for item in dataset.neutral()]
    questions = [item.question for value in VALUES for item in dataset.dilemmas(value, None)]
    assert len(neutral) >= 200
    assert checks.near_duplicates(neutral) == []
    assert checks.check_leakage(questions, neutral).level == "ok"
