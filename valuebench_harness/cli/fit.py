"""``vharness fit``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from valuebench_harness.cli import options as o
from valuebench_harness.errors import UsageError

if TYPE_CHECKING:
    from valuebench_harness.harness.fit_study.records import RunRates


def run(
    steerer: Annotated[str, typer.Option("--steerer", "-s", help="A method that learns, such as caa or conva.")],
    model: o.Model = None,
    values: o.Values = None,
    value_system: o.ValueSystem = None,
    layers: o.Layers = None,
    settings: o.Set = None,
    context_controlled: o.Controlled = None,
    pairs: o.Pairs = None,
    seed: o.Seed = None,
    revision: o.Revision = None,
    dtype: o.Dtype = None,
    device_map: o.DeviceMap = None,
    quantization: o.Quantization = None,
    trust_remote_code: o.TrustRemoteCode = None,
    blocks: o.Blocks = None,
    batch_size: o.BatchSize = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the artifacts.")] = Path("vharness-artifacts"),
    export: Annotated[
        str | None,
        typer.Option("--export", help="Write the method's vectors as well: safetensors, gguf or pt, comma between."),
    ] = None,
    with_page: Annotated[
        bool, typer.Option("--report", help="Write a page on what was learned: accuracy, directions, words, gate.")
    ] = False,
    runs: Annotated[
        list[Path] | None,
        typer.Option("--run", help="A run whose control and fluency the page shows as well; may be repeated."),
    ] = None,
    control: Annotated[
        bool, typer.Option("--control-by-size", help="On the page, control success after fits on fewer pairs as well.")
    ] = False,
    quiet: o.Quiet = False,
) -> None:
    """Fits a method for some values and keeps the artifacts as safetensors."""
    options = locals()
    from rich.console import Console
    from rich.table import Table

    from valuebench_harness.harness.config import make_config
    from valuebench_harness.harness.fit_values import fit_values
    from valuebench_harness.harness.progress import Reporter
    from valuebench_harness.steerers.vectors import check_formats

    config = make_config(**o.given(options))
    if (runs or control) and not with_page:
        option = "--run" if runs else "--control-by-size"
        raise UsageError(f"{option} adds to the page of --report: give both.")
    rates = _before_the_page(runs or []) if with_page else ()
    formats = check_formats(export) if export is not None else ()
    table = Table()
    for column in ("value", "layers", "held-out accuracy", "seconds", "file"):
        table.add_column(column, overflow="fold")
    artifacts = []
    for artifact, path in fit_values(config, out, Reporter(quiet=quiet), formats):
        artifacts.append(artifact)
        m = artifact.meta
        accuracy = [m.accuracy[layer] for layer in m.layers if layer in m.accuracy]
        shown = f"{min(accuracy):.2f} to {max(accuracy):.2f}" if accuracy else "-"
        table.add_row(m.value, ",".join(map(str, m.layers)), shown, f"{m.seconds:.1f}", str(path))
    Console().print(table)
    if with_page:
        from valuebench_harness.harness.fit_study.study import study_fit
        from valuebench_harness.reports.fit_report import write_fit_report

        study = study_fit(config, artifacts, out, rates, Reporter(quiet=quiet), control=control)
        page = write_fit_report(study, out)
        Console().print(f"page: {page}", markup=False, highlight=False, soft_wrap=True)


def _before_the_page(runs: list[Path]) -> tuple[RunRates, ...]:
    """Reads the runs, and looks for what draws, before anything is fitted."""
    from valuebench_harness.harness.fit_study.run_rates import run_rates
    from valuebench_harness.harness.run import Run
    from valuebench_harness.reports.pictures import check_drawing

    check_drawing()
    return run_rates([Run(folder) for folder in runs])
