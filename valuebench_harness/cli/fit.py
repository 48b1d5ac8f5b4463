"""``vharness fit``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from valuebench_harness.cli import options as o


def run(
    steerer: Annotated[str, typer.Option("--steerer", "-s", help="A method that learns, such as caa or conva.")],
    model: o.Model = None,
    values: o.Values = None,
    value_system: o.ValueSystem = None,
    layers: o.Layers = None,
    settings: o.Set = None,
    context_controlled: o.Controlled = None,
    seed: o.Seed = None,
    revision: o.Revision = None,
    dtype: o.Dtype = None,
    device_map: o.DeviceMap = None,
    trust_remote_code: o.TrustRemoteCode = None,
    blocks: o.Blocks = None,
    batch_size: o.BatchSize = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the artifacts.")] = Path("vharness-artifacts"),
    quiet: o.Quiet = False,
) -> None:
    """Fits a method for some values and keeps the artifacts as safetensors."""
    options = locals()
    from rich.console import Console
    from rich.table import Table

    from valuebench_harness.harness.config import make_config
    from valuebench_harness.harness.fit_values import fit_values
    from valuebench_harness.harness.progress import Reporter

    config = make_config(**o.given(options))
    table = Table()
    for column in ("value", "layers", "held-out accuracy", "seconds", "file"):
        table.add_column(column, overflow="fold")
    for artifact, path in fit_values(config, out, Reporter(quiet=quiet)):
        m = artifact.meta
        accuracy = [m.accuracy[layer] for layer in m.layers if layer in m.accuracy]
        shown = f"{min(accuracy):.2f} to {max(accuracy):.2f}" if accuracy else "-"
        table.add_row(m.value, ",".join(map(str, m.layers)), shown, f"{m.seconds:.1f}", str(path))
    Console().print(table)
