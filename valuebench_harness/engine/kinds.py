"""What each kind of intervention does to hidden states.

A kind is one function, vectorised over tokens, and the names of its parameters.
It gets states ``h`` of shape ``[n_tokens, d]`` in float32 and one row of every
parameter a token: vectors ``[n_tokens, d]``, scalars ``[n_tokens, 1]``, so that the
tokens of one call may belong to rows with different methods, values and strengths.
A kind that needs its row's anchor - the state of the last prompt token at the same
site, as earlier interventions left it - finds it as the parameter ``anchor``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from valuebench_harness.errors import unknown_name

Apply = Callable[[Tensor, Mapping[str, Tensor]], Tensor]


@dataclass(frozen=True)
class Kind:
    """A kind of intervention.

    Attributes:
        name: what plans call it.
        apply: ``apply(h, params) -> h'``, shapes as in the module's docstring. Tokens it
            leaves alone come back bit for bit.
        vectors: names of the parameters of the width of the site.
        scalars: names of the parameters that are one number. ``coefficient`` is always there.
        needs_anchor: whether ``params`` holds ``anchor``.
    """

    name: str
    apply: Apply
    vectors: tuple[str, ...] = ()
    scalars: tuple[str, ...] = ()
    needs_anchor: bool = False


_KINDS: dict[str, Kind] = {}


def register(
    name: str, *, vectors: tuple[str, ...] = (), scalars: tuple[str, ...] = (), needs_anchor: bool = False
) -> Callable[[Apply], Apply]:
    """Declares the decorated function to be a kind; see `Kind` for the arguments."""

    def declare(apply: Apply) -> Apply:
        _KINDS[name] = Kind(name, apply, vectors, scalars, needs_anchor)
        return apply

    return declare


def kind(name: str) -> Kind:
    """The kind of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in _KINDS:
        raise unknown_name("intervention kind", name, _KINDS)
    return _KINDS[name]


@register("add", vectors=("vector",))
def add(h: Tensor, params: Mapping[str, Tensor]) -> Tensor:
    """Adds a vector: ``h + coefficient * vector`` (activation addition, CAA)."""
    return torch.addcmul(h, params["coefficient"], params["vector"])


@register("minimal-shift", vectors=("w",), scalars=("b", "logit_p0", "sign"))
def minimal_shift(h: Tensor, params: Mapping[str, Tensor]) -> Tensor:
    """ConVA's minimal perturbation, one epsilon a token (Jin et al., ACL 2025, Eq. 5 and 6).

    A probe gives ``P_V(h) = sigmoid(w.h + b)``. With ``sign`` +1, a token with
    ``P_V < P0`` moves along ``v = w/|w|`` by the smallest epsilon that makes
    ``P_V = P0``: ``epsilon = (logit P0 - w.h - b) / (w.v)``. With ``sign`` -1 the target
    is mirrored: tokens with ``P_V > 1 - P0`` move to ``P_V = 1 - P0``. All others are
    unchanged bit for bit. ``logit_p0`` is the logit, since P0 itself rounds to 1.
    """
    epsilon = _epsilon(h, params)
    return torch.where(epsilon != 0, h + epsilon * _unit(params["w"]), h)


@register("minimal-shift-prompt", vectors=("w",), scalars=("b", "logit_p0", "sign"), needs_anchor=True)
def minimal_shift_prompt(h: Tensor, params: Mapping[str, Tensor]) -> Tensor:
    """As ``minimal-shift``, but with the last prompt token's epsilon for every token.

    So does ConVA's published code; the equations in its paper are per token.
    """
    epsilon = _epsilon(params["anchor"], params)
    return torch.where(epsilon != 0, h + epsilon * _unit(params["w"]), h)


@register("minimal-shift-along", vectors=("w", "along"), scalars=("b", "logit_p0", "sign"))
def minimal_shift_along(h: Tensor, params: Mapping[str, Tensor]) -> Tensor:
    """The step of ``minimal-shift``, taken along the direction of ``along`` instead of the probe's.

    The control for ConVA: every token moves as far as ConVA would move it from where it is.
    """
    epsilon = _epsilon(h, params)
    return torch.where(epsilon != 0, h + epsilon * _unit(params["along"]), h)


@register("minimal-shift-prompt-along", vectors=("w", "along"), scalars=("b", "logit_p0", "sign"), needs_anchor=True)
def minimal_shift_prompt_along(h: Tensor, params: Mapping[str, Tensor]) -> Tensor:
    """The step of ``minimal-shift-prompt``, taken along the direction of ``along``."""
    epsilon = _epsilon(params["anchor"], params)
    return torch.where(epsilon != 0, h + epsilon * _unit(params["along"]), h)


@register("ablate", vectors=("vector",), scalars=("offset", "side"))
def ablate(h: Tensor, params: Mapping[str, Tensor]) -> Tensor:
    """Directional ablation: ``h - coefficient * excess * u`` (Arditi et al., NeurIPS 2024, Eq. 4).

    ``u`` is the unit vector of ``vector`` and ``excess = h.u - offset``: with offset 0 and
    coefficient 1 nothing of the direction is left; another offset is the affine form
    (Marshall et al., 2024), which leaves that much. ``side`` 0 takes the excess whatever its
    sign; +1 only where it is positive, -1 only where it is negative. Tokens without excess
    come back bit for bit.
    """
    step = _excess(h, params)
    return torch.where(step != 0, h - step * _unit(params["vector"]), h)


@register("ablate-along", vectors=("vector", "along"), scalars=("offset", "side"))
def ablate_along(h: Tensor, params: Mapping[str, Tensor]) -> Tensor:
    """The step of ``ablate``, taken along the direction of ``along``: the control for ablation."""
    step = _excess(h, params)
    return torch.where(step != 0, h - step * _unit(params["along"]), h)


@register("sae-clamp", vectors=("encoder", "decoder"), scalars=("bias", "threshold", "target"))
def sae_clamp(h: Tensor, params: Mapping[str, Tensor]) -> Tensor:
    """Sets one feature of a sparse autoencoder: ``h + coefficient * (target - a) * decoder``.

    ``a`` is the feature's activation: ``z = encoder.h + bias`` where ``z > threshold``, else 0.
    Threshold 0 is a ReLU, a positive one a JumpReLU. Whatever the autoencoder does to its input
    first (a bias taken off, a scale) is folded into ``encoder`` and ``bias``, and the scale
    back into ``decoder``. Its reconstruction error stays in the state, since the rest of the
    state is left as it is (Templeton et al., "Scaling Monosemanticity", 2024).
    """
    z = _sum(h * params["encoder"]).to(h.dtype) + params["bias"]
    activation = torch.where(z > params["threshold"], z, 0.0)
    return torch.addcmul(h, params["coefficient"] * (params["target"] - activation), params["decoder"])


def _excess(h: Tensor, params: Mapping[str, Tensor]) -> Tensor:
    """What ``ablate`` takes away along its direction, ``[n_tokens, 1]``."""
    excess = (_sum(h * _unit(params["vector"])) - params["offset"]).to(h.dtype)
    side = params["side"]
    return torch.where(side * excess >= 0, params["coefficient"] * excess, 0.0)


def _epsilon(h: Tensor, params: Mapping[str, Tensor]) -> Tensor:
    """ConVA's Eq. 6, signed, ``[n_tokens, 1]``; exactly 0 where the constraint of Eq. 5 holds."""
    w, sign = params["w"], params["sign"]
    logit = _sum(h * w) + params["b"]
    missing = params["logit_p0"] - sign * logit
    return torch.where(missing > 0, sign * missing / _sum(w * w).sqrt(), 0.0).to(h.dtype)


def _unit(w: Tensor) -> Tensor:
    return w / _sum(w * w).sqrt().to(w.dtype)


def _sum(terms: Tensor) -> Tensor:
    """Sums over the width, ``[n, d] -> [n, 1]``, in double precision where the device has it.

    The target logit is 34.5 at x = 15 and has to be met to 1e-3 by states of any norm.
    """
    dtype = torch.float32 if terms.device.type == "mps" else torch.float64
    return terms.sum(dim=-1, keepdim=True, dtype=dtype)
