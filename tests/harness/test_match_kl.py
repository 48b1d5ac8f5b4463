"""The strength at which a method is as far from the base as was asked."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax, rel_entr

from tests.support.checkpoints import CORPUS, build_checkpoint
from tests.support.plans import add, vector
from valuebench_harness.engine.intervention import TokenScope
from valuebench_harness.engine.loading import load
from valuebench_harness.engine.model import SteeredModel
from valuebench_harness.engine.plan import EMPTY, SteerPlan
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.evaluate import evaluate
from valuebench_harness.harness.match_kl import TOLERANCE, bisect, mean_kl, split_texts

TEXTS = CORPUS[:6]


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SteeredModel:
    return load(str(build_checkpoint(tmp_path_factory.mktemp("model") / "tiny", request.param)), dtype="float32")


def plain_logits(model: SteeredModel, ids: list[int], layer: int, added: np.ndarray) -> np.ndarray:
    """One text without padding, a vector added at every token by a hook of the test's own."""

    def change(_: object, __: object, output: torch.Tensor | tuple[torch.Tensor, ...]) -> object:
        if isinstance(output, tuple):
            return (output[0] + torch.from_numpy(added), *output[1:])
        return output + torch.from_numpy(added)

    handle = model.layout.blocks[layer].register_forward_hook(change)
    try:
        with torch.no_grad():
            logits = model.model(input_ids=torch.tensor([ids]), use_cache=False).logits[0]
    finally:
        handle.remove()
    return np.asarray(logits.double().numpy())


def test_the_divergence_equals_a_plain_computation(model: SteeredModel) -> None:
    """Text by text, in float64, by scipy: KL(steered || base) at every token of the second half."""
    halves = split_texts(model, TEXTS)
    steered_vector = vector(model.width, 0, 20.0)
    plan = SteerPlan((add(model, 1),))
    found = []
    for prompt, continuation in halves:
        ids = [*prompt, *continuation]
        read = slice(len(prompt) - 1, len(ids) - 1)  # what predicts the continuation's tokens
        p = np.exp(log_softmax(plain_logits(model, ids, 1, steered_vector)[read], axis=-1))
        q = np.exp(log_softmax(plain_logits(model, ids, 1, 0 * steered_vector)[read], axis=-1))
        found += rel_entr(p, q).sum(axis=-1).tolist()
    expected = float(np.mean(found))
    assert expected > 0.01
    for batch_size in (1, 4, None):
        assert mean_kl(model, halves, plan, batch_size=batch_size) == pytest.approx(expected, rel=1e-4)


def test_no_steering_is_no_divergence_and_every_scope_is_seen(model: SteeredModel) -> None:
    halves = split_texts(model, TEXTS)
    assert mean_kl(model, halves, EMPTY, batch_size=None) == pytest.approx(0.0, abs=1e-6)
    for kind in ("prompt", "generated", "last-prompt"):
        plan = SteerPlan((add(model, 1, scope=TokenScope(kind)),))
        assert mean_kl(model, halves, plan, batch_size=None) > 1e-4, kind


def test_texts_are_cut_in_the_middle(model: SteeredModel) -> None:
    halves = split_texts(model, [*TEXTS, "", "a"])
    for (prompt, continuation), text in zip(halves, TEXTS, strict=False):
        assert prompt[0] == model.codec.prefix_id
        assert [*prompt[1:], *continuation] == model.token_ids(text, special=False)
        assert 0 <= len(continuation) - len(prompt[1:]) <= 1


@given(target=st.floats(1e-3, 10), start=st.floats(0.01, 50), slope=st.floats(0.1, 4))
def test_bisection_finds_the_strength_from_wherever_it_starts(target: float, start: float, slope: float) -> None:
    # The search covers 2^12 times the start and its 2^12th part.
    root = target ** (1 / slope)
    if not start / 4000 < root < start * 4000:
        return
    strength, kl = bisect(lambda x: x**slope, target, start, what="it")
    assert abs(kl - target) <= TOLERANCE * target
    assert kl == strength**slope


@pytest.mark.parametrize(
    ("divergence", "words"),
    [
        (lambda _: 0.2, "0.2, less than that"),
        (lambda x: math.tanh(x) * 0.3, "less than that"),
        (lambda x: 5.0 + x, "more than that"),
        (lambda _: math.nan, "never comes to 1 nats a token"),
        (lambda x: 0.0 if x < 3 else 9.0, "jumps past 1 nats a token near strength 3"),
    ],
)
def test_a_divergence_that_is_never_reached_is_an_error(divergence: object, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        bisect(divergence, 1.0, 1.0, what="'caa' for power")  # type: ignore[arg-type]
    assert "'caa' for power" in str(caught.value)


def test_runs_at_equal_divergence(tmp_path: Path) -> None:
    """Two methods, each at its own strength, are equally far from the base; the run says at which."""
    checkpoint = build_checkpoint(tmp_path / "tiny", "llama", layers=3, width=16, length=640)
    strengths = {}
    for steerer in ("caa", "random:caa"):
        run = evaluate(
            str(checkpoint),
            steerer,
            values=("power", "security:1+power:-1"),
            tasks=("schwartz_power",),
            limit=1,
            max_new_tokens=2,
            max_unscored=1.0,
            match_kl=0.002,
            out=tmp_path / steerer.replace(":", "-"),
        )
        matched = {m.value: m for m in run.results.matched}
        assert set(matched) == {"power", "security:1+power:-1"}
        for m in matched.values():
            assert abs(m.kl - 0.002) <= TOLERANCE * 0.002
            assert (m.target, m.texts > 0, m.tokens > m.texts) == (0.002, True, True)
        assert {c.value: c.strength for c in run.conditions.values() if c.value} == {
            v: m.strength for v, m in matched.items()
        }
        strengths[steerer] = matched["power"].strength
    assert strengths["caa"] != strengths["random:caa"]
