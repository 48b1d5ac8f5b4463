"""Loading a checkpoint, from a folder or the Hugging Face hub: first whether it fits, then its weights."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from valuebench_harness.engine.codec import Codec
from valuebench_harness.engine.fingerprint import fingerprint, has_safetensors, weight_files
from valuebench_harness.engine.hub import download_description, download_weights, first_line, local_folder
from valuebench_harness.engine.layout import find_layout
from valuebench_harness.engine.memory import check_fit, size_of
from valuebench_harness.engine.model import SteeredModel
from valuebench_harness.engine.quantization import prepare_quantization, stored_quantization
from valuebench_harness.errors import UsageError, unknown_name

DTYPES = {
    "auto": None,
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
_READ_PADDING = {"recurrent_gemma"}
_LONG_LOAD = 2**30  # Bytes.
_LONGEST = 1_000_000  # Tokenizers without a limit claim 1e30.
_FALLBACK_LENGTH = 2048  # lm-eval's, for models that do not say.


def load(
    name_or_path: str,
    *,
    revision: str | None = None,
    dtype: str = "auto",
    device_map: str | dict[str, Any] | None = None,
    device: str | None = None,
    quantization: str | None = None,
    trust_remote_code: bool = False,
    chat_template: str | None = None,
    blocks: str | None = None,
) -> SteeredModel:
    """Loads a causal language model for steering.

    Args:
        name_or_path: a folder, or an id on the hub.
        revision: branch, tag or commit on the hub.
        dtype: ``auto`` is the checkpoint's own, but float32 instead of half precision on
            a CPU (noted in the model's notes); ``float32``, ``bfloat16``, ``float16``.
        device_map: as in transformers, to spread the model over devices.
        device: such as ``cuda:1``; by default an accelerator where there is one. Not with `device_map`.
        quantization: ``8bit`` or ``4bit`` (bitsandbytes, while loading), ``awq`` or ``gptq`` (a checkpoint
            stored so); None takes the checkpoint as it is.
        trust_remote_code: run Python code that comes with the checkpoint.
        chat_template: Jinja text, or a file of it, in place of the tokenizer's.
        blocks: dotted path of the decoder blocks, for architectures not known here.

    Raises:
        DoesNotFitError: the weights need more memory than there is; nothing was downloaded or read.
        UsageError: no such checkpoint, unreachable hub, no or incomplete weights, unknown architecture,
            no tokenizer, a library that is missing, or options that do not fit together.
    """
    if dtype not in DTYPES:
        raise unknown_name("dtype", dtype, DTYPES)
    if device_map is not None and device is not None:
        raise UsageError("Give either a device or a device map, not both.")
    local = local_folder(name_or_path)
    folder = local or download_description(name_or_path, revision, code=trust_remote_code)
    config = _config(folder, name_or_path, trust_remote_code)
    target = _device(device)
    wanted = DTYPES[dtype]
    stored = getattr(config, "dtype", None) or torch.float32
    on_cpu = device_map is None and target.type == "cpu"
    halved = stored in (torch.float16, torch.bfloat16) and stored_quantization(config) is None
    widened = wanted is None and on_cpu and halved
    kept = torch.float32 if widened else wanted or stored
    method, arguments = prepare_quantization(name_or_path, config, quantization, kept)
    tight = None
    if local is None or _bytes_of(local) >= _LONG_LOAD:
        size = size_of(config, trust_remote_code=trust_remote_code)
        tight = check_fit(name_or_path, size, dtype=kept, quantization=method, device=target, device_map=device_map)
    if local is None:
        folder = download_weights(name_or_path, revision, code=trust_remote_code)
    tokenizer = _tokenizer(folder, name_or_path, trust_remote_code)
    if method is not None and device_map is None:
        device_map = {"": target}  # quantised weights are made where they stay
    model = _model(
        folder,
        name_or_path,
        config,
        dtype=kept,
        device_map=device_map,
        trust_remote_code=trust_remote_code,
        arguments=arguments,
    )
    if device_map is None:
        model.to(target)  # type: ignore[arg-type]
    _check_cache(model, name_or_path)
    model.train(False).requires_grad_(False)
    codec = Codec(tokenizer, _eos_ids(model.generation_config))
    # A checkpoint's own sampling defaults and penalties must not leak into rows that ask for greedy.
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        eos_token_id=list(codec.eos_ids) or None, pad_token_id=codec.pad_id
    )
    tokenizer.padding_side = "left"
    if chat_template is not None:
        tokenizer.chat_template = _template(chat_template)
    steered = SteeredModel(
        model,
        tokenizer,
        find_layout(model, blocks),
        codec,
        name=name_or_path,
        commit=None if local is not None else folder.name,
        fingerprint=fingerprint(folder),
        device=_input_device(model, target),
        max_length=_max_length(config, tokenizer),
    )
    if tight is not None:
        steered.note(tight)
    if method is not None:
        steered.dtype += f"+{method}"
    if method == "8bit":
        steered.note("In 8bit the rows of a batch share their outlier columns: answers may depend on the batch.")
    if widened:
        steered.note(f"The checkpoint's {str(stored).removeprefix('torch.')} weights run in float32 on the CPU.")
    if not steered.has_chat_template:
        steered.note("The tokenizer has no chat template: messages are joined with blank lines.")
    return steered


def load_codec(folder: str | Path, *, trust_remote_code: bool = False) -> Codec:
    """Loads the tokenizer of a checkpoint's folder, without its weights.

    Args:
        folder: of the checkpoint.
        trust_remote_code: run Python code that comes with the checkpoint.

    Raises:
        UsageError: no tokenizer there, or none that can be read.
    """
    return Codec(_tokenizer(Path(folder).expanduser(), str(folder), trust_remote_code))


def _config(folder: Path, name: str, trust_remote_code: bool) -> PreTrainedConfig:
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code)
    except (ValueError, KeyError, OSError) as error:
        raise UsageError(f"The configuration of {name} cannot be read: {first_line(error)}") from None
    assert isinstance(config, PreTrainedConfig)
    if config.is_encoder_decoder:
        raise UsageError(f"{name} is an encoder-decoder ({config.model_type}); only decoders can be steered here.")
    return config


def _tokenizer(folder: Path, name: str, trust_remote_code: bool) -> PreTrainedTokenizerBase:
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
    except Exception as error:  # Backends raise bare Exception on malformed files.
        if not any(folder.glob("*token*")) and not any(folder.glob("vocab*")):
            raise UsageError(f"{name} has no tokenizer: copy its tokenizer.json beside the weights.") from None
        raise UsageError(f"The tokenizer of {name} cannot be read: {first_line(error)}") from None
    assert isinstance(tokenizer, PreTrainedTokenizerBase)
    return tokenizer


def _model(
    folder: Path,
    name: str,
    config: PreTrainedConfig,
    *,
    dtype: torch.dtype,
    device_map: str | dict[str, Any] | None,
    trust_remote_code: bool,
    arguments: dict[str, Any],
) -> PreTrainedModel:
    from_pretrained: Any = AutoModelForCausalLM.from_pretrained
    try:
        with _bar_only_for_long_loads(folder):
            model, info = from_pretrained(
                folder,
                config=config,
                dtype=dtype,
                device_map=device_map,
                trust_remote_code=trust_remote_code,
                use_safetensors=has_safetensors(folder),
                weights_only=True,
                output_loading_info=True,
                **arguments,
            )
    except torch.OutOfMemoryError:
        raise UsageError(
            f"{name} does not fit in memory. Use --dtype bfloat16, --quantization 4bit or --device-map auto."
        ) from None
    except UnpicklingError:
        raise UsageError(
            f"The weights of {name} hold more than tensors, which could run code; they are not read. "
            "Convert them to safetensors where you trust them."
        ) from None
    except (ValueError, KeyError, OSError, RuntimeError, ImportError, SafetensorError) as error:
        raise UsageError(f"{name} cannot be loaded as a causal language model: {first_line(error)}") from None
    if info["missing_keys"]:
        missing = sorted(info["missing_keys"])
        raise UsageError(f"The weights of {name} are incomplete: {len(missing)} tensors missing, such as {missing[0]}.")
    assert isinstance(model, PreTrainedModel)
    return model


def _check_cache(model: PreTrainedModel, name: str) -> None:
    """Positions are told from the key-value cache, and rows of one batch must not see each other's padding."""
    if "past_key_values" not in inspect.signature(model.forward).parameters or model.config.model_type in _READ_PADDING:
        raise UsageError(
            f"{name} ({type(model).__name__}) is recurrent and cannot be steered row by row: it has no key-value "
            "cache, or its layers read padding. Take a model with attention layers; most hybrids work."
        )


@contextmanager
def _bar_only_for_long_loads(folder: Path) -> Iterator[None]:
    """Shows the progress bar of transformers for large checkpoints on a terminal only."""
    if not logging.is_progress_bar_enabled() or (_bytes_of(folder) >= _LONG_LOAD and sys.stderr.isatty()):
        yield
        return
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _bytes_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in weight_files(folder) if path.is_file())


def _device(device: str | None) -> torch.device:
    if device is None:
        accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        return accelerator or torch.device("cpu")
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"Device '{device}' is not available: {first_line(error)}") from None
    return chosen


def _input_device(model: PreTrainedModel, fallback: torch.device) -> torch.device:
    """Where token ids go; offloaded embeddings are on no device, their hook knows where they run."""
    embeddings = model.get_input_embeddings()
    device: torch.device = next(embeddings.parameters()).device
    if device.type != "meta":
        return device
    execution = getattr(getattr(embeddings, "_hf_hook", None), "execution_device", None)
    return torch.device(execution) if execution is not None else fallback


def _eos_ids(config: GenerationConfig | None) -> list[int]:
    ids = config.eos_token_id if config is not None else None
    if ids is None:
        return []
    return [int(i) for i in ids] if isinstance(ids, list) else [int(ids)]


def _max_length(config: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase) -> int:
    text = config.get_text_config()
    for name in ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len"):
        length = getattr(text, name, None)
        if isinstance(length, int) and length > 0:
            return length
    return int(tokenizer.model_max_length) if tokenizer.model_max_length < _LONGEST else _FALLBACK_LENGTH


def _template(text_or_file: str) -> str:
    if "{" in text_or_file:
        return text_or_file
    try:
        return Path(text_or_file).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"The chat template {text_or_file} cannot be read: {error.strerror}.") from None
