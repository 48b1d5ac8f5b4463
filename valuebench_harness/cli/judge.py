"""``vharness judge``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from valuebench_harness.cli import options as o
from valuebench_harness.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from valuebench_harness.harness.run import Run
    from valuebench_harness.judges.base import Question
    from valuebench_harness.reports.label_sheet import SheetRow

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run; see 'vharness ls runs'.")]
Subject = Annotated[
    str,
    typer.Argument(metavar="RUN", help="Folder of a run; or a data set (mini, schwartz, your .yaml) for its texts."),
]


@app.command("rescore")
def rescore(
    folder: RunFolder,
    judge: Annotated[
        str, typer.Option("--judge", help="grammar, hf, human, openai, option-match, reference-lm; + joins several.")
    ],
    judge_model: Annotated[str | None, typer.Option("--judge-model", help="Model of the openai or hf judge.")] = None,
    judge_url: Annotated[
        str | None, typer.Option("--judge-url", help="Address of an OpenAI-compatible server.")
    ] = None,
    judge_set: Annotated[
        list[str] | None, typer.Option("--judge-set", metavar="KEY=VALUE", help="A setting of the judge.")
    ] = None,
    labels: Annotated[
        list[Path] | None, typer.Option("--labels", help="A sheet of the human judge; once for each rater.")
    ] = None,
    max_unscored: Annotated[
        float | None, typer.Option("--max-unscored", help="Share above which to exit with 3. [as the run]")
    ] = None,
    output: Annotated[str, typer.Option("--format", help="text, json, md, csv, html or tex.")] = "text",
    quiet: o.Quiet = False,
) -> None:
    """Judge a run's answers again, without the model."""
    from valuebench_harness.harness.progress import Reporter
    from valuebench_harness.harness.rescore import rescore as judge_again
    from valuebench_harness.harness.run import load_run
    from valuebench_harness.reports.registry import check_format, render, write_all

    check_format(output)
    if max_unscored is not None and not 0 <= max_unscored <= 1:
        raise UsageError(
            f"--max-unscored is {max_unscored:g}; it is a share from 0 to 1, such as 0.01 for one percent."
        )
    settings = _settings(judge, judge_set, judge_model, judge_url, labels)
    run = judge_again(load_run(folder), judge, settings, report=Reporter(quiet=quiet))
    write_all(run)
    typer.echo(render(run, output))
    _exit_if_unscored(run, max_unscored)


@app.command("sample")
def sample(
    subject: Subject,
    n: Annotated[int, typer.Option("--n", help="Items on the sheet.")] = 100,
    out: Annotated[Path, typer.Option("--out", "-o", help="The sheet: .csv or .xlsx.")] = Path("labels.xlsx"),
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind", help="Of a run: dilemma (control success, fluency) or questionnaire (stance). [dilemma]"
        ),
    ] = None,
    values: Annotated[str | None, typer.Option("--values", help="Of a data set's texts. [all]")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the draw.")] = 0,
) -> None:
    """Write a sheet of answers (or of training texts) for people to label."""
    from valuebench_harness.harness.label_sample import KINDS
    from valuebench_harness.judges.base import LABELS
    from valuebench_harness.reports.label_sheet import write_sheet

    if kind is not None and kind not in KINDS:
        raise unknown_name("kind", kind, KINDS)
    if out.exists():
        raise UsageError(f"{out} is there already, perhaps with labels in it; choose another --out.")
    asks: tuple[Question, ...]
    if _is_run(subject):
        if values is not None:
            raise UsageError("--values chooses texts of a data set; a run's sheet holds the values that it steers.")
        kind = kind or "dilemma"
        rows, asks = _answers(Path(subject), kind, n, seed), KINDS[kind]
    else:
        if kind is not None:
            raise UsageError(
                f"--kind chooses answers of a run; '{subject}' is taken for a data set, rated by its texts."
            )
        rows, asks = _texts(subject, values, n, seed), ("shows",)
    write_sheet(rows, asks, out)
    typer.echo(f"{out}: {len(rows)} items. One copy a rater, named after the rater; to fill in:")
    for question in asks:
        typer.echo(f"  {question}: {', '.join(LABELS[question])}")
    typer.echo(f"Then: vharness judge calibrate {subject} RATER1{out.suffix} RATER2{out.suffix} ...")


@app.command("calibrate")
def calibrate(
    subject: Subject,
    labels: Annotated[list[Path], typer.Argument(metavar="LABELS...", help="Filled-in sheets, one a rater.")],
    width: Annotated[
        float | None,
        typer.Option("--width", help="Of a run: interval for which labels are planned, as a share. [0.1]"),
    ] = None,
    output: Annotated[str, typer.Option("--format", help="text, md or json.")] = "text",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write to this file instead.")] = None,
) -> None:
    """Hold the run's judge against people: agreement, and the rates that people would give."""
    from valuebench_harness.data.datasets import load_dataset
    from valuebench_harness.harness import calibration as c
    from valuebench_harness.harness.run import load_run
    from valuebench_harness.harness.store import write_atomically
    from valuebench_harness.judges.labels import read_labels
    from valuebench_harness.reports.calibration import FORMATS, render_calibration

    if output not in FORMATS:
        raise unknown_name("format", output, FORMATS)
    if width is not None and not 0 < width <= 1:
        raise UsageError(f"--width is {width:g}; it is a share above 0 and at most 1, such as 0.1 for ten points.")
    read = read_labels(labels)
    if _is_run(subject):
        found = c.calibrate(load_run(subject), read, width=c.WIDTH if width is None else width)
    elif width is not None:
        raise UsageError(f"--width plans labels for a rate of a run; '{subject}' is taken for a data set.")
    else:
        found = c.calibrate_texts(load_dataset(subject), read)
    text = render_calibration(found, output)
    if out is None:
        typer.echo(text)
    else:
        write_atomically(out, text + "\n")
        typer.echo(f"Written: {out}", err=True)


def _is_run(subject: str) -> bool:
    """A folder is a run; everything else names a data set."""
    return Path(subject).is_dir()


def _answers(folder: Path, kind: str, n: int, seed: int) -> list[SheetRow]:
    from valuebench_harness.harness.label_sample import draw, judged_answers
    from valuebench_harness.harness.run import load_run
    from valuebench_harness.reports.label_sheet import answer_rows

    return answer_rows(draw(judged_answers(load_run(folder), kind), n, seed))


def _texts(name: str, values: str | None, n: int, seed: int) -> list[SheetRow]:
    from valuebench_harness.data.datasets import load_dataset
    from valuebench_harness.harness.label_sample import draw_pairs
    from valuebench_harness.reports.label_sheet import text_rows

    data = load_dataset(name)
    chosen = [data.system.get(v.strip()).id for v in values.split(",")] if values else list(data.system.ids)
    if not any(data.has("pairs", value) for value in chosen):
        raise UsageError(f"'{data.name}' has no training texts for {', '.join(chosen)}.")
    return text_rows(data, draw_pairs(data, chosen, n, seed))


def _settings(
    judge: str, pairs: list[str] | None, model: str | None, url: str | None, labels: list[Path] | None
) -> dict[str, Any]:
    """Settings of the judge as options give them; for several joined judges the option belongs to whom it fits."""
    parts = [part.strip().lower() for part in judge.split("+")]
    settings: dict[str, Any] = o.parse_settings(pairs, "--judge-set") if pairs else {}
    asks_a_model = next((p for p in parts if p in {"openai", "hf", "reference-lm"}), "openai")
    for part, key, value in (
        (asks_a_model, "model", model),
        ("openai", "base_url", url),
        ("human", "labels", [str(path) for path in labels] if labels else None),
    ):
        if value is not None:
            settings[key if len(parts) == 1 else f"{part}.{key}"] = value
    return settings


def _exit_if_unscored(run: Run, limit: float | None) -> None:
    results, most = run.results, run.info.config.max_unscored if limit is None else limit
    if results.unscored_share > most:
        reasons = "; ".join(f"{n} x {why}" for why, n in list(results.unscored_reasons.items())[:3])
        typer.secho(
            f"{results.unscored} of {results.verdicts} verdicts are unscored ({results.unscored_share:.1%}, at most "
            f"{most:.1%} are let pass): {reasons}.",
            err=True,
            fg=typer.colors.YELLOW,
        )
        raise typer.Exit(3)
