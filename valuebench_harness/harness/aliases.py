"""Short names of models: those of the two papers, and a user's own.

A user's own stand in a YAML file: the one that ``VHARNESS_MODELS`` names, else ``models.yaml`` in the
platform's configuration folder of this package. Each entry has the keys of :class:`ModelAlias` and may
replace one of the shipped names.
"""

from __future__ import annotations

import os
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from valuebench_harness.data.reading import read_plain_yaml
from valuebench_harness.errors import UsageError, unknown_name

MODELS_VARIABLE = "VHARNESS_MODELS"

BITS = {"float32": 32.0, "bfloat16": 16.0, "float16": 16.0, "8bit": 8.0, "4bit": 4.5, "awq": 4.6, "gptq": 4.6}
"""Bits a weight, the unquantised embeddings of a large model counted in."""


class ModelAlias(BaseModel):
    """What a short name stands for.

    Attributes:
        id: on the Hugging Face Hub, or a folder.
        about: where it is used, for lists.
        revision: branch, tag or commit; None for the hub's main branch.
        dtype: as ``--dtype``; ``auto`` is the checkpoint's own.
        stored: dtype or quantisation of the published weights, for the estimate of memory.
        quantization: as ``--quantization``; None takes the checkpoint as it is.
        parameters: number of weights, None where it is not known.
        chat_template: Jinja text, or a file of it, in place of the tokenizer's.
        blocks: as ``--blocks``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1)
    about: str = ""
    revision: str | None = None
    dtype: str = "auto"
    stored: str = "bfloat16"
    quantization: str | None = None
    parameters: int | None = Field(None, gt=0)
    chat_template: str | None = None
    blocks: str | None = None

    @cached_property
    def weights(self) -> str:
        """The format that the weights have in memory, such as ``bfloat16`` or ``awq``."""
        return self.quantization or (self.stored if self.dtype == "auto" else self.dtype)

    @cached_property
    def bytes(self) -> int | None:
        """Estimate of the weights' bytes in memory, on an accelerator."""
        return None if self.parameters is None else round(self.parameters * BITS.get(self.weights, 16.0) / 8)


VICUNA_TEMPLATE = (
    "{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] %}{% set turns = messages[1:] %}"
    '{% else %}{% set system = "A chat between a curious user and an artificial intelligence assistant. '
    "The assistant gives helpful, detailed, and polite answers to the user's questions.\" %}"
    "{% set turns = messages %}{% endif %}"
    "{{ bos_token + system }}"
    "{% for turn in turns %}"
    "{% if turn['role'] == 'user' %}{{ ' USER: ' + turn['content'] }}"
    "{% elif turn['role'] == 'assistant' %}{{ ' ASSISTANT: ' + turn['content'] + eos_token }}"
    "{% else %}{{ raise_exception('a system message can only come first') }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ ' ASSISTANT:' }}{% endif %}"
)
"""The conversation format of Vicuna 1.1 and later (FastChat), whose tokenizer has no template."""


def _qwen(size: str, parameters: int, about: str) -> ModelAlias:
    return ModelAlias(id=f"Qwen/Qwen2.5-{size}-Instruct", parameters=parameters, about=about)


_GEMMA = ModelAlias(id="google/gemma-2b-it", parameters=2_506_172_416, about="Kang")

SHIPPED: dict[str, ModelAlias] = {
    "llama2": ModelAlias(
        id="meta-llama/Llama-2-7b-chat-hf", stored="float16", parameters=6_738_415_616, about="ConVA, main results"
    ),
    "llama3": ModelAlias(
        id="meta-llama/Meta-Llama-3-8B-Instruct", parameters=8_030_261_248, about="ConVA, Appendix L; Kang"
    ),
    "vicuna": ModelAlias(
        id="lmsys/vicuna-13b-v1.5",
        stored="float16",
        parameters=13_015_864_320,
        chat_template=VICUNA_TEMPLATE,
        about="ConVA, Appendix L",
    ),
    "mistral": ModelAlias(id="mistralai/Mistral-7B-Instruct-v0.2", parameters=7_241_732_096, about="ConVA, Appendix L"),
    "qwen2.5-0.5b": _qwen("0.5B", 494_032_768, "small, for trying things out"),
    "qwen2.5-1.5b": _qwen("1.5B", 1_543_714_304, "small, for trying things out"),
    "qwen2.5-3b": _qwen("3B", 3_085_938_688, "ConVA, Appendix L"),
    "qwen2.5-7b": _qwen("7B", 7_615_616_512, "ConVA, Appendix L"),
    "qwen2.5-14b": _qwen("14B", 14_770_033_664, "ConVA, Appendix L"),
    "qwen2.5-32b": _qwen("32B", 32_763_876_352, "ConVA, Appendix L"),
    "qwen2.5-72b": ModelAlias(
        id="Qwen/Qwen2.5-72B-Instruct-AWQ", stored="awq", parameters=72_706_203_648, about="ConVA, Appendix L"
    ),
    "gemma": _GEMMA,
    "gemma-2b-it": _GEMMA,
}
"""Names of the models in the two papers. Neither paper names commits, so none is pinned here."""


def aliases_file() -> Path:
    """Where a user's own short names are read from; the file need not exist."""
    if chosen := os.environ.get(MODELS_VARIABLE):
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_config_dir("valuebench-harness", appauthor=False)) / "models.yaml"


def aliases() -> dict[str, ModelAlias]:
    """All short names, the user's own over the shipped ones.

    Raises:
        UsageError: the user's file is named but missing, or malformed.
    """
    return {**SHIPPED, **_own(aliases_file())}


def find_alias(name: str) -> ModelAlias | None:
    """What a name stands for, None where it is no short name; upper and lower case are the same.

    Raises:
        UsageError: as for :func:`aliases`.
    """
    return aliases().get(name.lower())


def nearest(name: str) -> str | None:
    """The short name that a user may have meant."""
    return next(iter(get_close_matches(name.lower(), list(aliases()), n=1, cutoff=0.75)), None)


def smaller(room: int, dtype: str) -> list[str]:
    """Short names of models whose weights fit, the largest first, as users read them.

    Args:
        room: bytes that are free.
        dtype: of the weights; quantised models keep theirs.
    """
    fitting = {}
    for name, alias in aliases().items():
        weights = dtype if BITS.get(alias.weights, 16.0) >= 16 else alias.weights
        size = (alias.parameters or 0) * BITS.get(weights, 16.0) / 8
        if 0 < size <= room:
            fitting[alias.id] = (name, size)
    ordered = sorted(fitting.values(), key=lambda item: -item[1])
    return [f"{name} ({size / 1e9:.1f} GB)" for name, size in ordered]


def _own(path: Path) -> dict[str, ModelAlias]:
    if not path.is_file():
        if os.environ.get(MODELS_VARIABLE):
            raise UsageError(f"{MODELS_VARIABLE} is set to {path}, which is no file.")
        return {}
    try:
        entries = read_plain_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{path} cannot be read as YAML: {' '.join(str(error).split())}") from None
    if not isinstance(entries, dict) or not all(isinstance(e, dict) for e in entries.values()):
        raise UsageError(f"{path} must hold names, each with its keys, such as 'mine: {{id: someone/model}}'.")
    return {str(name).lower(): _entry(path, str(name), entry) for name, entry in entries.items()}


def _entry(path: Path, name: str, entry: dict[str, object]) -> ModelAlias:
    for key in entry:
        if key not in ModelAlias.model_fields:
            raise UsageError(f"{path}: {unknown_name(f'key of {name}', str(key), ModelAlias.model_fields)}")
    if name.lower() == "mini":
        raise UsageError(f"{path}: 'mini' is the built-in model; give yours another name.")
    try:
        return ModelAlias.model_validate(entry)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UsageError(f"{path}: '{where}' of {name}: {first['msg']}.") from None
