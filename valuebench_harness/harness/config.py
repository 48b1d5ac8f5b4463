"""The configuration of a run: the same keys on the command line, in YAML and in Python."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from valuebench_harness.data.reading import read_plain_yaml
from valuebench_harness.errors import UsageError, unknown_name
from valuebench_harness.judges.address import checked_address

MAX_STRENGTHS = 100
"""In one range: each is a whole condition, so more is a slip of the pen."""


def parse_strengths(value: Any) -> Any:
    """Strengths as users write them: ``2``, ``1,2,4`` or a range ``1:3`` or ``1:3:0.5`` (ends included)."""
    if value is None or isinstance(value, tuple):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (float(value),)
    if isinstance(value, list):
        return tuple(dict.fromkeys(value))
    if not isinstance(value, str):
        raise ValueError(f"'{value}' is no strength")
    out: list[float] = []
    for part in value.split(","):
        numbers = [_number(x, value) for x in part.split(":")]
        if len(numbers) == 1:
            out.append(numbers[0])
            continue
        if len(numbers) > 3:
            raise ValueError(f"'{part}' is no range; write start:stop or start:stop:step")
        start, stop, step = numbers if len(numbers) == 3 else (*numbers, 1.0)
        if step <= 0 or stop < start:
            raise ValueError(f"range '{part}' must go up with a step above 0")
        count = int((stop - start) / step + 1e-9) + 1
        if count > MAX_STRENGTHS:
            raise ValueError(f"range '{part}' holds {count} strengths, more than {MAX_STRENGTHS}")
        out += [round(start + i * step, 10) for i in range(count)]
    return tuple(dict.fromkeys(out))


def parse_layers(value: Any) -> Any:
    """Layers as users write them: ``13``, ``10,13`` or a range ``10-20`` (ends included)."""
    if value is None or isinstance(value, tuple):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return (value,)
    if isinstance(value, list):
        return tuple(dict.fromkeys(value))
    out: list[int] = []
    for part in str(value).split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part)
        if not match:
            raise ValueError(f"'{part.strip()}' is no layer; write 13, or 10,13, or 10-20")
        first, last = int(match.group(1)), int(match.group(2) or match.group(1))
        if last < first:
            raise ValueError(f"range '{part.strip()}' must go up")
        out += range(first, last + 1)
    return tuple(dict.fromkeys(out))


def _number(text: str, whole: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"'{text.strip()}' in '{whole}' is not a number")
    return number


def _listed(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(x.strip() for x in value.split(",") if x.strip())
    return tuple(value) if isinstance(value, list) else value


Strengths = Annotated[tuple[float, ...] | None, BeforeValidator(parse_strengths)]
Layers = Annotated[tuple[int, ...] | None, BeforeValidator(parse_layers)]
Names = Annotated[tuple[str, ...] | None, BeforeValidator(_listed)]
Reports = Annotated[tuple[Literal["causal"], ...], BeforeValidator(_listed)]


class RunConfig(BaseModel):
    """What is run. Unset keys take the defaults that fit the model (see ``docs/eval.md``).

    Attributes:
        model: ``mini``, a short name (``vharness ls models``), a folder, or an id on the Hugging Face Hub.
        steerer: a method by name, or ``path/to/file.py:Class``.
        revision: branch, tag or commit of a hub model.
        dtype: ``auto``, ``float32``, ``bfloat16`` or ``float16``.
        device_map: as transformers takes it, such as ``auto``.
        quantization: ``8bit`` or ``4bit``, made while loading; ``awq`` or ``gptq``, as the checkpoint is stored.
        trust_remote_code: run code that comes with the model.
        blocks: path of the decoder blocks, such as ``model.layers``, where the architecture is unknown.
        values: values to steer; ``None`` for all of the value system.
        value_system: ``schwartz``, or a YAML file of one's own.
        direction: towards the value or away from it.
        strength: strengths; ``None`` for the method's shipped one.
        layers: layers to steer; ``None`` for the method's own choice.
        settings: of the steerer.
        gate: ``None`` for the method's own; ``none`` for no gate.
        gate_settings: of the gate.
        context_controlled: fit on context-controlled pairs, or on the straightforward ones.
        pairs: fit on so many pairs of each value, drawn by the seed; a smaller number's are among a larger's.
        tasks: ``None`` for dilemmas, questionnaire and exam of the model's family.
        include_path: folder with lm-eval tasks of one's own.
        judge: ``None`` for the family's.
        judge_settings: of the judge.
        split: half of the dilemmas: ``test`` is reported on, ``select`` is for choosing strengths.
        limit: at most so many items of each task and value.
        seed: of every split, draw and sample.
        n_samples: answers an item; above 1 they are sampled.
        temperature: ``None`` for greedy with one sample and 1 with several.
        max_new_tokens: of an answer.
        system_prompt: put before every conversation.
        batch_size: ``None`` chooses by length.
        max_unscored: share of unscored answers above which a run counts as incomplete.
        tune: choose each value's strength (and layers) on one half of the dilemmas, report on the other.
        tune_target: with ``tune``, the least strength that reaches this share of successes is chosen.
        match_kl: choose each value's strength so that the steered model is so many nats a token from the base.
        model_url: address of the OpenAI-compatible server of a model ``openai:NAME``.
        report: reports beside the usual one: ``causal`` holds the side effects against a graph of values.
        graph: of that report, by name or as a file; ``None`` for the default of the model.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model: str = "mini"
    steerer: str = "base"
    revision: str | None = None
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device_map: str | None = None
    quantization: Literal["8bit", "4bit", "awq", "gptq"] | None = None
    trust_remote_code: bool = False
    blocks: str | None = None
    values: Names = None
    value_system: str = "schwartz"
    direction: Literal["positive", "negative"] = "positive"
    strength: Strengths = None
    layers: Layers = None
    settings: dict[str, JsonValue] = {}
    gate: str | None = None
    gate_settings: dict[str, JsonValue] = {}
    context_controlled: bool = True
    pairs: int | None = Field(None, ge=2)
    tasks: Names = None
    include_path: Path | None = None
    judge: str | None = None
    judge_settings: dict[str, JsonValue] = {}
    split: Literal["test", "select"] = "test"
    limit: int | None = Field(None, ge=1)
    seed: int = Field(0, ge=0)
    n_samples: int = Field(1, ge=1)
    temperature: float | None = Field(None, ge=0)
    max_new_tokens: int = Field(32, ge=1)
    system_prompt: str | None = None
    batch_size: int | None = Field(None, ge=1)
    max_unscored: float = Field(0.01, ge=0, le=1)
    tune: bool = False
    tune_target: float | None = Field(None, gt=0, le=1)
    match_kl: float | None = Field(None, gt=0)
    model_url: str | None = None
    report: Reports = ()
    graph: str | None = None

    @field_validator("model_url")
    @classmethod
    def _is_address(cls, url: str | None) -> str | None:
        return checked_address(url)

    @field_validator("temperature")
    @classmethod
    def _samples_differ(cls, temperature: float | None, info: ValidationInfo) -> float | None:
        samples = info.data.get("n_samples", 1)
        if samples > 1 and temperature == 0:
            raise ValueError(f"{samples} samples an item would be one greedy answer; leave out one of the two")
        return temperature

    @property
    def sampling_temperature(self) -> float:
        """The temperature that is used."""
        return self.temperature if self.temperature is not None else (0.0 if self.n_samples == 1 else 1.0)


HOW_NOT_WHAT = frozenset({"batch_size", "max_unscored", "judge", "judge_settings", "report", "graph"})
"""Keys that do not change which answers a run holds: a run may be resumed with others."""


def make_config(**values: Any) -> RunConfig:
    """A validated configuration.

    Raises:
        UsageError: for an unknown key or a value of the wrong kind, in the words of the key.
    """
    return _validate(values, "")


def load_config(path: Path) -> dict[str, Any]:
    """Reads a YAML configuration; the command line may still override its keys.

    Raises:
        UsageError: where the file is missing, no YAML, or has unknown keys or wrong types.
    """
    if not path.is_file():
        raise UsageError(f"There is no configuration file {path}.")
    try:
        values = read_plain_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise UsageError(f"{path} must hold keys and values, such as 'model: mini'.")
    _validate(values, f"{path}: ")
    return values


def _validate(values: dict[str, Any], where: str) -> RunConfig:
    for key in values:
        if key not in RunConfig.model_fields:
            error = unknown_name("key", str(key), RunConfig.model_fields)
            raise UsageError(f"{where}{error}")
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"][:1]))
        message = first["msg"].removeprefix("Value error, ")
        raise UsageError(f"{where}'{key}': {message} (got {first['input']!r}).") from error
