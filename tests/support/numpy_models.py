"""Llama and GPT-2 forward passes in numpy, double precision, one row: what steering is checked against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from valuebench_harness.engine.intervention import Site
from valuebench_harness.engine.model import SteeredModel

Array = NDArray[np.float64]
Change = Callable[[int, Site, Array], Array]
"""Gets layer, site and states ``[n_tokens, d]``; returns the states that take their place."""


def numpy_logits(model: SteeredModel, ids: list[int], change: Change) -> Array:
    """Logits ``[n_tokens, vocabulary]`` of a text, its states changed on the way.

    Args:
        model: a Llama or a GPT-2; only its weights and configuration are used.
        ids: the text.
        change: called at every site of every layer.
    """
    weights = {name: value.double().numpy() for name, value in model.model.state_dict().items()}
    config: Any = model.model.config
    return (_llama if config.model_type == "llama" else _gpt2)(weights, config, np.array(ids), change)


def _llama(w: dict[str, Array], config: Any, ids: NDArray[np.int_], change: Change) -> Array:
    n, d, half = len(ids), config.head_dim, config.head_dim // 2
    groups = config.num_attention_heads // config.num_key_value_heads
    theta = config.rope_parameters["rope_theta"]
    angles = np.arange(n)[:, None] * theta ** (-np.arange(half) / half)
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]

    def norm(x: Array, name: str) -> Array:
        scaled: Array = x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + config.rms_norm_eps) * w[name]
        return scaled

    def rotate(x: Array) -> Array:
        a, b = x[..., :half], x[..., half:]
        return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)

    h = w["model.embed_tokens.weight"][ids]
    for layer in range(config.num_hidden_layers):
        at = f"model.layers.{layer}."
        h = change(layer, "input", h)
        x = norm(h, at + "input_layernorm.weight")
        q, k, v = ((x @ w[f"{at}self_attn.{p}_proj.weight"].T).reshape(n, -1, d) for p in "qkv")
        k, v = rotate(k).repeat(groups, axis=1), v.repeat(groups, axis=1)
        heads = change(layer, "heads", _attend(rotate(q), k, v))
        h = h + change(layer, "attention", heads @ w[at + "self_attn.o_proj.weight"].T)
        x = norm(h, at + "post_attention_layernorm.weight")
        gate, up = (x @ w[f"{at}mlp.{p}_proj.weight"].T for p in ("gate", "up"))
        h = h + change(layer, "mlp", (gate / (1 + np.exp(-gate)) * up) @ w[at + "mlp.down_proj.weight"].T)
        h = change(layer, "block", h)
    out: Array = norm(h, "model.norm.weight") @ w["lm_head.weight"].T
    return out


def _gpt2(w: dict[str, Array], config: Any, ids: NDArray[np.int_], change: Change) -> Array:
    n, width = len(ids), config.n_embd

    def norm(x: Array, name: str) -> Array:
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + config.layer_norm_epsilon)
        moved: Array = scaled * w[name + ".weight"] + w[name + ".bias"]
        return moved

    def linear(x: Array, name: str) -> Array:
        y: Array = x @ w[name + ".weight"] + w[name + ".bias"]
        return y

    h = w["transformer.wte.weight"][ids] + w["transformer.wpe.weight"][:n]
    for layer in range(config.n_layer):
        at = f"transformer.h.{layer}."
        h = change(layer, "input", h)
        qkv = linear(norm(h, at + "ln_1"), at + "attn.c_attn").reshape(n, 3, config.n_head, width // config.n_head)
        heads = change(layer, "heads", _attend(qkv[:, 0], qkv[:, 1], qkv[:, 2]))
        h = h + change(layer, "attention", linear(heads, at + "attn.c_proj"))
        x = linear(norm(h, at + "ln_2"), at + "mlp.c_fc")
        x = 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
        h = h + change(layer, "mlp", linear(x, at + "mlp.c_proj"))
        h = change(layer, "block", h)
    out: Array = norm(h, "transformer.ln_f") @ w["lm_head.weight"].T
    return out


def _attend(q: Array, k: Array, v: Array) -> Array:
    """Causal attention of ``[n_tokens, n_heads, d]``; the heads side by side, ``[n_tokens, n_heads * d]``."""
    n, _, d = q.shape
    scores = np.einsum("ihd,jhd->hij", q, k) / np.sqrt(d)
    scores = np.where(np.tril(np.ones((n, n), dtype=bool)), scores, -np.inf)
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)
    out: Array = np.einsum("hij,jhd->ihd", shares, v).reshape(n, -1)
    return out
