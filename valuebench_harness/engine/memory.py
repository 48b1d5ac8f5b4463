"""Whether a model fits in memory, known from its configuration before anything is downloaded or loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel
from transformers.pytorch_utils import Conv1D

from valuebench_harness.engine.quantization import bits_per_weight
from valuebench_harness.errors import UsageError

GIGABYTE = 10**9
SLACK = 1.1
"""States, caches and buffers beside the weights, in a short run: a tenth of the weights."""

_CGROUP = Path("/sys/fs/cgroup")


class DoesNotFitError(UsageError):
    """A model needs more memory than there is.

    Attributes:
        room: bytes that are free where it was to go.
        dtype: it was to have, such as ``float32``.
    """

    def __init__(self, message: str, room: int, dtype: str) -> None:
        super().__init__(message)
        self.room = room
        self.dtype = dtype


@dataclass(frozen=True)
class Size:
    """How many weights a model has.

    Attributes:
        linear: in linear maps other than the output head, which quantisation shrinks.
        other: embeddings, head, norms, experts that are stored in one tensor.
    """

    linear: int
    other: int

    @property
    def parameters(self) -> int:
        """All of them, shared ones counted once."""
        return self.linear + self.other

    def bytes(self, dtype: torch.dtype, quantization: str | None = None) -> int:
        """Bytes in memory.

        Args:
            dtype: of what is not quantised.
            quantization: a name of :mod:`~valuebench_harness.engine.quantization`.
        """
        width = 8 * dtype.itemsize
        bits = width if quantization is None else bits_per_weight(quantization)
        return round((self.linear * bits + self.other * width) / 8)


def size_of(config: PreTrainedConfig, *, trust_remote_code: bool = False) -> Size:
    """Counts the weights of a model that is built without memory.

    Raises:
        UsageError: the configuration makes no causal language model.
    """
    try:
        with torch.device("meta"):
            from_config: Any = AutoModelForCausalLM.from_config
            model: PreTrainedModel = from_config(config, trust_remote_code=trust_remote_code)
    except Exception as error:  # a configuration may hold anything
        raise UsageError(
            f"No causal language model can be made of this {config.model_type} configuration: {error}"
        ) from None
    head = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    linear = {
        id(m.weight): m.weight.numel() for m in model.modules() if isinstance(m, nn.Linear | Conv1D) and m is not head
    }
    total = sum({id(p): p.numel() for p in model.parameters()}.values())
    return Size(linear=sum(linear.values()), other=total - sum(linear.values()))


def free_memory(device: torch.device, device_map: str | dict[str, Any] | None) -> int | None:
    """Free bytes where a model would go: on the device, or with a device map on all accelerators and the CPU.

    Returns:
        None where it is not known, as for a map spelled out module by module.
    """
    if isinstance(device_map, dict):
        return None
    cpu = _free_on_cpu()
    if device_map is not None and device_map != "cpu":
        return cpu + sum(_free_on(torch.device("cuda", i)) for i in range(torch.cuda.device_count()))
    return cpu if device.type == "cpu" else _free_on(device) or None


def check_fit(
    name: str,
    size: Size,
    *,
    dtype: torch.dtype,
    quantization: str | None,
    device: torch.device,
    device_map: str | dict[str, Any] | None,
) -> str | None:
    """Compares what a model needs with what is free.

    Returns:
        A note where it fits tightly (weights fit, but hardly anything beside them), else None.

    Raises:
        DoesNotFitError: the weights alone need more than there is; the message names what would fit.
    """
    room = free_memory(device, device_map)
    if room is None:
        return None
    need = size.bytes(dtype, quantization)
    where = "this machine" if device_map is not None else str(device)
    facts = (
        f"{name} has {size.parameters / 1e9:.2f}B weights and needs {gigabytes(need)} in "
        f"{quantization or str(dtype).removeprefix('torch.')}; {where} has {gigabytes(room)} free."
    )
    if need <= room:
        return f"{facts} Long prompts or large batches may not fit." if need * SLACK > room else None
    ways = []
    if quantization is None:
        if dtype == torch.float32 and (half := size.bytes(torch.bfloat16)) <= room:
            ways.append(f"--dtype bfloat16 ({gigabytes(half)})")
        for way in ("8bit", "4bit"):
            if (small := size.bytes(torch.bfloat16, way)) <= room:
                ways.append(f"--quantization {way} ({gigabytes(small)})")
    if device_map is None and device.type != "cpu":
        everywhere = free_memory(device, "auto")
        if everywhere is not None and need <= everywhere:
            ways.append(f"--device-map auto ({gigabytes(everywhere)} with the CPU, slower)")
    advice = f"What would fit: {', '.join(ways)}." if ways else "Take a smaller model, or a machine with more memory."
    raise DoesNotFitError(f"{facts} {advice}", room, str(dtype).removeprefix("torch."))


def gigabytes(count: int) -> str:
    """Bytes as people read them, such as ``13.5 GB``."""
    return f"{count / GIGABYTE:.1f} GB"


def _free_on(device: torch.device) -> int:
    return int(torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else 0


def _free_on_cpu() -> int:
    """Available main memory, within the limit of the control group that containers run in."""
    free = int(psutil.virtual_memory().available)
    try:
        limit = int((_CGROUP / "memory.max").read_text())
        used = int((_CGROUP / "memory.current").read_text())
        stats = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return free
    return min(free, limit - used + int(stats.get("inactive_file", 0)))
