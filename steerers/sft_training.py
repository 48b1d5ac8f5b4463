"""Trains one LoRA adapter on prompts and answers, and leaves the model as it was."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from valuebench_harness.engine.plan import Message
from valuebench_harness.errors import UsageError

if TYPE_CHECKING:
    from valuebench_harness.engine.model import SteeredModel
    from valuebench_harness.steerers.sft import Settings

_ATTENTION_INPUTS = (
    "q_proj", "k_proj", "v_proj", "qkv_proj", "query_key_value", "Wqkv", "c_attn", "W_pack",
)  # fmt: skip
"""What architectures call the maps that ConVA names q_proj, k_proj and v_proj."""

IGNORED = -100
"""Label of tokens that the loss leaves out."""


@dataclass(frozen=True)
class Example:
    """Token ids of a prompt and of the answer that is learned, its closing tokens included."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]


def tokenize(model: SteeredModel, prompt: str, answer: str) -> Example:
    """A prompt as the harness will ask it, and the answer as the model would end it.

    With a chat template the closing tokens are those the template puts after an assistant's turn;
    without one, the end-of-text token.
    """
    asked = model.render([Message("user", prompt)])
    if not model.has_chat_template:
        ids = tuple(model.token_ids(f" {answer}", special=False))
        return Example(tuple(model.token_ids(asked, special=True)), (*ids, *model.codec.eos_ids[:1]))
    whole = model.render([Message("user", prompt), Message("assistant", answer)], add_generation_prompt=False)
    if whole.startswith(asked):
        ids = tuple(model.token_ids(whole[len(asked) :], special=False))
    else:  # a template that opens the assistant's turn in other words than it writes it
        ids = (*model.token_ids(answer, special=False), *model.codec.eos_ids[:1])
    return Example(tuple(model.token_ids(asked, special=False)), ids)


def target_modules(model: SteeredModel, names: Sequence[str], layers: Sequence[int]) -> list[str]:
    """Dotted paths of the linear maps to adapt.

    Args:
        model: to look in.
        names: last parts of their paths; empty for what reads the state into the attention.
        layers: blocks to look in.

    Raises:
        UsageError: a block has none of them.
    """
    wanted = tuple(names) or _ATTENTION_INPUTS
    found = []
    for layer in layers:
        block = model.layout.blocks[layer]
        maps = {name: module for name, module in block.named_modules() if _is_linear(module)}
        chosen = [name for name in maps if name.rsplit(".", 1)[-1] in wanted]
        if not chosen:
            known = ", ".join(sorted({name.rsplit(".", 1)[-1] for name in maps}))
            raise UsageError(
                f"Block {layer} of {model.name} has no linear map named {', '.join(wanted)}; it has {known} "
                "(--set modules=...)."
            )
        found += [f"{model.layout.path}.{layer}.{name}" for name in chosen]
    return found


def _is_linear(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D"


def train(
    model: SteeredModel, examples: Sequence[Example], modules: Sequence[str], settings: Settings, seed: int
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Fine-tunes low-rank updates of some linear maps; the model itself stays as it is.

    AdamW with a linear decay, cross-entropy on the answers' tokens. The same seed gives the same
    updates on the same machine.

    Args:
        model: whose answers are trained.
        examples: at least one.
        modules: see `target_modules`.
        settings: of the method.
        seed: of the initial matrices, dropout and the order of the examples.

    Returns:
        Module to A ``[rank, n_inputs]`` and alpha / rank times B ``[n_outputs, rank]``.

    Raises:
        UsageError: the loss is not finite, no answer fits the model, or memory runs out.
    """
    # peft imports bitsandbytes where it is installed, which warns on some CPUs of a kernel that is not used here.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    from peft.tuners.lora import LoraLayer

    kept = [example for example in examples if len(example.prompt) + len(example.answer) <= model.max_length]
    if len(kept) < len(examples):
        model.note(f"{len(examples) - len(kept)} of {len(examples)} training answers are too long and were left out.")
    if not kept:
        raise UsageError(f"No training answer fits into the {model.max_length} tokens that {model.name} reads.")
    devices = [model.device] if model.device.type == "cuda" else []
    with _unchanged(model.model), torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        wrapped = _wrap(model, modules, settings)
        try:
            with _checkpointing(model.model, on=settings.gradient_checkpointing):
                _optimise(wrapped, model, kept, settings, seed)
            return {
                name: (_array(layer.lora_A), _array(layer.lora_B) * np.float32(settings.alpha / settings.rank))
                for name, layer in wrapped.base_model.model.named_modules()
                if isinstance(layer, LoraLayer)
            }
        except torch.OutOfMemoryError:
            raise UsageError(
                f"Out of memory while fine-tuning {model.name}. Use --set micro_batch=1, "
                "--set gradient_checkpointing=true, or a --dtype of fewer bits."
            ) from None
        finally:
            wrapped.unload()


def _wrap(model: SteeredModel, modules: Sequence[str], settings: Settings) -> Any:
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=list(modules),
        fan_in_fan_out=type(model.model.get_submodule(modules[0])).__name__ == "Conv1D",
    )
    with _silent():  # peft asks transformers by names that change in its next major version
        return get_peft_model(model.model, config)


@contextmanager
def _checkpointing(model: Any, *, on: bool) -> Iterator[None]:
    """Computes activations anew in the backward pass; the kind that needs no gradients at its inputs."""
    if not on:
        yield
        return
    with _silent():
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    model.disable_input_require_grads()  # else its hook stays behind; only the reentrant kind needs it
    try:
        yield
    finally:
        with _silent():
            model.gradient_checkpointing_disable()


@contextmanager
def _silent() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


@contextmanager
def _unchanged(model: nn.Module) -> Iterator[None]:
    """Gives back the modes, the gradients' switches and the configuration's marks that training changes."""
    needs_grad = {name: p.requires_grad for name, p in model.named_parameters()}
    training = {name: module.training for name, module in model.named_modules()}
    try:
        yield
    finally:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(needs_grad[name])
            parameter.grad = None
        for name, module in model.named_modules():
            module.training = training[name]
        if hasattr(model, "peft_config"):
            del model.peft_config


def _optimise(wrapped: Any, model: SteeredModel, examples: Sequence[Example], settings: Settings, seed: int) -> None:
    wrapped.train()
    parameters = [p for p in wrapped.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=settings.rate(model.width), weight_decay=0.0)
    steps_an_epoch = math.ceil(len(examples) / settings.batch_size)
    total = steps_an_epoch * settings.epochs
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / total)
    rng = np.random.default_rng(seed)
    micro = settings.micro_batch or settings.batch_size
    for _ in range(settings.epochs):
        order = rng.permutation(len(examples))
        for start in range(0, len(order), settings.batch_size):
            batch = [examples[i] for i in order[start : start + settings.batch_size]]
            n_tokens = sum(len(example.answer) for example in batch)
            for at in range(0, len(batch), micro):
                loss = _loss(wrapped, model, batch[at : at + micro]) / n_tokens
                if not bool(torch.isfinite(loss)):
                    raise UsageError(f"Training left the finite numbers; lower the learning rate ({model.name}).")
                torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()


def _loss(wrapped: Any, model: SteeredModel, batch: Sequence[Example]) -> Tensor:
    """Cross-entropy summed over the answers' tokens."""
    width = max(len(example.prompt) + len(example.answer) for example in batch)
    ids = torch.full((len(batch), width), model.codec.pad_id)
    labels = torch.full((len(batch), width), IGNORED)
    mask = torch.zeros((len(batch), width), dtype=torch.long)
    for row, example in enumerate(batch):
        end = len(example.prompt) + len(example.answer)
        ids[row, :end] = torch.tensor(example.prompt + example.answer)
        labels[row, len(example.prompt) : end] = torch.tensor(example.answer)
        mask[row, :end] = 1
    ids, labels, mask = (t.to(model.device) for t in (ids, labels, mask))
    logits: Tensor = wrapped(input_ids=ids, attention_mask=mask, use_cache=False).logits
    flat = logits[:, :-1].float().reshape(-1, logits.shape[-1])
    targets = labels[:, 1:].reshape(-1).to(flat.device)
    return nn.functional.cross_entropy(flat, targets, ignore_index=IGNORED, reduction="sum")


def _array(matrices: nn.ModuleDict) -> np.ndarray:
    weight = matrices["default"].weight
    assert isinstance(weight, Tensor)
    return weight.detach().float().cpu().numpy().copy()
