"""``vharness cache``"""

from __future__ import annotations

from typing import Annotated

import typer

from valuebench_harness.cli import render as r

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.command("show")
def show(output: r.Format = r.ListFormat.text) -> None:
    """Show where the cache is and what it holds."""
    from valuebench_harness.harness.housekeeping import usage

    found = usage()
    if output is r.ListFormat.json:
        r.show_json(found)
        return
    entries = sum(found.entries.values())
    kinds = ", ".join(f"{n:,} of kind '{kind}'" for kind, n in found.entries.items()) or "none"
    typer.echo(f"folder     {found.folder}")
    typer.echo(f"entries    {entries:,} ({kinds}), {r.size_text(found.entries_bytes)}")
    typer.echo(f"artifacts  {found.artifacts:,}, {r.size_text(found.artifacts_bytes)}")
    typer.echo(f"data sets  {r.size_text(found.data_bytes)} pulled (gc and clear leave them alone)")


@app.command("gc")
def gc(
    max_size: Annotated[str, typer.Option("--max-size", help="What entries and artifacts may take: 2GB, 500MB.")],
) -> None:
    """Remove what was used longest ago until the rest fits."""
    from valuebench_harness.harness.housekeeping import trim, usage

    entries, artifacts = trim(r.parse_size(max_size, "--max-size"))
    left = usage()
    typer.echo(
        f"Removed {entries:,} entries and {artifacts:,} artifacts; "
        f"{r.size_text(left.entries_bytes + left.artifacts_bytes)} are left."
    )


@app.command("clear")
def clear(yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Delete all cached answers, gate decisions, verdicts and artifacts. Runs and data sets stay."""
    from valuebench_harness.data.sources import home
    from valuebench_harness.harness.housekeeping import clear as clear_all

    if not yes:
        typer.confirm(f"Delete the cached answers and artifacts in {home()}? Runs stay as they are", abort=True)
    clear_all()
    typer.echo(f"Cleared {home()}.")
