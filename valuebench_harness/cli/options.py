"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from valuebench_harness.errors import UsageError

Model = Annotated[
    str | None, typer.Option("--model", "-m", help="mini, a folder, a Hugging Face Hub id, or openai:NAME. [mini]")
]
ModelUrl = Annotated[
    str | None, typer.Option("--model-url", help="Address of the server of a model openai:NAME. [OPENAI_BASE_URL]")
]
Steerer = Annotated[
    str | None,
    typer.Option("--steerer", "-s", help="A method by name, path/to/file.py:Class, or A+B, random:A. [base]"),
]
Values = Annotated[
    str | None,
    typer.Option("--values", help="Values to steer one by one (a,b) or together (a:1+b:-0.5). [all]"),
]
ValueSystem = Annotated[
    str | None, typer.Option("--value-system", help="schwartz, or a YAML file of your own. [schwartz]")
]
Direction = Annotated[
    str | None, typer.Option("--direction", help="positive (towards the value) or negative. [positive]")
]
Strength = Annotated[
    str | None, typer.Option("--strength", help="One (2), several (1,2,4) or a range (1:3:0.5). [the method's]")
]
Layers = Annotated[
    str | None, typer.Option("--layers", help="One (13), several (10,13) or a range (10-20). [the method's]")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="A setting of the method, key=value; may be repeated.", metavar="KEY=VALUE"),
]
Gate = Annotated[str | None, typer.Option("--gate", help="probe, or none. [the method's]")]
GateSet = Annotated[
    list[str] | None, typer.Option("--gate-set", help="A setting of the gate, key=value.", metavar="KEY=VALUE")
]
Controlled = Annotated[
    bool | None,
    typer.Option("--context-controlled/--straightforward", help="Which training pairs. [--context-controlled]"),
]
Pairs = Annotated[int | None, typer.Option("--pairs", help="Fit on so many training pairs of each value. [all]")]
Revision = Annotated[str | None, typer.Option("--revision", help="Branch, tag or commit of a hub model.")]
Dtype = Annotated[str | None, typer.Option("--dtype", help="auto, float32, bfloat16 or float16. [auto]")]
DeviceMap = Annotated[str | None, typer.Option("--device-map", help="As in transformers, such as auto.")]
Quantization = Annotated[
    str | None,
    typer.Option("--quantization", help="8bit or 4bit (while loading); awq or gptq (a model stored so). [as stored]"),
]
TrustRemoteCode = Annotated[
    bool | None, typer.Option("--trust-remote-code", help="Run code that comes with the model.", show_default=False)
]
Blocks = Annotated[
    str | None,
    typer.Option("--blocks", help="Path of the decoder blocks of an unknown architecture, such as model.layers."),
]
BatchSize = Annotated[int | None, typer.Option("--batch-size", help="Rows run together. [by length]")]
SystemPrompt = Annotated[str | None, typer.Option("--system-prompt", help="Put before every conversation.")]
MaxNewTokens = Annotated[int | None, typer.Option("--max-new-tokens", help="Length of an answer. [32]")]
Seed = Annotated[int | None, typer.Option("--seed", help="Of every split, draw and sample. [0]")]
Report = Annotated[
    str | None,
    typer.Option("--report", help="causal: what a graph foretells of the side effects, beside what moved."),
]
Graph = Annotated[
    str | None,
    typer.Option(
        "--graph",
        help="Graph of --report causal: a file, FILE:NAME, planted, higher-order, circle, upper-dimensions. "
        "[planted for mini, else higher-order]",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder of the run. [vharness-runs/...]")]


def given(options: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """The configuration keys among a verb's options; what was not given is left to the file and the defaults.

    Args:
        options: the verb's ``locals()``, taken before anything else: options are named after their keys.
        **more: keys that no option is named after.

    Raises:
        UsageError: for a setting that is not written as key=value.
    """
    from valuebench_harness.harness.config import RunConfig

    found = {k: v for k, v in {**options, **more}.items() if k in RunConfig.model_fields and v is not None}
    for key, option in (("settings", "--set"), ("gate_settings", "--gate-set")):
        if key in found:
            found[key] = parse_settings(found[key], option)
    return found


def parse_settings(pairs: list[str], option: str) -> dict[str, Any]:
    """Settings written as key=value; values are read as YAML, so numbers, true and lists work.

    Raises:
        UsageError: where a pair has no ``=``.
    """
    import yaml

    from valuebench_harness.data.reading import read_plain_yaml

    out: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"{option} '{pair}' must be written as key=value.")
        try:
            out[_setting(key)] = read_plain_yaml(text)
        except yaml.YAMLError:
            out[_setting(key)] = text
    return out


def _setting(key: str) -> str:
    """A setting's name, hyphens allowed; a method's name in front of a dot stays as it is."""
    method, dot, name = key.strip().rpartition(".")
    return f"{method}{dot}{name.replace('-', '_')}"


def merged(from_file: dict[str, Any], from_options: dict[str, Any]) -> dict[str, Any]:
    """Options over a configuration file; settings are merged key by key."""
    both = {**from_file, **from_options}
    for key in ("settings", "gate_settings", "judge_settings"):
        if isinstance(from_file.get(key), dict) and key in from_options:
            both[key] = {**from_file[key], **from_options[key]}
    return both
