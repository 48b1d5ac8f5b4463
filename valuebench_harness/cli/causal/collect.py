"""``vharness causal collect``"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from valuebench_harness.cli import options as o
from valuebench_harness.errors import unknown_name

if TYPE_CHECKING:
    from valuebench_harness.harness.collect.plan import CollectPlan
    from valuebench_harness.harness.collect.records import CollectInfo

FORMATS = ("text", "json")
CHARACTERS_PER_TOKEN = 4


def run(
    model: o.Model = None,
    model_url: o.ModelUrl = None,
    questions: Annotated[
        str | None,
        typer.Option("--questions", help="valuebench, schwartz, or a value system's YAML. [mini's own, or valuebench]"),
    ] = None,
    measured: Annotated[
        str | None, typer.Option("--values", help="Values to measure, comma between them. [all with enough items]")
    ] = None,
    roles: Annotated[int, typer.Option("--roles", help="Virtual roles, beside the empty one.")] = 125,
    test_roles: Annotated[
        int | None, typer.Option("--test-roles", help="How many of them only test; with 0 all items train. [a fifth]")
    ] = None,
    features: Annotated[
        str | None,
        typer.Option("--features", help="SAE features, each a setting: 1312,1975; or the most active: top, top:24."),
    ] = None,
    steerers: Annotated[
        str | None,
        typer.Option("--steerers", help="Methods, each a setting a value and direction: instruction-positive,caa."),
    ] = None,
    steer_values: Annotated[str | None, typer.Option("--steer-values", help="Values that they steer. [all]")] = None,
    strength: o.Strength = None,
    layers: o.Layers = None,
    settings: o.Set = None,
    context_controlled: o.Controlled = None,
    train_share: Annotated[float, typer.Option("--train-share", help="Share of a value's items that train.")] = 0.7,
    item_share: Annotated[
        float, typer.Option("--item-share", help="Share of the training items that a role answers under a setting.")
    ] = 0.4,
    same_items: Annotated[
        bool, typer.Option("--same-items", help="A role answers the same items under every setting.")
    ] = False,
    score: Annotated[
        str, typer.Option("--score", help="answers, or probability (of yes, no and unsure; no sampling noise).")
    ] = "answers",
    n_samples: Annotated[int | None, typer.Option("--n-samples", help="Answers an item, sampled above 1. [1]")] = None,
    temperature: Annotated[float | None, typer.Option("--temperature", help="[0 for one sample, else 1]")] = None,
    judge: Annotated[
        str | None, typer.Option("--judge", help="Of answers that do not begin with yes, no or unsure. [the family's]")
    ] = None,
    judge_model: Annotated[str | None, typer.Option("--judge-model", help="Model of the openai judge.")] = None,
    judge_url: Annotated[
        str | None, typer.Option("--judge-url", help="Address of an OpenAI-compatible server.")
    ] = None,
    judge_thoughts: Annotated[
        bool, typer.Option("--judge-thoughts", help="Judge thoughts apart from answers (Kang's Table 2).")
    ] = False,
    template: Annotated[
        Path | None, typer.Option("--template", help="Folder with system.txt and user.txt of your own.")
    ] = None,
    oracle: Annotated[
        bool, typer.Option("--oracle", help="Answer from mini's planted causal model instead of the network.")
    ] = False,
    limit: Annotated[int | None, typer.Option("--limit", help="At most so many items a value.")] = None,
    max_new_tokens: o.MaxNewTokens = None,
    seed: o.Seed = None,
    system_prompt: o.SystemPrompt = None,
    revision: o.Revision = None,
    dtype: o.Dtype = None,
    device_map: o.DeviceMap = None,
    quantization: o.Quantization = None,
    trust_remote_code: o.TrustRemoteCode = None,
    blocks: o.Blocks = None,
    batch_size: o.BatchSize = None,
    max_unscored: Annotated[
        float | None,
        typer.Option("--max-unscored", help="Share of unscored answers above which to exit with 3. [0.01]"),
    ] = None,
    out: o.Out = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished collection.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be asked, and stop.")] = False,
    output: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
    quiet: o.Quiet = False,
) -> None:
    """Lets many roles answer a questionnaire under many settings and keeps their value orientations."""
    options = locals()
    from valuebench_harness.harness.collect.config import make_collect_config
    from valuebench_harness.harness.collect.plan import make_collect_plan
    from valuebench_harness.harness.collect.session import collect
    from valuebench_harness.harness.config import make_config
    from valuebench_harness.harness.progress import Reporter

    if output not in FORMATS:
        raise unknown_name("format", output, FORMATS)
    judge_settings = {k: v for k, v in (("model", judge_model), ("base_url", judge_url)) if v is not None}
    chosen = make_config(**o.given(options, values=steer_values, judge_settings=judge_settings or None))
    keys = (
        "questions", "measured", "roles", "test_roles", "features", "steerers", "train_share", "item_share",
        "same_items", "score", "judge_thoughts", "template", "oracle",
    )  # fmt: skip
    plan = make_collect_plan(make_collect_config(chosen, **{key: options[key] for key in keys}))
    folder = out or plan.folder()
    if dry_run:
        _show(plan, folder)
        return
    info = collect(plan, folder, resume=resume, report=Reporter(quiet=quiet))
    if plan.is_unsettled:
        plan = plan.settle(info.features)
    typer.echo(_summary(plan, info, folder, output))
    unscored = sum(n for name, n in info.counts.items() if name.endswith("_unscored"))
    total = sum(n for name, n in info.counts.items() if not name.endswith("_unscored"))
    if unscored > chosen.max_unscored * total:
        typer.secho(
            f"{unscored} of {total} answers are unscored ({unscored / total:.1%}, at most {chosen.max_unscored:.1%} "
            "are let pass): they begin with neither yes, no nor unsure. Another judge may read them (--judge openai).",
            err=True,
            fg=typer.colors.YELLOW,
        )
        raise typer.Exit(3)


def _show(plan: CollectPlan, folder: Path) -> None:
    features = ""
    if plan.is_unsettled:
        plan, features = _counted(plan, folder)
    count = plan.count()
    total = sum(count.values())
    cells = [(s, p) for s in plan.methods.settings[:1] for p in plan.people]
    messages = [plan.protocol.messages(p, q) for s, p in cells for q in plan.questions(s, p)]
    characters = sum(len(m.content) for conversation in messages for m in conversation)
    tokens = characters * total // max(1, len(messages)) // CHARACTERS_PER_TOKEN
    run = plan.config.run
    written = 0 if plan.config.score == "probability" else total * run.max_new_tokens
    typer.echo(f"model        {run.model}" + (" (its planted causal model)" if plan.config.oracle else ""))
    typer.echo(f"questions    {plan.config.source}: {len(plan.columns)} values, {len(plan.questionnaire.items)} items")
    typer.echo(f"settings     {len(plan.methods.settings)} (the unsteered one among them)")
    if features:
        typer.echo(f"features     {features}")
    typer.echo(f"roles        {len(plan.people)} (the empty one among them)")
    for part, n in count.items():
        typer.echo(f"  {part:<10} {n:>10,} answers")
    typer.echo(f"tokens       about {tokens:,} read, at most {written:,} written")
    typer.echo(f"judge        {run.judge or plan.family.judge}, for answers that begin with neither yes, no nor unsure")
    typer.echo(f"folder       {folder}")
    for note in plan.questionnaire.notes:
        typer.echo(f"note         {note}")


def _counted(plan: CollectPlan, folder: Path) -> tuple[CollectPlan, str]:
    """The plan with its features where an earlier session chose them, else with as many as asked for; in words."""
    from valuebench_harness.harness.collect.features import known_features, phrase

    top = plan.config.top or 0
    if known := known_features(plan, folder):
        return plan.settle(known), f"{', '.join(map(str, known))} (chosen in an earlier session)"
    words = f"at most {top}, the most active on '{phrase(plan)}'; the model chooses them, which a dry run does not load"
    return plan.settle(range(top)), words


def _summary(plan: CollectPlan, info: CollectInfo, folder: Path, output: str) -> str:
    if output == "json":
        facts = {
            "folder": str(folder),
            "settings": [s.id for s in plan.methods.settings],
            "features": list(info.features),
            "roles": len(plan.people),
            "values": list(plan.columns),
            "counts": info.counts,
            "notes": list(info.notes),
        }
        return json.dumps(facts, indent=1)
    lines = [
        f"{part}: {info.counts[part]:,} answers, {info.counts[f'{part}_unscored']:,} unscored -> {folder / part}.csv"
        for part in ("train", "test")
        if part in info.counts
    ]
    shape = f"{len(plan.methods.settings)} settings x {len(plan.people)} roles x {len(plan.columns)} values"
    if info.features:
        shape += f"\nfeatures, the most active first: {', '.join(map(str, info.features))}"
    return "\n".join([shape, *lines])
