"""Small checkpoints with random weights and a tokenizer trained on the spot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

Arch = Literal["llama", "gpt2", "gemma2"]

CORPUS = (
    "I keep my promises because your values matter more than your comfort.",
    "Should I leave the village and see what lies beyond the hills?",
    "She saved every coin for a year, then gave half of it to her brother.",
    "A quiet life has its price; a loud one has another.",
    "They asked whether the old custom should be kept or dropped.",
    "Power is pleasant, power is heavy, and power is rarely shared.",
    "Nobody told the children that the bridge was closed.",
    "If you were in my place, what would your values tell you to do?",
    "The doctor said yes, the lawyer said no, the neighbour said maybe.",
    "Answer in one short sentence and do not explain yourself.",
)
"""The tokenizer's training text; also a source of prompts."""

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] | trim }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def build_tokenizer(
    *,
    vocab_size: int = 400,
    bos: bool = True,
    chat_template: str | None = CHAT_TEMPLATE,
    corpus: Sequence[str] = CORPUS,
) -> PreTrainedTokenizerFast:
    """Trains a byte-level BPE tokenizer.

    Args:
        vocab_size: at most so many tokens.
        bos: put BOS in front of every text, as Llama and Gemma do and GPT-2 does not.
        chat_template: None for a base model's tokenizer.
        corpus: the text it is trained on.
    """
    specials = ["<pad>", "<bos>", "<eos>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<bos> $A", special_tokens=[("<bos>", tokenizer.token_to_id("<bos>"))]
        )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        additional_special_tokens=specials[3:],
    )
    fast.chat_template = chat_template
    return fast


def build_model(
    arch: Arch, *, vocab_size: int, layers: int = 5, width: int = 32, length: int = 256, seed: int = 0
) -> PreTrainedModel:
    """A model with random weights, large enough that its greedy text varies.

    Llama has grouped heads and untied embeddings; GPT-2 learned positions and tied ones;
    Gemma-2 tied ones, soft caps and a window of 8 tokens in every other layer.
    """
    torch.manual_seed(seed)
    shared: dict[str, Any] = {
        "vocab_size": vocab_size,
        "initializer_range": 0.25,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    wide: dict[str, Any] = {
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": width // 4,
        "max_position_embeddings": length,
    }
    match arch:
        case "llama":
            return LlamaForCausalLM(LlamaConfig(**shared, **wide))
        case "gpt2":
            return GPT2LMHeadModel(GPT2Config(**shared, n_embd=width, n_layer=layers, n_head=4, n_positions=length))
        case "gemma2":
            config = Gemma2Config(
                **shared,
                **wide,
                query_pre_attn_scalar=width // 4,
                sliding_window=8,
                attn_logit_softcapping=20.0,
                final_logit_softcapping=15.0,
            )
            return Gemma2ForCausalLM(config)


def build_checkpoint(
    folder: Path,
    arch: Arch = "llama",
    *,
    layers: int = 5,
    width: int = 32,
    length: int = 256,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    chat_template: str | None = CHAT_TEMPLATE,
) -> Path:
    """Saves a random model and its tokenizer, as `save_pretrained` lays them out.

    Args:
        folder: where to; made if need be.
        arch: the architecture; see `build_model`.
        layers: number of decoder blocks.
        width: of the hidden states, a multiple of 8.
        length: most tokens it reads.
        seed: of the weights.
        dtype: of the saved weights.
        chat_template: None for a base model.

    Returns:
        The folder.
    """
    tokenizer = build_tokenizer(bos=arch != "gpt2", chat_template=chat_template)
    model = build_model(arch, vocab_size=len(tokenizer), layers=layers, width=width, length=length, seed=seed)
    model.to(dtype).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
