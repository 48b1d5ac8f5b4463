from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from tests.support.plans import add, mixed_plans, prompts
from valuebench_harness.engine.intervention import TokenScope
from valuebench_harness.engine.model import SteeredModel
from valuebench_harness.engine.plan import EMPTY, SteerPlan
from valuebench_harness.engine.rows import GenerationRow, LoglikelihoodRow, TextRow
from valuebench_harness.engine.scoring import Span, rolling_windows, score_spans
from valuebench_harness.errors import UsageError


@torch.no_grad()
def plain_logprobs(model: SteeredModel, ids: list[int]) -> list[float]:
    """Of every id but the first, from one unpadded pass."""
    logits = model.model(input_ids=torch.tensor([ids[:-1]])).logits[0].double()
    return [float(logits[i].log_softmax(-1)[token]) for i, token in enumerate(ids[1:])]


def test_continuations_are_scored_as_in_one_plain_pass(model: SteeredModel) -> None:
    rows = [LoglikelihoodRow(text, end) for text in prompts(6) for end in (" No.", " Perhaps we should wait.")]
    found = dict(model.loglikelihoods(rows))
    for i, row in enumerate(rows):
        ids = model.token_ids(row.context + row.continuation, special=True)
        n = len(ids) - len(model.token_ids(row.context, special=True))
        assert found[i].n_tokens == n
        np.testing.assert_allclose(found[i].token_logprobs, plain_logprobs(model, ids)[-n:], atol=1e-3)
        assert found[i].logprob == pytest.approx(sum(found[i].token_logprobs))


def test_greedy_text_is_greedy_also_when_steered(model: SteeredModel) -> None:
    """Scoring steers as generation does: the context is the prompt, the continuation generated."""
    for plan in mixed_plans(model):
        text = prompts(2)[1]
        generated = next(iter(model.generate([GenerationRow(text, plan, max_new_tokens=6)])))[1].token_ids
        context = tuple(model.token_ids(text, special=True))
        other = (*generated[:-1], (generated[-1] + 1) % model.model.config.vocab_size)
        spans = [Span(context, generated, plan), Span(context, other, plan)]
        scores = dict(score_spans(model, spans, None, None))
        assert scores[0].is_greedy
        assert not scores[1].is_greedy
        assert scores[0].logprob > scores[1].logprob


def test_options_of_a_question_share_a_forward_pass(llama: SteeredModel) -> None:
    calls: list[int] = []
    handle = llama.model.register_forward_pre_hook(
        lambda _, __, kwargs: calls.append(len(kwargs["input_ids"])), with_kwargs=True
    )
    plan = SteerPlan((add(llama, 1),))
    rows = [LoglikelihoodRow("The answer is", f" {o}", p) for p in (EMPTY, plan) for o in ("I", "a", "I")]
    found = dict(llama.loglikelihoods(rows))
    handle.remove()
    assert {score.n_tokens for score in found.values()} <= {1, 2}
    assert found[0] == found[2]
    assert found[0] != found[1]
    assert found[0] != found[3]
    assert sum(calls) < len(rows)


def test_pairs_are_split_as_lm_eval_does(llama: SteeredModel) -> None:
    encode = llama.codec.encode_pair
    context, continuation = encode("Should I leave ", "the village", special=True)
    whole = llama.token_ids("Should I leave the village", special=True)
    assert context + continuation == whole
    assert context == llama.token_ids("Should I leave", special=True)
    assert encode("", "yes", special=True) == ([llama.codec.prefix_id], llama.token_ids("yes", special=False))
    with pytest.raises(UsageError, match="no token to score"):
        encode("yes", "", special=True)


@given(st.integers(0, 60), st.integers(1, 20))
def test_rolling_windows_are_those_of_lm_eval(n: int, length: int) -> None:
    ids = list(range(100, 100 + n))
    expected = map(make_disjoint_window, get_rolling_token_windows(ids, 7, length, 1))
    assert [(list(a), list(b)) for a, b in rolling_windows(ids, 7, length)] == list(expected)


def test_rolling_scores_equal_a_plain_computation(model: SteeredModel) -> None:
    texts = [*prompts(4), "", " ".join(prompts(30))]
    found = dict(model.rolling_loglikelihoods([TextRow(text) for text in texts]))
    assert len(model.token_ids(texts[-1], special=False)) > model.max_length or model.max_length > 256
    for i, text in enumerate(texts):
        ids = model.token_ids(text, special=False)
        expected = 0.0
        for context, continuation in rolling_windows(ids, model.codec.prefix_id, model.max_length):
            window = [*context, *continuation]
            expected += sum(plain_logprobs(model, window)[-len(continuation) :])
        assert found[i] == pytest.approx(expected, rel=1e-4, abs=1e-3)


def test_in_a_rolling_score_the_text_is_generated(llama: SteeredModel) -> None:
    text = prompts(2)[1]
    scores = {
        kind: dict(llama.rolling_loglikelihoods([TextRow(text, SteerPlan((add(llama, 1, scope=TokenScope(kind)),)))]))[
            0
        ]
        for kind in ("all", "generated", "prompt", "last-prompt")
    }
    assert scores["prompt"] == pytest.approx(scores["last-prompt"])
    assert len({round(score, 3) for score in scores.values()}) == 3


def test_texts_too_long(llama: SteeredModel) -> None:
    score = dict(llama.loglikelihoods([LoglikelihoodRow("word " * 400, " yes")]))[0]
    ids = llama.token_ids("word " * 400, special=True)
    whole = llama.token_ids("word " * 400 + " yes", special=True)
    assert len(ids) > 256
    np.testing.assert_allclose(score.token_logprobs, plain_logprobs(llama, whole[-257:])[-score.n_tokens :], atol=1e-3)
    with pytest.raises(UsageError, match="reads 256"):
        list(llama.loglikelihoods([LoglikelihoodRow("a", " word" * 400)]))
