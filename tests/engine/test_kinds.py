from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.support.plans import logit_p0, vector
from valuebench_harness.engine.kinds import kind
from valuebench_harness.errors import UsageError


@given(
    x=st.floats(0.1, 15),
    norm=st.floats(1e-3, 1e3),
    w_norm=st.floats(0.05, 3),
    b=st.floats(-30, 30),
    sign=st.sampled_from([-1.0, 1.0]),
    seed=st.integers(0, 2**31),
)
def test_minimal_shift_meets_its_target_and_is_minimal(
    *, x: float, norm: float, w_norm: float, b: float, sign: float, seed: int
) -> None:
    target = np.float64(np.float32(logit_p0(x)))
    h = torch.from_numpy(np.stack([vector(64, seed + i, norm) for i in range(4)]))
    w = torch.from_numpy(np.stack([vector(64, seed + 9 + i, w_norm) for i in range(4)]))
    params = {
        "w": w,
        "b": torch.full((4, 1), b),
        "logit_p0": torch.full((4, 1), float(target)),
        "sign": torch.full((4, 1), sign),
    }
    out = kind("minimal-shift").apply(h, params)
    bias = np.float64(np.float32(b))
    for before, after, probe in zip(h.double().numpy(), out.double().numpy(), w.double().numpy(), strict=True):
        logit = sign * (probe @ before + bias)
        if logit < target:
            assert sign * (probe @ after + bias) == pytest.approx(target, abs=1e-3)
            moved = after - before
            along = moved @ probe / np.linalg.norm(probe)
            # Minimal: all of the movement is along the probe.
            assert np.linalg.norm(moved - along * probe / np.linalg.norm(probe)) <= 1e-5 * (norm + abs(along))
        elif logit > target:
            assert np.array_equal(after, before)


@given(seed=st.integers(0, 2**31), x=st.floats(0.1, 15), sign=st.sampled_from([-1.0, 1.0]))
def test_the_along_form_takes_the_same_step_in_another_direction(seed: int, x: float, sign: float) -> None:
    rng = np.random.default_rng(seed)
    h, w, along = (torch.from_numpy(rng.normal(size=(6, 16)).astype(np.float32)) for _ in range(3))
    params = {
        "w": w,
        "along": along,
        "b": torch.zeros(6, 1),
        "logit_p0": torch.full((6, 1), logit_p0(x)),
        "sign": torch.full((6, 1), sign),
        "anchor": h[:1].expand(6, -1),
    }
    for name in ("minimal-shift", "minimal-shift-prompt"):
        probe = (kind(name).apply(h, params) - h).double().numpy()
        other = (kind(f"{name}-along").apply(h, params) - h).double().numpy()
        signed = (probe * w.double().numpy()).sum(axis=1) / np.linalg.norm(w.double().numpy(), axis=1)
        unit = along.double().numpy() / np.linalg.norm(along.double().numpy(), axis=1, keepdims=True)
        np.testing.assert_allclose(other, signed[:, None] * unit, atol=1e-5 * (1 + np.abs(signed).max()))


@given(
    seed=st.integers(0, 2**31),
    offset=st.floats(-2, 2),
    side=st.sampled_from([-1.0, 0.0, 1.0]),
    c=st.floats(0.1, 1),
    norm=st.floats(1e-2, 1e2),
)
def test_ablation_leaves_a_share_of_the_excess(*, seed: int, offset: float, side: float, c: float, norm: float) -> None:
    rng = np.random.default_rng(seed)
    h = rng.normal(size=(8, 16)).astype(np.float32)
    v, along = norm * rng.normal(size=(2, 8, 16)).astype(np.float32)
    params = {
        "vector": torch.from_numpy(v),
        "along": torch.from_numpy(along),
        "offset": torch.full((8, 1), offset),
        "side": torch.full((8, 1), side),
        "coefficient": torch.full((8, 1), c),
    }
    ablated = kind("ablate").apply(torch.from_numpy(h), params).double().numpy()
    moved = kind("ablate-along").apply(torch.from_numpy(h), params).double().numpy()
    for before, after, other, one, two in zip(h.astype(float), ablated, moved, v.astype(float), along, strict=True):
        u, r = one / np.linalg.norm(one), two / np.linalg.norm(two.astype(float))
        excess = before @ u - offset
        if side * excess < -1e-6:
            assert np.array_equal(after, before)
            continue
        assert after @ u - offset == pytest.approx((1 - c) * excess, abs=1e-4)
        np.testing.assert_allclose(after - before, -c * excess * u, atol=1e-4)
        np.testing.assert_allclose(other - before, -c * excess * r, atol=1e-4)


@pytest.mark.parametrize("threshold", [0.0, 0.7])
def test_a_clamped_feature_reads_its_target(threshold: float) -> None:
    """With a decoder that the encoder reads as 1, the feature's activation afterwards is the target."""
    rng = np.random.default_rng(0)
    h = rng.normal(size=(40, 16)).astype(np.float32)
    encoder = rng.normal(size=16).astype(np.float32)
    decoder = rng.normal(size=16).astype(np.float32)
    decoder /= encoder @ decoder

    def clamp(target: float, c: float) -> np.ndarray:
        numbers = {"bias": -0.3, "threshold": threshold, "target": target, "coefficient": c}
        params = {name: torch.full((40, 1), value) for name, value in numbers.items()}
        params |= {
            "encoder": torch.from_numpy(encoder).expand(40, -1),
            "decoder": torch.from_numpy(decoder).expand(40, -1),
        }
        return kind("sae-clamp").apply(torch.from_numpy(h), params).double().numpy()

    z = h.astype(float) @ encoder - 0.3
    active = z > threshold
    assert 3 < active.sum() < 37
    after = clamp(5.0, 1.0) @ encoder.astype(float) - 0.3
    np.testing.assert_allclose(after[active], 5.0, atol=1e-4)
    np.testing.assert_allclose(after[~active], z[~active] + 5.0, atol=1e-4)
    np.testing.assert_allclose(clamp(5.0, 0.5) - h, (clamp(5.0, 1.0) - h) / 2, atol=1e-4)
    off = clamp(0.0, 1.0)
    assert np.array_equal(off[~active], h[~active]), "a silent feature set to 0 is left alone"


@given(seed=st.integers(0, 2**31), n=st.integers(1, 5))
def test_rows_of_one_call_keep_their_own_parameters(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    h, v = rng.normal(size=(2, n, 8)).astype(np.float32)
    c = rng.normal(size=(n, 1)).astype(np.float32)
    out = kind("add").apply(torch.from_numpy(h), {"vector": torch.from_numpy(v), "coefficient": torch.from_numpy(c)})
    np.testing.assert_allclose(out.numpy(), h + c * v, rtol=1e-6, atol=1e-6)


def test_an_unknown_kind_suggests_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean 'minimal-shift'"):
        kind("minimal-shft")
