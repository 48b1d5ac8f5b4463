"""Judges that run a model here: labels by likelihood, fluency by perplexity, and what `mini`'s oracle says of them."""

from __future__ import annotations

import asyncio
import json
import math
import random
import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from sklearn.metrics import cohen_kappa_score, roc_auc_score

from tests.support.checkpoints import build_checkpoint
from valuebench_harness.data.datasets import load_dataset
from valuebench_harness.data.schemas import Dilemma
from valuebench_harness.engine.loading import load
from valuebench_harness.engine.plan import Message
from valuebench_harness.engine.rows import GenerationRow
from valuebench_harness.errors import UsageError
from valuebench_harness.judges.base import LABELS, Judge, JudgeItem, Question, Verdict
from valuebench_harness.judges.combined import Combined
from valuebench_harness.judges.grammar import Grammar
from valuebench_harness.judges.hf import HFJudge, HFSettings
from valuebench_harness.judges.option_match import OptionMatch
from valuebench_harness.judges.reference_lm import ReferenceLM, ReferenceSettings, repetition
from valuebench_harness.judges.registry import make_judge
from valuebench_harness.mini import weights_path


def judge_all(judge: Judge, items: Sequence[JudgeItem]) -> list[Verdict]:
    async def collect() -> list[tuple[int, Verdict]]:
        return [pair async for pair in judge.judge(items)]

    found = asyncio.run(collect())
    assert sorted(n for n, _ in found) == list(range(len(items)))
    return [v for _, v in sorted(found, key=lambda pair: pair[0])]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_checkpoint(tmp_path_factory.mktemp("models") / "tiny", length=1024)


def question(answer: str, asks: Question = "csr") -> JudgeItem:
    return JudgeItem(asks=asks, prompt="Wait or swim?", answer=answer, value_name="Security", definition="safety")


def test_the_likeliest_label_is_that_of_a_plain_forward_pass(checkpoint: Path) -> None:
    judge = HFJudge(HFSettings(model=str(checkpoint), certainty=0.0))
    model = load(str(checkpoint))
    texts: dict[str, str] = {}

    class Kept(HFJudge):
        def prompt(self, item: JudgeItem) -> str:
            return texts.setdefault(item.answer + item.asks, judge.prompt(item))

    items = [question(a, asks) for a in ("I would wait.", "Swim!", "Hm") for asks in ("csr", "stance")]
    verdicts = judge_all(Kept(judge.settings), items)
    for item, verdict in zip(items, verdicts, strict=True):
        context = model.render([Message("user", texts[item.answer + item.asks])]) + "Label:"
        scores = {}
        for label in LABELS[item.asks]:
            before, after = model.codec.encode_pair(context, f" {label}", special=not model.has_chat_template)
            with torch.no_grad():
                logits = model.model(torch.tensor([[*before, *after]])).logits[0].log_softmax(-1)
            start = len(before) - 1
            scores[label] = sum(float(logits[start + n, t]) for n, t in enumerate(after))
        best = max(scores, key=lambda x: scores[x])
        share = math.exp(scores[best]) / sum(math.exp(s) for s in scores.values())
        assert verdict.label == best
        assert f"{share:.0%}" in verdict.reason


def test_a_judge_that_is_not_sure_leaves_the_item_unscored(checkpoint: Path) -> None:
    (verdict,) = judge_all(HFJudge(HFSettings(model=str(checkpoint), certainty=0.999999)), [question("Wait.")])
    assert verdict.label is None
    assert "not sure" in verdict.reason


def test_a_written_reply_is_read_strictly(checkpoint: Path) -> None:
    """A random model writes noise, which is no label."""
    judge = HFJudge(HFSettings(model=str(checkpoint), mode="generate"))
    verdicts = judge_all(judge, [question("Wait."), question("Swim.", "fr")])
    assert [v.label for v in verdicts] == [None, None]
    assert all("no label" in v.reason and v.tokens > 0 for v in verdicts)


class Fixed(HFJudge):
    """Puts every item's question in the same words, so that its tokens can be counted."""

    def prompt(self, item: JudgeItem) -> str:
        return f"Is it safe? {item.answer}"


def tokens(checkpoint: Path, text: str) -> int:
    model = load(str(checkpoint))
    return len(model.token_ids(text, special=not model.has_chat_template))


def rendered(checkpoint: Path, text: str) -> str:
    return load(str(checkpoint)).render([Message("user", text)])


def shortened(checkpoint: Path, to: int, folder: Path) -> Path:
    """The same weights and tokenizer behind a model that reads fewer tokens."""
    shutil.copytree(checkpoint, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": to}))
    return folder


@pytest.mark.parametrize("room", [0, -1])
@pytest.mark.parametrize("mode", ["likelihood", "generate"])
def test_what_the_judge_cannot_read_whole_is_left_unscored(
    checkpoint: Path, tmp_path: Path, mode: Literal["likelihood", "generate"], room: int
) -> None:
    """With the last token that fits there is a verdict, the same as of a model with more room; without it none."""
    items = [question("Wait for the ferry, it is safer."), question("Yes.")]
    prompt = rendered(checkpoint, f"Is it safe? {items[0].answer}")
    if mode == "generate":
        length = tokens(checkpoint, prompt) + 16
    else:  # the last token of a label is only predicted
        length = max(tokens(checkpoint, f"{prompt}Label: {label}") for label in LABELS["csr"]) - 1
    small = shortened(checkpoint, length + room, tmp_path / "small")
    judge = Fixed(HFSettings(model=str(small), mode=mode, certainty=0.0))
    long, short = judge_all(judge, items)
    expected = judge_all(Fixed(HFSettings(model=str(checkpoint), mode=mode, certainty=0.0)), items)
    assert short == expected[1], "what fits is judged, whatever stands beside it"
    if room == 0:
        assert long == expected[0]
        assert not judge._model.loaded.notes, "nothing was cut"
    else:
        assert long == Verdict(None, f"with its question longer than the {length - 1} tokens that the judge reads")


def test_a_model_too_small_for_any_rubric_judges_nothing(tmp_path: Path) -> None:
    tiny = build_checkpoint(tmp_path / "tiny", length=12)
    for mode in ("likelihood", "generate"):
        verdicts = judge_all(make_judge("hf", {"model": str(tiny), "mode": mode}), [question("Wait."), question("No.")])
        assert [v.label for v in verdicts] == [None, None]
        assert "longer than the 12 tokens" in verdicts[0].reason


@pytest.mark.parametrize("room", [0, -1])
def test_the_reference_measures_no_answer_without_its_question(checkpoint: Path, tmp_path: Path, room: int) -> None:
    answer, loop = "Wait for the ferry, it is safer.", "the cat " * 40
    items = [question(answer, "fr"), question(loop, "fr"), question("", "fr"), question("Wait.", "fr")]
    length = tokens(checkpoint, rendered(checkpoint, items[0].prompt) + answer) - 1
    small = shortened(checkpoint, length + room, tmp_path / "small")
    judge = ReferenceLM(ReferenceSettings(model=str(small)))
    whole = ReferenceLM(ReferenceSettings(model=str(checkpoint)))
    long, looping, empty, short = judge_all(judge, items)
    expected = judge_all(whole, items)
    assert (looping.label, empty.label) == ("broken", "broken"), "marks of degeneration need no model"
    assert short == expected[3]
    if room == 0:
        assert long == expected[0]
    else:
        assert long == Verdict(None, f"with its question longer than the {length - 1} tokens that the judge reads")
        assert [f.perplexity is None for f in judge.measure(items)] == [True, True, False, False]


def test_identities_tell_weights_modes_and_rubrics_apart(checkpoint: Path, tmp_path: Path) -> None:
    other = build_checkpoint(tmp_path / "other", length=1024, seed=1)
    (tmp_path / "rubrics").mkdir()
    (tmp_path / "rubrics" / "csr.txt").write_text("{{ answer }}")
    settings = [
        HFSettings(model=str(checkpoint)),
        HFSettings(model=str(checkpoint), mode="generate"),
        HFSettings(model=str(checkpoint), certainty=0.9),
        HFSettings(model=str(checkpoint), templates=tmp_path / "rubrics"),
        HFSettings(model=str(checkpoint), prefix_rule=True),
        HFSettings(model=str(other)),
    ]
    assert len({HFJudge(s).identity for s in settings}) == len(settings)
    assert HFJudge(HFSettings(model=str(checkpoint), batch_size=3)).identity == HFJudge(settings[0]).identity


def test_a_model_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="no/such"):
        _ = make_judge("hf", {"model": "no/such-model"}).identity


# mini: what its oracle says of the other judges


@cache
def select_dilemmas() -> tuple[Dilemma, ...]:
    """Dilemmas that nothing is reported on, six a value."""
    data = load_dataset("mini")
    return tuple(d for v in data.system.ids for d in data.dilemmas(v, "select")[:6])


@cache
def answers() -> tuple[JudgeItem, ...]:
    """What `mini` says to them, greedily and at a high temperature."""
    model = load(str(weights_path()))
    rows = [
        GenerationRow(
            model.render([Message("user", d.question)]), temperature=t, seed=n, special=not model.has_chat_template
        )
        for t in (0.0, 1.2)
        for n, d in enumerate(select_dilemmas())
    ]
    found = dict(model.generate(rows))
    return tuple(
        item(d, found[k * len(select_dilemmas()) + n].text) for k in (0, 1) for n, d in enumerate(select_dilemmas())
    )


def item(d: Dilemma, answer: str, asks: Question = "csr") -> JudgeItem:
    return JudgeItem(
        asks=asks, prompt=d.question, answer=answer, value=d.value, options=d.options, favours=d.favours, yes=d.yes
    )


def broken(text: str, rng: random.Random) -> str:
    """One of the ways in which steering breaks a sentence."""
    words = text.split()
    kind = rng.randrange(5)
    if kind == 0:
        rng.shuffle(words)
    elif kind == 1:
        del words[rng.randrange(len(words)) :: 4]
    elif kind == 2:
        at = rng.randrange(len(words) - 1)
        words[at : at + 2] = reversed(words[at : at + 2])
    elif kind == 3:
        words.insert(rng.randrange(len(words)), rng.choice(words))
    else:
        words[4:] = words[2:4] * 4
    return " ".join(words)


def test_option_match_agrees_with_the_oracle() -> None:
    oracle, rules = Grammar(), OptionMatch()
    pairs = [(oracle.verdict(i).label, rules.verdict(i).label) for i in answers()]
    both = [(a, b) for a, b in pairs if a is not None and b is not None]
    assert len(both) > 0.8 * len(pairs)
    assert cohen_kappa_score(*zip(*both, strict=True)) >= 0.95
    assert sum(a is not None and b is None for a, b in pairs) <= 0.02 * len(pairs), "whole answers are scored"


def test_perplexity_tells_broken_answers_from_whole_ones() -> None:
    oracle, rng = Grammar(), random.Random(0)
    whole = [i for i in answers() if oracle.verdict(item_fr(i)).label == "fluent"]
    wrong = [j for i in whole if oracle.verdict(j := item_fr(i, broken(i.answer, rng))).label == "broken"]
    assert min(len(whole), len(wrong)) >= 50
    judge = ReferenceLM()
    scores = [judge.measure(items) for items in (whole, wrong)]
    truth = [0] * len(whole) + [1] * len(wrong)
    assert roc_auc_score(truth, [f.perplexity for side in scores for f in side]) >= 0.9
    said = [v.label == "broken" for v in judge_all(judge, [item_fr(i) for i in (*whole, *wrong)])]
    assert np.mean(np.array(said) == np.array(truth)) >= 0.9


def item_fr(i: JudgeItem, answer: str | None = None) -> JudgeItem:
    text = i.answer if answer is None else answer
    return JudgeItem(asks="fr", prompt=i.prompt, answer=text, value=i.value, options=i.options, favours=i.favours)


def test_what_needs_no_model_to_be_broken() -> None:
    judge = ReferenceLM(ReferenceSettings(max_perplexity=1e9))
    loop = "the cat the cat the cat the cat the cat the cat"
    empty, looping, other = judge_all(judge, [question("", "fr"), question(loop, "fr"), question("Wait.", "csr")])
    assert (empty.label, empty.reason) == ("broken", "empty")
    assert looping.label == "broken"
    assert other.label is None
    assert "option-match+reference-lm" in other.reason


def test_repetition() -> None:
    assert repetition("a b c d e") == 0.0
    assert repetition("a b c a b c a b c") == pytest.approx(1 - 3 / 7)
    assert repetition("two words") == 0.0


def test_the_threshold_belongs_to_the_reference() -> None:
    assert ReferenceSettings().threshold < ReferenceSettings(model="gpt2").threshold
    assert ReferenceSettings(model="gpt2", max_perplexity=30).threshold == 30
    with pytest.raises(UsageError, match="max_perplexity"):
        make_judge("reference-lm", {"max_perplexity": 0.5})


def test_judges_joined_share_the_questions() -> None:
    judge = make_judge("option-match+reference-lm", {"reference-lm.max_perplexity": 1e9})
    assert isinstance(judge, Combined)
    d = select_dilemmas()[0]
    csr, fr, shows = judge_all(
        judge, [item(d, f"I would {d.options[0]}."), item(d, "I would wait.", "fr"), item(d, "x", "shows")]
    )
    assert csr.label == ("yes" if d.favours == 0 else "no")
    assert "perplexity" in fr.reason
    assert (shows.label, shows.reason) == (None, "no part of the judge answers 'shows'")
    assert judge.identity.startswith("option-match/2+reference-lm/2:mini@")
