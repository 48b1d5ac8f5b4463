"""``vharness try``: one question, base beside steered."""

from __future__ import annotations

from typing import Annotated

import typer

from valuebench_harness.cli import options as o


def run(
    prompt: Annotated[str, typer.Argument(help="What to ask.")],
    value: Annotated[str, typer.Option("--value", "-v", help="The value to steer, or several: a:1+b:-0.5.")],
    steerer: o.Steerer = "conva",
    model: o.Model = None,
    model_url: o.ModelUrl = None,
    direction: o.Direction = None,
    strength: o.Strength = None,
    layers: o.Layers = None,
    settings: o.Set = None,
    gate: o.Gate = None,
    gate_settings: o.GateSet = None,
    context_controlled: o.Controlled = None,
    value_system: o.ValueSystem = None,
    system_prompt: o.SystemPrompt = None,
    max_new_tokens: o.MaxNewTokens = None,
    seed: o.Seed = None,
    revision: o.Revision = None,
    dtype: o.Dtype = None,
    device_map: o.DeviceMap = None,
    quantization: o.Quantization = None,
    trust_remote_code: o.TrustRemoteCode = None,
    blocks: o.Blocks = None,
) -> None:
    """Asks the unsteered model and the steered one, at every strength given."""
    options = locals()
    from rich.console import Console
    from rich.table import Table

    from valuebench_harness.harness.attempt import attempt
    from valuebench_harness.harness.config import make_config
    from valuebench_harness.reports.clean import clean

    config = make_config(**o.given(options, values=value))
    tried = attempt(config, prompt)
    console = Console()
    table = Table(show_lines=True, expand=False)
    table.add_column("condition", no_wrap=True)
    table.add_column("gate", no_wrap=True)
    table.add_column("answer", overflow="fold")
    for sample in tried:
        gate_text = (
            "-" if sample.gate_score is None else f"{'open' if sample.gate_open else 'closed'} {sample.gate_score:.2f}"
        )
        table.add_row(sample.condition, gate_text, clean(sample.answer))
    console.print(table)
