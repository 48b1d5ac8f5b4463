"""What a run would ask, before anything is spent."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from valuebench_harness.harness.causal_report import planned_graph
from valuebench_harness.harness.family import model_path
from valuebench_harness.harness.judging import QUESTIONS
from valuebench_harness.harness.remote import REMOTE
from valuebench_harness.harness.requests import LETTERS, conversation
from valuebench_harness.harness.session import make_run_judge
from valuebench_harness.harness.tune import tuning_plan

if TYPE_CHECKING:
    from valuebench_harness.harness.plan import Plan

CHARACTERS_PER_TOKEN = 4

MANY_LAYERS = 1000
"""Single layers that --tune tries may fall together in a shallow model; how deep it is is not known yet."""


def show(plan: Plan, folder: Path) -> None:
    """Prints counts of requests, tokens and judge calls."""
    repeats = plan.config.n_samples
    trials = tuning_plan(plan, n_layers=MANY_LAYERS) if plan.config.tune else None
    if plan.is_unsettled:  # of the strengths that are tried one is reported
        plan = replace(plan, conditions=tuple(c for c in plan.conditions if c.level == 0))
    requests = Counter(d.kind for _, d in plan.cells)
    answers = {k: n * (1 if k == "exam" else repeats) for k, n in requests.items()}
    open_answers = sum(n for k, n in answers.items() if k != "exam")
    calls = sum(n * len(QUESTIONS[k]) for k, n in answers.items())
    tokens, exact = _prompt_tokens(plan)
    judge = make_run_judge(plan.config, plan.family)
    chosen = planned_graph(plan)
    about = "" if exact else "about "
    typer.echo(f"model        {plan.config.model}" + (" (paid calls)" if plan.config.model.startswith(REMOTE) else ""))
    typer.echo(f"steerer      {plan.steerer.name}, gate {plan.gate_name}, direction {plan.direction}")
    typer.echo(f"conditions   {len(plan.conditions)} (the base among them)")
    typer.echo(f"documents    {len(plan.documents)}")
    for kind, n in sorted(answers.items()):
        typer.echo(f"  {kind:<14} {n:>8,} answers")
    typer.echo(f"tokens       {about}{tokens:,} read, at most {open_answers * plan.config.max_new_tokens:,} written")
    typer.echo(f"judge        {judge.name}, {calls:,} verdicts" + (" (paid calls)" if judge.name == "openai" else ""))
    if trials is not None:
        n = len(trials.cells) * repeats
        typer.echo(f"tuning       {len(trials.conditions) - 1} trials, at most {n:,} answers, not counted above")
    if plan.config.match_kl is not None:
        typer.echo(f"match KL     {len(plan.specs)} strengths, found on neutral texts, not counted above")
    if chosen is not None:
        graph = chosen.graph
        typer.echo(
            f"causal       graph '{chosen.name}', {len(graph.edges)} edges, {int(graph.reach.sum())} of "
            f"{len(graph.nodes) * (len(graph.nodes) - 1)} pairs connected by a path"
        )
    if plan.foreign:
        typer.echo(f"lm-eval      {', '.join(plan.foreign)} under {len(plan.conditions)} conditions, not counted above")
    typer.echo(f"run          {folder}")
    for note in plan.notes:
        typer.echo(f"note         {note}")
    typer.echo("Equal requests (such as those behind a closed gate) are computed once, and cached ones not at all.")


def _prompt_tokens(plan: Plan) -> tuple[int, bool]:
    """Tokens of all prompts: counted where the model's folder is here, else from the characters."""
    texts = {d.id: conversation(d, plan.config.system_prompt) for d in plan.documents}
    folder = Path(model_path(plan.config.model)).expanduser()
    if (folder / "tokenizer.json").is_file() or (folder / "tokenizer_config.json").is_file():
        from valuebench_harness.engine.loading import load_codec

        codec = load_codec(str(folder), trust_remote_code=plan.config.trust_remote_code)
        length = {
            d: len(
                codec.encode(
                    codec.render(m, add_generation_prompt=True, continue_final=False),
                    special=not codec.has_chat_template,
                )
            )
            for d, m in texts.items()
        }
        exact = True
    else:
        length = {d: sum(len(x.content) for x in m) // CHARACTERS_PER_TOKEN + 1 for d, m in texts.items()}
        exact = False
    return sum(length[d.id] * (len(LETTERS) if d.kind == "exam" else 1) for _, d in plan.cells), exact
