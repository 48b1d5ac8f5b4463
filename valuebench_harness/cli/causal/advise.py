"""``vharness causal advise``"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from valuebench_harness.cli.causal import output as o
from valuebench_harness.errors import UsageError


def run(
    up: Annotated[str | None, typer.Option("--raise", help="Values to raise, comma between them.")] = None,
    down: Annotated[str | None, typer.Option("--lower", help="Values to lower.")] = None,
    keep: Annotated[str | None, typer.Option("--keep", help="Values to leave alone.")] = None,
    train: o.Train = None,
    test: o.Test = None,
    collection: o.Collection = None,
    graph: Annotated[
        str | None, typer.Option("--graph", help="Graph that foretells, FILE or FILE:NAME. [found in --train]")
    ] = None,
    margin: Annotated[float, typer.Option("--margin", help="How far a kept value's mean may move.")] = 0.1,
    top: Annotated[int, typer.Option("--top", help="Rows to show; json and csv hold all.", min=1)] = 15,
    seed: o.Seed = 0,
    form: Annotated[
        str | None, typer.Option("--format", help="text, json, csv or md. [by --out's ending, else text]")
    ] = None,
    out: o.Out = None,
) -> None:
    """Rank the measured settings and roles by what they do to the values you name."""
    from valuebench_harness.causal.advise import Wish, advise
    from valuebench_harness.causal.discover import discover
    from valuebench_harness.causal.graph_files import read_graph
    from valuebench_harness.reports import causal_advise as report

    if not up and not down:
        raise UsageError("Name a value to move: --raise achievement, or --lower power.")
    trained, tested = o.read_tables(train, test, collection)
    wish = Wish(up=o.values(up, trained), down=o.values(down, trained), keep=o.values(keep, trained), margin=margin)
    foretells = discover(trained) if graph is None else read_graph(graph, trained.values)
    if graph is not None and (cycle := foretells.cycle()) is not None:
        raise UsageError(
            f"{graph}: its directed edges have a cycle ({' --> '.join((*cycle, cycle[0]))}), along which no effect can "
            "be sent; remove one of them."
        )
    rows = advise(trained, tested, foretells, wish, seed)
    forms: dict[str, Callable[[], str]] = {
        "text": lambda: report.advise_text(rows, wish, foretells, top),
        "md": lambda: report.advise_markdown(rows, wish, foretells, top),
        "json": lambda: report.advise_json(rows, wish, foretells),
        "csv": lambda: report.advise_csv(rows, wish),
    }
    o.show(forms, form, out)
