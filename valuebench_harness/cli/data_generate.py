"""``vharness data generate``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from valuebench_harness.cli import options as o
from valuebench_harness.errors import IncompleteError, UsageError, unknown_name

if TYPE_CHECKING:
    from valuebench_harness.harness.generate.ask import WriterSettings
    from valuebench_harness.harness.generate.records import Kind
    from valuebench_harness.harness.generate.run import Outcome

KINDS = ("pairs", "dilemmas")


def generate(
    kind: Annotated[str, typer.Argument(metavar="pairs|dilemmas", help="Training pairs, or questions to test with.")],
    value: Annotated[str, typer.Option("--value", "-v", help="The value that they are about.")],
    judge: Annotated[
        str, typer.Option("--judge", "-j", help="Who writes and checks: openai, any OpenAI-compatible server.")
    ] = "openai",
    judge_model: Annotated[str | None, typer.Option("--judge-model", help="Model at the server. [gpt-4o-mini]")] = None,
    judge_url: Annotated[
        str | None, typer.Option("--judge-url", help="Address of the server. [OPENAI_BASE_URL]")
    ] = None,
    judge_set: Annotated[
        list[str] | None,
        typer.Option("--judge-set", metavar="KEY=VALUE", help="max_calls, max_tokens, temperature, templates, ..."),
    ] = None,
    straightforward: Annotated[
        bool, typer.Option("--straightforward", help="Pairs whose two texts know nothing of each other.")
    ] = False,
    value_system: o.ValueSystem = None,
    n: Annotated[int, typer.Option("--n", help="Pairs or dilemmas.", min=1)] = 100,
    rounds: Annotated[int, typer.Option("--rounds", help="Times that what is missing is asked for.", min=1)] = 3,
    seed: o.Seed = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder of the items. [the value system's own, or generated/]")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how many requests it takes, and stop.")] = False,
    quiet: o.Quiet = False,
) -> None:
    """Have a language model write pairs or dilemmas; the same command again goes on where it stopped."""
    from valuebench_harness.data.values import load_value_system
    from valuebench_harness.harness.generate.run import Generation, planned_requests
    from valuebench_harness.harness.generate.run import generate as make
    from valuebench_harness.harness.progress import Reporter

    chosen = _kind(kind, straightforward=straightforward)
    settings = _settings(judge, judge_set, judge_model, judge_url)
    system = load_value_system(value_system or "schwartz")
    about = system.get(value)
    if dry_run:
        requests = planned_requests(chosen, n)
        typer.echo(
            f"{n} {kind} for '{about.id}': {requests} requests to {settings.model}, more where some are rejected."
        )
        return
    folder = out or system.data or Path("generated")
    generation = Generation(chosen, system, about, folder, n, rounds, seed or 0, settings)
    _tell(make(generation, Reporter(quiet=quiet)), value_system)


def _kind(kind: str, *, straightforward: bool) -> Kind:
    if kind == "pairs":
        return "pairs_straightforward" if straightforward else "pairs"
    if kind != "dilemmas":
        raise unknown_name("kind of item", kind, KINDS)
    if straightforward:
        raise UsageError("--straightforward is a way to make pairs; dilemmas have none.")
    return "dilemmas"


def _settings(judge: str, pairs: list[str] | None, model: str | None, url: str | None) -> WriterSettings:
    from valuebench_harness.harness.generate.ask import writer_settings

    if judge.strip().lower() != "openai":
        raise UsageError(
            f"The judge '{judge}' writes no texts; use --judge openai, with --judge-url for your own server."
        )
    given: dict[str, Any] = o.parse_settings(pairs, "--judge-set") if pairs else {}
    given |= {key: text for key, text in (("model", model), ("base_url", url)) if text is not None}
    return writer_settings(given, "--judge-set")


def _tell(outcome: Outcome, value_system: str | None) -> None:
    info = outcome.info
    typer.echo(f"{info.accepted} of {info.wanted} items in {outcome.items}")
    typer.echo(f"{info.requests} replies, {info.tokens:,} tokens; every reply and rejection in {outcome.details}")
    for reason, times in outcome.reasons[:5]:
        typer.echo(f"rejected {times} x {reason}")
    typer.echo(f"Then: vharness data check {outcome.system or value_system}")
    if info.accepted < info.wanted:
        raise IncompleteError(
            f"{info.wanted - info.accepted} of {info.wanted} items are missing after {info.requests} replies. "
            "Start the same command again with more --rounds; no reply is paid for twice."
        )
