"""The Human Value Detector of Schroter et al. (SemEval 2023) as a small module that runs no code of its checkpoint.

An encoder of the DeBERTa family and one linear map from the state of the first token to 20 labels, each with a
sigmoid of its own: that is the architecture of the authors' training code (``EMBEDDING: CLS``, no hidden layers).
The checkpoint on the hub, ``tum-nlp/Deberta_Human_Value_Detector``, comes with modelling code; it is not run. Tensors
are matched by what stands after the encoder's prefix, whatever that is called.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import (
    AutoTokenizer,
    DebertaConfig,
    DebertaModel,
    DebertaV2Config,
    DebertaV2Model,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from valuebench_harness.engine.fingerprint import weight_files
from valuebench_harness.errors import UsageError

LABELS = (
    "Self-direction: thought",
    "Self-direction: action",
    "Stimulation",
    "Hedonism",
    "Achievement",
    "Power: dominance",
    "Power: resources",
    "Face",
    "Security: personal",
    "Security: societal",
    "Tradition",
    "Conformity: rules",
    "Conformity: interpersonal",
    "Humility",
    "Benevolence: caring",
    "Benevolence: dependability",
    "Universalism: concern",
    "Universalism: nature",
    "Universalism: tolerance",
    "Universalism: objectivity",
)
"""What the outputs stand for, in the order that the model card gives."""

LENGTH = 512
"""Tokens that are read; longer texts are cut, as in ConVA's code."""

_WORDS = "embeddings.word_embeddings.weight"
_HEAD_WIDTH = 64  # of DeBERTa's attention in all published sizes
_LAYER = "encoder.layer."

# Of microsoft/deberta-large, for a checkpoint whose configuration names a class of its own.
_DEBERTA: dict[str, Any] = {
    "relative_attention": True,
    "max_relative_positions": -1,
    "position_biased_input": False,
    "pos_att_type": ["c2p", "p2c"],
    "type_vocab_size": 0,
    "layer_norm_eps": 1e-7,
}


@dataclass
class ValueDetector:
    """The detector, ready to score texts.

    Attributes:
        encoder: of the DeBERTa family.
        head: from the first token's state to the labels' logits.
        tokenizer: of the encoder.
    """

    encoder: PreTrainedModel
    head: nn.Linear
    tokenizer: PreTrainedTokenizerBase

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> ValueDetector:
        """Reads a checkpoint.

        Raises:
            UsageError: no such detector there, or one that cannot be read.
        """
        tensors = _tensors(folder)
        prefix = _prefix(tensors, folder)
        inner = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
        config = _config(folder, inner)
        encoder = DebertaV2Model(config) if isinstance(config, DebertaV2Config) else DebertaModel(config)
        try:
            found = encoder.load_state_dict({**inner, **_buffers(encoder)}, strict=False)
        except RuntimeError as error:
            raise UsageError(f"The value detector in {folder} does not fit its configuration: {error}") from None
        if found.missing_keys:
            raise UsageError(
                f"The value detector in {folder} lacks {len(found.missing_keys)} tensors of its encoder, such as "
                f"{prefix}{found.missing_keys[0]}. Download it again."
            )
        head = _head({n: t for n, t in tensors.items() if not n.startswith(prefix) or not prefix}, config.hidden_size)
        for module in (encoder, head):
            module.float().to(device).train(False).requires_grad_(False)
        return cls(encoder, head, _tokenizer(folder, config))

    @torch.no_grad()
    def scores(self, texts: Sequence[str], batch_size: int = 16) -> np.ndarray:
        """How likely each label is for each text.

        Returns:
            ``[n_texts, 20]``, each in [0, 1]. A text's row does not depend on the others.
        """
        device = self.head.weight.device
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        out = np.zeros((len(texts), len(LABELS)), dtype=np.float32)
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            batch = self.tokenizer(
                [texts[i] for i in rows], truncation=True, max_length=LENGTH, padding=True, return_tensors="pt"
            )
            states: Tensor = self.encoder(
                input_ids=batch["input_ids"].to(device), attention_mask=batch["attention_mask"].to(device)
            ).last_hidden_state
            out[rows] = torch.sigmoid(self.head(states[:, 0])).cpu().numpy()
        return out


def _tensors(folder: Path) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for path in weight_files(folder):
        try:
            part: Any = (
                load_file(path)
                if path.suffix == ".safetensors"
                else torch.load(path, map_location="cpu", weights_only=True)
            )
        except (EOFError, OSError, RuntimeError, SafetensorError, UnpicklingError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise UsageError(f"The value detector's weights in {path} cannot be read: {reason}") from None
        tensors.update(part)
    if not tensors:
        raise UsageError(f"{folder} has no weights of a value detector (model.safetensors or pytorch_model.bin).")
    return tensors


def _prefix(tensors: Mapping[str, Tensor], folder: Path) -> str:
    found = [name.removesuffix(_WORDS) for name in tensors if name.endswith(_WORDS)]
    if len(found) != 1:
        raise UsageError(f"{folder} holds no value detector: its weights have {len(found)} tensors named ...{_WORDS}.")
    return found[0]


def _config(folder: Path, tensors: Mapping[str, Tensor]) -> DebertaConfig | DebertaV2Config:
    """As configured where the encoder is named; else the published large model with the sizes of the tensors."""
    try:
        settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"The configuration of the value detector in {folder} cannot be read: {error}") from None
    match settings.get("model_type"):
        case "deberta":
            return DebertaConfig(**settings)
        case "deberta-v2":
            return DebertaV2Config(**settings)
    if f"{_LAYER}0.attention.self.in_proj.weight" not in tensors:
        raise UsageError(
            f"The value detector in {folder} is a '{settings.get('model_type')}' whose encoder is not known here; "
            "a detector has an encoder of the DeBERTa family."
        )
    width = tensors[_WORDS].shape[1]
    return DebertaConfig(
        vocab_size=tensors[_WORDS].shape[0],
        hidden_size=width,
        num_hidden_layers=len({n.split(".")[2] for n in tensors if n.startswith(_LAYER)}),
        num_attention_heads=max(1, width // _HEAD_WIDTH),
        intermediate_size=tensors[f"{_LAYER}0.intermediate.dense.weight"].shape[0],
        **_DEBERTA,
    )


def _buffers(encoder: nn.Module) -> dict[str, Tensor]:
    """Positions and the like, which some versions of transformers save and others make."""
    return dict(encoder.named_buffers())


def _head(tensors: Mapping[str, Tensor], width: int) -> nn.Linear:
    weights = {n: t for n, t in tensors.items() if t.ndim == 2 and t.shape[0] == len(LABELS)}
    name, weight = next(iter(weights.items()), ("", torch.zeros(0, 0)))
    bias = tensors.get(name.removesuffix("weight") + "bias")
    if len(weights) != 1 or weight.shape[1] != width or bias is None:
        raise UsageError(
            f"The value detector has no single linear map from its first token (width {width}) to the "
            f"{len(LABELS)} labels; found {[(n, tuple(t.shape)) for n, t in weights.items()] or 'none'}."
        )
    head = nn.Linear(width, len(LABELS))
    head.load_state_dict({"weight": weight, "bias": bias})
    return head


def _tokenizer(folder: Path, config: PreTrainedConfig) -> PreTrainedTokenizerBase:
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, config=config, trust_remote_code=False)
    except Exception as error:  # backends raise bare Exception on malformed files
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise UsageError(f"The tokenizer of the value detector in {folder} cannot be read: {reason}") from None
    assert isinstance(tokenizer, PreTrainedTokenizerBase)
    return tokenizer
