"""``vharness check``"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from valuebench_harness.cli import options as o


class CheckFormat(StrEnum):
    """Formats of a conformance report."""

    text = "text"
    json = "json"
    md = "md"


def run(
    steerer: Annotated[str, typer.Argument(help="A method by name, or path/to/file.py:Class.")],
    model: o.Model = None,
    value: Annotated[str | None, typer.Option("--value", "-v", help="The value to steer. [the first]")] = None,
    explain: Annotated[
        str | None,
        typer.Option("--explain", metavar="PROMPT", help="Show what is steered in one prompt, instead of checking."),
    ] = None,
    strength: o.Strength = None,
    direction: o.Direction = None,
    layers: o.Layers = None,
    settings: o.Set = None,
    context_controlled: o.Controlled = None,
    value_system: o.ValueSystem = None,
    max_new_tokens: Annotated[
        int | None, typer.Option("--max-new-tokens", help="Length of the answer that --explain looks at. [16]")
    ] = None,
    seed: o.Seed = None,
    revision: o.Revision = None,
    dtype: o.Dtype = None,
    device_map: o.DeviceMap = None,
    quantization: o.Quantization = None,
    trust_remote_code: o.TrustRemoteCode = None,
    blocks: o.Blocks = None,
    output: Annotated[CheckFormat, typer.Option("--format", help="text, json or md.")] = CheckFormat.text,
    quiet: o.Quiet = False,
) -> None:
    """Proves a steerer right, or says what it does wrong: a check a promise of its interface."""
    options = locals()
    from valuebench_harness.harness.config import make_config

    if explain is not None:
        from valuebench_harness.harness.check.explain import explain as explain_prompt
        from valuebench_harness.reports.explanation import RENDERERS as EXPLAINED

        length = max_new_tokens or 16
        config = make_config(**o.given(options, values=value, max_new_tokens=length))
        typer.echo(EXPLAINED[output](explain_prompt(config, explain)))
        return
    from valuebench_harness.harness.check.suite import check_steerer
    from valuebench_harness.harness.progress import Reporter
    from valuebench_harness.reports.conformance import RENDERERS

    found = check_steerer(make_config(**o.given(options, values=value)), Reporter(quiet=quiet))
    typer.echo(RENDERERS[output](found))
    if found.failed:
        raise typer.Exit(1)
