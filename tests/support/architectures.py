"""A small random-weight model of every architecture that the engine promises to steer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

from tests.support.checkpoints import build_tokenizer

WIDTH, LAYERS, HEADS = 32, 4, 4
_HEAD = WIDTH // HEADS

_SPECIAL: dict[str, Any] = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
_COMMON: dict[str, Any] = {
    **_SPECIAL,
    "hidden_size": WIDTH,
    "intermediate_size": 2 * WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": HEADS // 2,
    "max_position_embeddings": 256,
    "initializer_range": 0.25,
}
_GPT: dict[str, Any] = {
    **_SPECIAL,
    "n_embd": WIDTH,
    "n_layer": LAYERS,
    "n_head": HEADS,
    "n_positions": 256,
    "initializer_range": 0.25,
}
_HEAD_DIM = {"head_dim": _HEAD}
_WINDOW = {"sliding_window": 8}
_EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": WIDTH}
_LOCAL_EXPERTS = {"num_local_experts": 4, "num_experts_per_tok": 2}
_GEMMA = {**_COMMON, **_HEAD_DIM, **_WINDOW, "query_pre_attn_scalar": _HEAD}
_LATENT = {
    **_COMMON,
    "num_key_value_heads": HEADS,
    "q_lora_rank": 16,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 12,
    "n_routed_experts": 4,
    "n_shared_experts": 1,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": WIDTH,
    "first_k_dense_replace": 1,
    "n_group": 1,
    "topk_group": 1,
}
_MAMBA = {"mamba_n_heads": 4, "mamba_d_head": 16, "mamba_n_groups": 1, "mamba_d_state": 8, "mamba_chunk_size": 8}

NAMED: dict[str, dict[str, Any]] = {
    "llama": _COMMON,
    "llama4_text": {
        **_COMMON,
        **_HEAD_DIM,
        "num_local_experts": 4,
        "num_experts_per_tok": 1,
        "intermediate_size_mlp": 2 * WIDTH,
        "interleave_moe_layer_step": 2,
        "attention_chunk_size": 16,
    },
    "mistral": {**_COMMON, **_HEAD_DIM, **_WINDOW},
    "mixtral": {**_COMMON, **_LOCAL_EXPERTS},
    "qwen2": _COMMON,
    "qwen2_moe": {**_COMMON, **_EXPERTS, "shared_expert_intermediate_size": WIDTH},
    "qwen3": {**_COMMON, **_HEAD_DIM},
    "qwen3_moe": {**_COMMON, **_HEAD_DIM, **_EXPERTS},
    "gemma": {**_COMMON, **_HEAD_DIM},
    "gemma2": {**_GEMMA, "attn_logit_softcapping": 20.0, "final_logit_softcapping": 15.0},
    "gemma3_text": {**_GEMMA, "sliding_window_pattern": 2},
    "gemma3": {
        "text_config": _GEMMA,
        "vision_config": {
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": 2,
            "image_size": 28,
            "patch_size": 14,
        },
    },
    "phi": _COMMON,
    "phi3": {**_COMMON, **_WINDOW},
    "gpt2": _GPT,
    "gpt_neox": _COMMON,
    "opt": {**_COMMON, "ffn_dim": 2 * WIDTH, "word_embed_proj_dim": WIDTH, "init_std": 0.25},
    "falcon": {**_COMMON, "new_decoder_architecture": False, "multi_query": True, "parallel_attn": True},
    "olmo2": _COMMON,
    "granite": {**_COMMON, "residual_multiplier": 0.5, "embedding_multiplier": 2.0},
    "cohere": _COMMON,
    "cohere2": {**_COMMON, **_WINDOW},
    "stablelm": {**_COMMON, "use_parallel_residual": True},
    "bloom": {**_SPECIAL, "hidden_size": WIDTH, "n_layer": LAYERS, "n_head": HEADS, "initializer_range": 0.25},
    "mpt": {
        **_SPECIAL,
        "d_model": WIDTH,
        "n_heads": HEADS,
        "n_layers": LAYERS,
        "max_seq_len": 256,
        "initializer_range": 0.25,
    },
    "gptj": {**_GPT, "rotary_dim": 4},
    "deepseek_v3": _LATENT,
}
"""The families that users are promised, by transformers' model type, with the settings that are not its defaults."""

MORE: dict[str, dict[str, Any]] = {
    "bamba": {**_COMMON, **_MAMBA, "attn_layer_indices": [1, 3]},
    "biogpt": _COMMON,
    "codegen": {**_GPT, "rotary_dim": 4},
    "ctrl": {**_GPT, "dff": 2 * WIDTH},
    "dbrx": {
        **_SPECIAL,
        "d_model": WIDTH,
        "n_heads": HEADS,
        "n_layers": LAYERS,
        "max_seq_len": 256,
        "initializer_range": 0.25,
        "attn_config": {"kv_n_heads": 2, "rope_theta": 10000.0, "clip_qkv": 8.0},
        "ffn_config": {"ffn_hidden_size": WIDTH, "moe_num_experts": 4, "moe_top_k": 2, "hidden_size": WIDTH},
    },
    "deepseek_v2": _LATENT,
    "exaone4": {**_COMMON, **_HEAD_DIM, **_WINDOW},
    "falcon_h1": {**_COMMON, **_HEAD_DIM, **_MAMBA, "mamba_d_ssm": WIDTH, "mamba_d_head": 8},
    "gemma4_text": {
        **_GEMMA,
        "global_head_dim": 2 * _HEAD,
        "layer_types": ["sliding_attention", "full_attention"] * 2,
        "vocab_size_per_layer_input": 400,
        "hidden_size_per_layer_input": 8,
    },
    "glm4": {**_COMMON, **_HEAD_DIM},
    "gpt_bigcode": _GPT,
    "gpt_neo": {
        **_SPECIAL,
        "hidden_size": WIDTH,
        "num_layers": LAYERS,
        "num_heads": HEADS,
        "attention_types": [[["global", "local"], 2]],
        "window_size": 8,
        "max_position_embeddings": 256,
        "initializer_range": 0.25,
    },
    "gpt_oss": {**_COMMON, **_HEAD_DIM, **_WINDOW, **_LOCAL_EXPERTS},
    "granitemoe": {**_COMMON, **_LOCAL_EXPERTS},
    "granitemoehybrid": {
        **_COMMON,
        **_LOCAL_EXPERTS,
        **_MAMBA,
        "shared_intermediate_size": WIDTH,
        "layer_types": ["mamba", "attention"] * 2,
    },
    "jamba": {
        **_COMMON,
        **_EXPERTS,
        "attn_layer_period": 2,
        "attn_layer_offset": 1,
        "expert_layer_period": 2,
        "expert_layer_offset": 1,
        "mamba_d_state": 4,
        "mamba_dt_rank": 4,
        "use_mamba_kernels": False,
    },
    "jetmoe": {**_COMMON, **_LOCAL_EXPERTS, "kv_channels": _HEAD},
    "lfm2": {**_COMMON, "full_attn_idxs": [1, 3], "block_auto_adjust_ff_dim": False},
    "nemotron": {**_COMMON, **_HEAD_DIM},
    "olmo": _COMMON,
    "olmoe": {**_COMMON, **_EXPERTS},
    "persimmon": _COMMON,
    "phimoe": {**_COMMON, **_LOCAL_EXPERTS},
    "qwen3_next": {
        **_COMMON,
        **_HEAD_DIM,
        **_EXPERTS,
        "linear_num_value_heads": 4,
        "linear_num_key_heads": 2,
        "linear_key_head_dim": _HEAD,
        "linear_value_head_dim": _HEAD,
        "shared_expert_intermediate_size": WIDTH,
        "layer_types": ["linear_attention", "full_attention"] * 2,
    },
    "smollm3": _COMMON,
    "starcoder2": _COMMON,
    "xglm": {
        **_SPECIAL,
        "d_model": WIDTH,
        "ffn_dim": 2 * WIDTH,
        "num_layers": LAYERS,
        "attention_heads": HEADS,
        "max_position_embeddings": 256,
        "init_std": 0.25,
    },
}
"""Others of transformers that the same detectors find."""

RECURRENT: dict[str, dict[str, Any]] = {
    "mamba": {**_SPECIAL, "hidden_size": WIDTH, "num_hidden_layers": LAYERS, "state_size": 4},
    "recurrent_gemma": {
        **_SPECIAL,
        "hidden_size": WIDTH,
        "intermediate_size": 2 * WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "lru_width": WIDTH,
    },
}
"""Models that the engine refuses: without a key-value cache, or with layers that read padding."""


def build_architecture(folder: Path, model_type: str, *, seed: int = 0) -> Path:
    """Saves a random model of an architecture and a tokenizer.

    Args:
        folder: where to; made if need be.
        model_type: a key of `NAMED`, `MORE` or `RECURRENT`.
        seed: of the weights.

    Returns:
        The folder.
    """
    tokenizer = build_tokenizer()
    settings = {**NAMED, **MORE, **RECURRENT}[model_type]
    vocabulary: dict[str, Any] = {"vocab_size": len(tokenizer)}
    if "text_config" in settings:
        config = CONFIG_MAPPING[model_type](**{**settings, "text_config": {**settings["text_config"], **vocabulary}})
    else:
        config = CONFIG_MAPPING[model_type](**vocabulary, **settings)
    torch.manual_seed(seed)
    from_config: Any = AutoModelForCausalLM.from_config
    from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
