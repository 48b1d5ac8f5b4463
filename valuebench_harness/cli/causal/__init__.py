"""``vharness causal``: from the orientations of many roles to a graph, and from the graph to what steering moves."""

from __future__ import annotations

import typer

from valuebench_harness.cli.causal import advise, collect, discover, reference, score, show

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

app.command("collect", help="Let many roles answer a questionnaire under many settings.")(collect.run)
app.command("discover", help="Find the graph of values behind a table of orientations.")(discover.run)
app.command("reference", help="Make a reference graph: by theory, a model, or the planted truth.")(reference.run)
app.command("score", help="Kang's tables and the effects that a graph predicts, from tables of orientations.")(
    score.run
)
app.command("advise", help="Rank the measured settings by what they do to the values you name.")(advise.run)
app.command("show", help="Show a score as a page: click a value, see what should move and what did.")(show.run)
