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
