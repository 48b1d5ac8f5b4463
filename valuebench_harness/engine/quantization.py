"""Models with fewer bits a weight: made so while loading (bitsandbytes), or stored so (AWQ, GPTQ)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import PreTrainedConfig

from valuebench_harness.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from transformers import BitsAndBytesConfig

ON_LOADING = {"8bit": 8.0, "4bit": 4.5}
"""Bits a weight of bitsandbytes' LLM.int8 and NF4; NF4 keeps one float32 for every 64 weights."""

STORED = {"awq": 4.3, "gptq": 4.3}
"""Bits a weight where the checkpoint is quantised: 4, with a scale and a zero for each group of 128."""

QUANTIZATIONS = (*ON_LOADING, *STORED)


def bits_per_weight(name: str) -> float:
    """Bits that a weight of a linear map takes; 16 for methods that are not listed here."""
    return {**ON_LOADING, **STORED}.get(name, 16.0)


def stored_quantization(config: PreTrainedConfig) -> str | None:
    """The method a checkpoint's configuration says its weights are stored in, such as ``awq``."""
    settings = getattr(config, "quantization_config", None)
    if settings is None:
        return None
    method = settings.get("quant_method") if isinstance(settings, dict) else settings.quant_method
    return str(getattr(method, "value", method))


def prepare_quantization(
    name: str, config: PreTrainedConfig, asked: str | None, dtype: torch.dtype
) -> tuple[str | None, dict[str, Any]]:
    """What to load with.

    Args:
        name: of the model, for errors.
        config: of the checkpoint.
        asked: by the user; None takes the checkpoint as it is.
        dtype: of computations.

    Returns:
        The method's name, None for none, and arguments for ``from_pretrained``.

    Raises:
        UsageError: an unknown name, a checkpoint that is not stored so, or a library that is missing.
    """
    stored = stored_quantization(config)
    if asked is None and stored is None:
        return None, {}
    if asked is not None and asked not in QUANTIZATIONS:
        raise unknown_name("quantization", asked, QUANTIZATIONS)
    if asked in STORED and stored != asked:
        raise UsageError(
            f"{name} is not stored in {asked} (but {stored or 'unquantised'}): name a checkpoint that is, "
            "or quantise while loading, with --quantization 8bit or 4bit."
        )
    if asked in ON_LOADING and stored is not None:
        raise UsageError(f"{name} is stored in {stored} already: leave --quantization {asked} out.")
    from transformers.quantizers.auto import AutoHfQuantizer  # slow to import, and seldom needed

    settings = _bitsandbytes(asked, dtype) if asked in ON_LOADING else config.quantization_config
    method = asked or str(stored)
    try:
        quantizer = AutoHfQuantizer.from_config(settings, pre_quantized=stored is not None)
        quantizer.validate_environment(device_map=None)
    except (ImportError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise UsageError(f"{name} cannot be loaded in {method}: {reason}") from None
    return method, {"quantization_config": settings} if asked in ON_LOADING else {}


def _bitsandbytes(name: str | None, dtype: torch.dtype) -> BitsAndBytesConfig:
    from transformers import BitsAndBytesConfig

    arguments: dict[str, Any] = (
        {"load_in_8bit": True}
        if name == "8bit"
        else {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": dtype}
    )
    return BitsAndBytesConfig(**arguments)  # type: ignore[no-untyped-call]
