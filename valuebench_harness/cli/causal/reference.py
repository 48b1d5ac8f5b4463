"""``vharness causal reference``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from valuebench_harness.cli import options as o
from valuebench_harness.cli.causal import output
from valuebench_harness.errors import UsageError

if TYPE_CHECKING:
    from valuebench_harness.causal.graph import ValueGraph
    from valuebench_harness.data.values import Value

NAMES = {
    "upper-dimensions": "values that share an upper dimension of ValueBench",
    "higher-order": "values that share a higher-order value of Schwartz's",
    "circle": "neighbours on Schwartz's circle",
    "planted": "the graph behind mini's answers",
    "theory": "what --model says with Schwartz's theory in its prompt",
    "self": "what --model says of itself, pair by pair",
}


def run(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="; ".join(f"{n}: {what}" for n, what in NAMES.items()) + "; or a graph's file."
        ),
    ],
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="A folder, a hub id, or openai:NAME. For theory and self.")
    ] = None,
    model_url: o.ModelUrl = None,
    value_system: Annotated[
        str | None, typer.Option("--value-system", help="valuebench, schwartz, or a YAML file. [what fits the name]")
    ] = None,
    values: Annotated[str | None, typer.Option("--values", help="Only these, comma between them. [all]")] = None,
    template: Annotated[
        Path | None, typer.Option("--template", help="A file of your own in place of the shipped prompt.")
    ] = None,
    revision: o.Revision = None,
    dtype: o.Dtype = None,
    device_map: o.DeviceMap = None,
    quantization: o.Quantization = None,
    trust_remote_code: o.TrustRemoteCode = None,
    blocks: o.Blocks = None,
    form: Annotated[
        str | None, typer.Option("--format", help="json, graphml or dot. [by --out's ending, else json]")
    ] = None,
    out: output.Out = None,
    quiet: o.Quiet = False,
) -> None:
    """Make a reference graph to hold a discovered one against."""
    options = locals()
    from valuebench_harness.causal.graph_files import graph_text
    from valuebench_harness.causal.named import ASKED, named_graph
    from valuebench_harness.data.values import load_value_system

    default = "schwartz" if name in {"higher-order", "circle", "planted"} else "valuebench"
    system = load_value_system(value_system or default)
    chosen = [system.get(v) for v in output.names(values) or []] or list(system.values)
    # As the tables call them: ValueBench's values by their published names.
    nodes = [v.name if system.name == "valuebench" else v.id for v in chosen]
    graph = _asked(options, chosen, nodes) if name in ASKED else named_graph(name, chosen, nodes).over(nodes)
    forms = {kind: (lambda kind=kind: graph_text(graph, kind)) for kind in ("json", "graphml", "dot")}
    output.show(forms, form, out, default="json")


def _asked(options: dict[str, object], values: list[Value], nodes: list[str]) -> ValueGraph:
    from valuebench_harness.harness.cache import Cache
    from valuebench_harness.harness.collect.ask_graph import GraphAsker
    from valuebench_harness.harness.config import make_config
    from valuebench_harness.harness.family import MINI
    from valuebench_harness.harness.progress import Reporter
    from valuebench_harness.harness.session import load_run_model

    model, template = options["model"], options["template"]
    if model in {None, MINI}:
        raise UsageError(
            f"'{options['name']}' asks a model: name it with --model, a checkpoint or openai:NAME"
            + (" (mini reads its own grammar only; its graph is 'planted')." if model else ".")
        )
    keys = {k: v for k, v in options.items() if k not in {"values", "value_system"}}
    loaded = load_run_model(make_config(**o.given(keys)))
    asker = GraphAsker(loaded, Cache(), template if isinstance(template, Path) else None)
    ask = asker.by_theory if options["name"] == "theory" else asker.by_pairs
    return ask(values, nodes, Reporter(quiet=bool(options["quiet"])))
