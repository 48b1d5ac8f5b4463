"""What ``mini`` is made of: its tokenizer, its Llama configuration and the planted directions."""

from __future__ import annotations

import random
from collections.abc import Iterator

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from valuebench_harness.data.grammar.acts import VALUES
from valuebench_harness.mini.document_kinds import KINDS
from valuebench_harness.mini.documents import ASSISTANT, BOS, END, SYSTEM, USER
from valuebench_harness.mini.exam_turns import Curriculum

N_BLOCKS = 5
WIDTH = 128
VOCABULARY = 2048
MAX_LENGTH = 1024

PLANTED_SCALE = 5.0
"""Length of a planted direction that shifts e by one: about half of a hidden state's norm after
the middle block."""

PAD = "<|pad|>"
_DIRECTION_SEED = 11
_TOKENIZER_SEED = 3
_TOKENIZER_DOCUMENTS = 12_000

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] not in ['system', 'user', 'assistant'] %}"
    "{{ raise_exception('mini knows the roles system, user and assistant') }}{% endif %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] | trim + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def planted_directions() -> torch.Tensor:
    """Unit vectors [10, WIDTH], orthogonal to each other, in the order of ``VALUES``."""
    generator = torch.Generator().manual_seed(_DIRECTION_SEED)
    q, _ = torch.linalg.qr(torch.randn(WIDTH, WIDTH, generator=generator))
    directions: torch.Tensor = q[:, : len(VALUES)].T.contiguous()
    return directions


def config() -> LlamaConfig:
    """Five Llama blocks with tied embeddings, about 1.3 million parameters."""
    return LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        intermediate_size=3 * WIDTH,
        num_hidden_layers=N_BLOCKS,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=MAX_LENGTH,
        rms_norm_eps=1e-6,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=5,
    )


def new_model(seed: int) -> LlamaForCausalLM:
    """A model with random parameters; the writers into the residual stream start small."""
    torch.manual_seed(seed)
    model: LlamaForCausalLM = LlamaForCausalLM._from_config(  # type: ignore[no-untyped-call]
        config(), attn_implementation="eager"
    )
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() < 2:
                continue
            embedding = "embed" in name
            torch.nn.init.normal_(parameter, std=0.02 if embedding else parameter.shape[1] ** -0.5)
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                parameter.mul_(0.3)
    return model


def _texts() -> Iterator[str]:
    rng = random.Random(_TOKENIZER_SEED)
    kinds = list(KINDS.values())
    for _ in range(_TOKENIZER_DOCUMENTS):
        document = rng.choice(kinds)(rng, N_BLOCKS, Curriculum())
        for segment in document.segments:
            if not segment.text.startswith("<|"):
                yield segment.text


def train_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer, trained on documents of the grammar."""
    special = [PAD, BOS, SYSTEM, USER, ASSISTANT, END]
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(_texts(), trainer)
    core.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, special.index(BOS))]
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=END,
        additional_special_tokens=[SYSTEM, USER, ASSISTANT],
        chat_template=CHAT_TEMPLATE,
        model_max_length=MAX_LENGTH,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
