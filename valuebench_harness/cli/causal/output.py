"""What the verbs of ``vharness causal`` share: reading graphs and lists, writing the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from valuebench_harness.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from valuebench_harness.causal.graph import ValueGraph
    from valuebench_harness.causal.table import OrientationTable

Train = Annotated[
    Path | None, typer.Option("--train", help="Orientations of the training roles (csv). [the collection's]")
]
Test = Annotated[Path | None, typer.Option("--test", help="Orientations of the test roles (csv). [the collection's]")]
Collection = Annotated[
    Path | None,
    typer.Option("--collection", help="Folder of a collection. [this folder, or the newest in vharness-runs]"),
]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Write to this file instead.")]
Figures = Annotated[
    Path | None, typer.Option("--figures", help="Draw Figure 4, Table 4's bars and Table 3's pies into this folder.")
]
Seed = Annotated[int, typer.Option("--seed", help="Of the bootstrap.", min=0)]


def names(text: str | None) -> list[str] | None:
    """A list written with commas."""
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def show(forms: Mapping[str, Callable[[], str]], form: str | None, out: Path | None, default: str = "text") -> None:
    """Prints or writes a result in one of its formats.

    Args:
        forms: what makes the text, by format.
        form: the format asked for.
        out: file; its ending names the format where none is asked for.
        default: format otherwise.

    Raises:
        UsageError: an unknown format, or a file that cannot be written.
    """
    ending = out.suffix.lower().lstrip(".") if out else ""
    chosen = form or {"txt": "text"}.get(ending, ending if ending in forms else default)
    if chosen not in forms:
        raise unknown_name("format", chosen, forms)
    text = forms[chosen]()
    if out is None:
        typer.echo(text)
        return
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}.") from error
    typer.echo(f"Written: {out}", err=True)


def read_references(files: list[str] | None, values: tuple[str, ...]) -> dict[str, ValueGraph]:
    """Reference graphs by name: of ``FILE:NAME`` the name, else the file's without its ending.

    Raises:
        UsageError: a file that is no graph of the values, or two of one name.
    """
    from valuebench_harness.causal.graph_files import read_graph, reference_name

    read: dict[str, ValueGraph] = {}
    for where in files or ():
        name = reference_name(where)
        if name in read:
            raise UsageError(f"Two reference graphs are named '{name}'; rename a file.")
        read[name] = read_graph(where, values)
    return read


def read_tables(
    train: Path | None, test: Path | None, collection: Path | None
) -> tuple[OrientationTable, OrientationTable]:
    """The two tables by their names, or those of a collection.

    Raises:
        UsageError: where there are none, or one that cannot be read.
    """
    from valuebench_harness.causal.table import read_table

    if train is None or test is None:
        folder = collection or _newest_collection()
        if folder is None:
            raise UsageError("No tables: give --train and --test, or the --collection that 'causal collect' wrote.")
        train, test = train or folder / "train.csv", test or folder / "test.csv"
    return read_table(train), read_table(test)


def _newest_collection() -> Path | None:
    folders = [Path(), *Path("vharness-runs").glob("*")]
    found = [folder for folder in folders if (folder / "train.csv").is_file() and (folder / "test.csv").is_file()]
    if Path() in found:
        return Path()
    return max(found, key=lambda folder: (folder / "train.csv").stat().st_mtime, default=None)


def values(text: str | None, table: OrientationTable) -> tuple[str, ...]:
    """Values written with commas, as the table names them; case, spaces and underscores do not matter.

    Raises:
        UsageError: for a value that the table does not have.
    """
    known = {_plain(value): value for value in table.values}
    asked = names(text) or []
    for name in asked:
        if _plain(name) not in known:
            raise unknown_name("value", name, table.values, f"It is not in {table.source}.")
    return tuple(dict.fromkeys(known[_plain(name)] for name in asked))


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())
