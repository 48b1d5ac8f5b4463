"""The methods' mathematics on given states, against independent computations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import mpmath  # type: ignore[import-untyped]
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.steerers.states import GivenStates, context, request
from valuebench_harness.engine.intervention import TokenScope
from valuebench_harness.errors import UsageError
from valuebench_harness.steerers.base import FitContext, Steerer
from valuebench_harness.steerers.conva import logit_p0, skipped_layers
from valuebench_harness.steerers.gates.base import GatePrompt
from valuebench_harness.steerers.gates.probe import ProbeGate
from valuebench_harness.steerers.probe import fit_probe
from valuebench_harness.steerers.registry import make_gate, make_steerer

# CAA


def test_caa_adds_the_mean_difference_of_the_pairs() -> None:
    ctx = context()
    artifact = make_steerer("caa").fit(ctx)
    assert artifact is not None
    states: Any = ctx.states
    expected = sum(states.table[p.positive].astype(float) - states.table[p.negative] for p in ctx.pairs) / len(
        ctx.pairs
    )
    assert artifact.arrays["vectors"] == pytest.approx(expected, abs=1e-6)
    assert artifact.meta.layers == (3,), "0.4 of 8 layers"


@pytest.mark.parametrize(("n_layers", "layer"), [(32, 13), (5, 2), (1, 0), (12, 5), (80, 32)])
def test_caas_layer_is_the_papers_share_of_the_model(n_layers: int, layer: int) -> None:
    artifact = make_steerer("caa").fit(context(n=4, n_layers=n_layers, width=4))
    assert artifact is not None
    assert artifact.meta.layers == (layer,)


@pytest.mark.parametrize(("direction", "sign"), [("positive", 1), ("negative", -1)])
def test_caas_plan(direction: Any, sign: int) -> None:
    steerer = make_steerer("caa", {"scope": "generated"})
    artifact = steerer.fit(context(layers=(5, 2, 2)))
    assert artifact is not None
    steered = steerer.plan(request(2.5, direction), artifact)
    assert [i.layer for i in steered.plan.interventions] == [2, 5]
    for intervention in steered.plan.interventions:
        assert (intervention.kind, intervention.coefficient) == ("add", sign * 2.5)
        assert intervention.scope == TokenScope("generated")
        vector: Any = intervention.params["vector"]
        assert np.array_equal(vector.array, artifact.arrays["vectors"][intervention.layer])
    assert steered.messages == request().messages


# ConVA


@pytest.mark.parametrize("x", [0.1, 0.3, 0.5, 1.0, 1.3, 2.0, 3.7, 5.0, 7.5, 10.0, 12.0, 15.0])
def test_logit_p0_is_exact(x: float) -> None:
    with mpmath.workdps(60):
        p = 1 - mpmath.mpf("0.1") ** mpmath.mpf(x)
        expected = float(mpmath.log(p / (1 - p)))
    assert logit_p0(x) == pytest.approx(expected, rel=1e-14, abs=1e-14)


def test_logit_p0_at_its_ends() -> None:
    assert logit_p0(-math.log10(0.5)) == pytest.approx(0, abs=1e-15)
    assert logit_p0(1) == pytest.approx(math.log(9))
    assert logit_p0(300) == pytest.approx(300 * math.log(10))
    for x in (1e-300, 1e-17, 1e-9):
        assert logit_p0(x) == pytest.approx(math.log(x * math.log(10)))
    xs = np.linspace(0.1, 15, 200)
    assert np.all(np.diff([logit_p0(x) for x in xs]) > 0)
    assert np.all(np.isfinite(np.array([logit_p0(x) for x in xs], dtype=np.float32)))


@pytest.mark.parametrize(
    ("n_layers", "skip_last", "skipped"),
    [(5, None, 1), (12, None, 2), (18, None, 3), (32, None, 5), (80, None, 12), (1, None, 1), (32, 0, 0), (8, 3, 3)],
)
def test_the_last_layers_are_left_out_as_a_share(n_layers: int, skip_last: int | None, skipped: int) -> None:
    assert skipped_layers(n_layers, skip_last) == skipped


def standardised_fit(positive: np.ndarray, negative: np.ndarray, c: float, seed: int) -> Any:
    """The same training pairs, by scikit-learn's own scaler and pipeline."""
    order = np.random.default_rng(seed).permutation(len(positive))
    train = order[: round(0.7 * len(order))]
    x = np.concatenate([positive[train], negative[train]]).astype(np.float64)
    y = np.repeat([1, 0], len(train))
    return make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=5000, tol=1e-8)).fit(x, y)


@pytest.mark.parametrize(("c", "gap"), [(0.01, 3.0), (1.0, 2.0), (0.1, 0.5)])
def test_the_probe_is_a_standardised_regression_folded_back(c: float, gap: float) -> None:
    ctx = context(n=60, gap=gap)
    positive, negative = (s[:, 4] for s in ctx.labelled_states())
    probe = fit_probe(positive, negative, c=c, standardize=True, train_share=0.7, seed=3)
    peer = standardised_fit(positive, negative, c, seed=3)
    states = np.concatenate([positive, negative])
    expected = peer.decision_function(states.astype(np.float64))
    # The probe adds a thousandth of the spread to each scale; hence the tolerance.
    assert probe.logits(states) == pytest.approx(expected, rel=5e-3, abs=5e-3)
    assert np.corrcoef(probe.logits(states), expected)[0, 1] > 0.99999


def test_accuracy_is_that_of_pairs_the_probe_has_not_seen() -> None:
    ctx = context(n=60, gap=1.0)
    positive, negative = (s[:, 0] for s in ctx.labelled_states())
    probe = fit_probe(positive, negative, c=0.01, standardize=True, train_share=0.7, seed=5)
    held = np.random.default_rng(5).permutation(60)[42:]
    right = np.concatenate([probe.logits(positive[held]) > 0, probe.logits(negative[held]) <= 0])
    assert probe.accuracy == pytest.approx(right.mean())
    assert 0.5 < probe.accuracy < 1


def test_pairs_do_not_straddle_the_split() -> None:
    """Texts of a pair are copies but for one sign: a probe that saw one half would know the other."""
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(40, 200)).astype(np.float32)  # more dimensions than texts, no common direction
    sign = rng.choice([-1.0, 1.0], size=(40, 1)).astype(np.float32)
    probe = fit_probe(shared * sign, -shared * sign, c=1.0, standardize=False, train_share=0.7, seed=0)
    assert probe.accuracy < 0.8


def test_a_dimension_that_hardly_varies_gets_no_weight() -> None:
    ctx = context()
    positive, negative = (s[:, 0].copy() for s in ctx.labelled_states())
    positive[:, 0], negative[:, 0] = 7.0 + 1e-7, 7.0
    probe = fit_probe(positive, negative, c=0.01, standardize=True, train_share=0.7, seed=0)
    assert np.all(np.isfinite(probe.w))
    assert abs(probe.w[0] * 1e-7) < 1e-3


def test_raw_states_are_an_option() -> None:
    ctx = context()
    positive, negative = (s[:, 2] for s in ctx.labelled_states())
    probe = fit_probe(positive, negative, c=1.0, standardize=False, train_share=0.7, seed=0)
    train = np.random.default_rng(0).permutation(40)[:28]
    peer = LogisticRegression(C=1.0, max_iter=5000, tol=1e-8)
    peer.fit(np.concatenate([positive[train], negative[train]]), np.repeat([1, 0], 28))
    assert probe.w == pytest.approx(peer.coef_[0], rel=2e-2, abs=2e-3)
    assert probe.b == pytest.approx(peer.intercept_[0], rel=2e-2, abs=1e-2)


def test_too_few_texts_are_named() -> None:
    states = np.ones((1, 4), dtype=np.float32)
    with pytest.raises(UsageError, match="at least 2 texts"):
        fit_probe(states, states, c=1.0, standardize=True, train_share=0.7, seed=0)


def test_conva_steers_the_layers_it_can_read() -> None:
    """Layers 1 and 4 hold nothing of the value; the last of 8 is left out as 5/32 of the model."""
    artifact = make_steerer("conva").fit(context(n=100, gap=[8, 0, 8, 8, 0, 8, 8, 8], seed=1))
    assert artifact is not None
    assert artifact.meta.layers == (0, 2, 3, 5, 6)
    assert artifact.meta.accuracy[1] < 0.8
    assert artifact.arrays["w"].shape == (8, 12)
    assert artifact.arrays["b"].shape == (8,)
    keep_all = make_steerer("conva", {"skip_last": 0}).fit(context(n=100, gap=8, seed=1))
    assert keep_all is not None
    assert keep_all.meta.layers == tuple(range(8))
    asked = make_steerer("conva").fit(context(n=100, gap=[8, 0, 8, 8, 0, 8, 8, 8], layers=(7, 1)))
    assert asked is not None
    assert asked.meta.layers == (1, 7), "what the user asks for is steered"


def test_conva_without_a_readable_layer_is_an_error_in_words() -> None:
    with pytest.raises(UsageError, match=r"ConVA for security: no layer.*tiny.*--layers"):
        make_steerer("conva").fit(context(gap=0.0))
    with pytest.raises(UsageError, match="no layer"):
        make_steerer("conva", {"skip_last": 8}).fit(context(gap=8))
    with pytest.raises(UsageError, match="Layer 8 is out of range: tiny has 8 layers, 0 to 7"):
        make_steerer("conva").fit(context(layers=(8,)))


@pytest.mark.parametrize(("per", "kind"), [("token", "minimal-shift"), ("prompt", "minimal-shift-prompt")])
@pytest.mark.parametrize(("direction", "sign"), [("positive", 1.0), ("negative", -1.0)])
def test_convas_plan(per: str, kind: str, direction: Any, sign: float) -> None:
    steerer = make_steerer("conva", {"per": per})
    artifact = steerer.fit(context(gap=8.0))
    assert artifact is not None
    plan = steerer.plan(request(2.0, direction), artifact).plan
    assert [i.layer for i in plan.interventions] == list(artifact.meta.layers)
    for i in plan.interventions:
        w: Any = i.params["w"]
        assert i.kind == kind
        assert np.array_equal(w.array, artifact.arrays["w"][i.layer])
        assert i.params["b"] == artifact.arrays["b"][i.layer]
        assert i.params["logit_p0"] == pytest.approx(math.log(99))
        assert i.params["sign"] == sign


def test_a_minimal_shift_moves_a_state_to_p0() -> None:
    """Eq. 5 and 6 with the artifact's numbers: sigmoid(w.(e + eps v) + b) = P0."""
    ctx = context(gap=8.0)
    artifact = make_steerer("conva").fit(ctx)
    assert artifact is not None
    _, negative = ctx.labelled_states()
    layer = artifact.meta.layers[0]
    w, b = artifact.arrays["w"][layer].astype(float), float(artifact.arrays["b"][layer])
    e = negative[0, layer].astype(float)
    v = w / np.linalg.norm(w)
    epsilon = (logit_p0(2.0) - w @ e - b) / (w @ v)
    assert 1 / (1 + math.exp(-(w @ (e + epsilon * v) + b))) == pytest.approx(0.99)


# What holds for all of them


@pytest.mark.parametrize("name", ["base", "ica", "caa", "conva"])
def test_strength_0_and_a_closed_gate_are_the_identity(name: str) -> None:
    steerer = make_steerer(name)
    artifact = steerer.fit(context(gap=8.0))
    for off in (request(0.0), request(1.0, gate_open=False)):
        steered = steerer.plan(off, artifact)
        assert steered.messages == off.messages
        assert steered.plan.is_empty
    if name != "base":
        on = steerer.plan(request(1.0), artifact)
        assert not on.plan.is_empty or on.messages != request().messages


@pytest.mark.parametrize("name", ["caa", "conva"])
def test_fits_and_plans_are_reproducible(name: str) -> None:
    steerer = make_steerer(name)
    first, second = steerer.fit(context(gap=8.0)), steerer.fit(context(gap=8.0))
    other = steerer.fit(context(gap=8.0, seed=1))
    assert first is not None
    assert second is not None
    assert other is not None
    assert first.digest == second.digest != other.digest
    assert steerer.plan(request(2), first).plan.digest == steerer.plan(request(2), second).plan.digest
    digests = {steerer.plan(request(x, d), first).plan.digest for x in (1, 2) for d in ("positive", "negative")}
    assert len(digests) == 4


@pytest.mark.parametrize("strength", [-1.0, math.inf, math.nan])
@pytest.mark.parametrize("name", ["base", "ica", "caa", "conva"])
def test_impossible_strengths(name: str, strength: float) -> None:
    with pytest.raises(UsageError, match=f"of '{name}' must be a finite number >= 0"):
        make_steerer(name).check_strength(strength)


@pytest.mark.parametrize(("name", "strength", "fine"), [("ica", 1, True), ("ica", 0.5, False), ("caa", 0.5, True)])
def test_prompt_methods_are_switches(name: str, strength: float, fine: bool) -> None:
    steerer: Steerer[Any] = make_steerer(name)
    if fine:
        steerer.check_strength(strength)
    else:
        with pytest.raises(UsageError, match=r"must be 0 \(off\) or 1 \(on\)"):
            steerer.check_strength(strength)


# The probe as gate


def asked(texts: Sequence[str]) -> list[GatePrompt]:
    """Texts as prompts; the probe reads what is rendered and never the message."""
    return [GatePrompt(rendered=text, message="") for text in texts]


def test_the_gate_opens_for_value_texts_and_stays_shut_for_neutral_ones() -> None:
    ctx = context(neutral=40)
    gate = make_gate("probe")
    assert isinstance(gate, ProbeGate)
    artifact = gate.fit(ctx)
    assert artifact.meta.layers == (4,)
    states: Any = ctx.states
    texts = [p.positive for p in ctx.pairs] + [p.negative for p in ctx.pairs]
    opened = [d.open for d in gate.decide(asked(texts), artifact, states)]
    shut = [d.open for d in gate.decide(asked(ctx.neutral), artifact, states)]
    assert np.mean(opened) > 0.9
    assert np.mean(shut) < 0.1
    decisions = gate.decide(asked(texts[:5] + list(ctx.neutral[:5])), artifact, states)
    logits = states.prompt_mean(texts[:5] + list(ctx.neutral[:5]), 4) @ artifact.arrays["w"] + artifact.arrays["b"]
    assert [d.score for d in decisions] == pytest.approx(1 / (1 + np.exp(-logits.astype(float))), rel=1e-5)
    strict = make_gate("probe", {"g0": 0.999999})
    assert strict is not None
    assert not any(d.open for d in strict.decide(asked(ctx.neutral), artifact, states))


def test_a_gate_without_neutral_texts_is_an_error_in_words() -> None:
    gate = make_gate("probe")
    assert gate is not None
    with pytest.raises(UsageError, match=r"at least 10 neutral texts.*has 3.*--gate none"):
        gate.fit(context(neutral=3))


def test_given_states_answer_like_the_real_ones() -> None:
    """The table stands for `States`: same methods, same shapes."""
    ctx: FitContext = context(n=3)
    assert isinstance(ctx.states, GivenStates)
    positive, negative = ctx.labelled_states()
    assert positive.shape == negative.shape == (3, 8, 12)
    assert positive.dtype == np.float32
