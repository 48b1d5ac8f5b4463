"""Measures every property that ``mini`` should have: ``python -m valuebench_harness.mini.measure``.

Prints the table of the model card, writes ``card.json`` and puts the table into ``MODEL_CARD.md``.
Dilemmas are drawn anew from the held-out combinations; strengths are chosen on the selection half,
all figures are of the test half. About seven minutes on two idle cores.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from valuebench_harness.data.grammar.acts import VALUES
from valuebench_harness.data.schemas import Dilemma
from valuebench_harness.engine.loading import load
from valuebench_harness.errors import UsageError
from valuebench_harness.mini import measure_answers as answers
from valuebench_harness.mini import measure_planted as planted
from valuebench_harness.mini import measure_steering as steering
from valuebench_harness.mini import weights_path, write_data
from valuebench_harness.mini.bench import Bench
from valuebench_harness.mini.figures import Figure, markdown_table

DILEMMAS = 96
EFFECT_DILEMMAS = 48
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"

log = logging.getLogger("mini.measure")


def figures(bench: Bench, n: int) -> Iterator[Figure]:
    """All rows of the card, in its order.

    Args:
        bench: asks the model.
        n: dilemmas a value in each half.
    """
    drawn = [item for v in VALUES for item in write_data.dilemmas(v, n, seed=bench.seed)]
    select = [d for d in drawn if d.split == "select"]
    test = [d for d in drawn if d.split == "test"]
    yield from answers.unsteered_answers(bench, test)
    yield from answers.instructed_answers(bench, test)
    yield answers.answers_behind_statements(bench, test)
    yield planted.probes(bench)
    yield planted.dose_response(bench, test)
    base = bench.ask(test)
    exams = []
    for method in steering.METHODS:
        favour, exam = steering.measure(bench, method, select, test, base)
        exams.append(exam)
        yield favour
    yield planted.effects(bench, _first(test, min(n, EFFECT_DILEMMAS)))
    yield from answers.unsteered_exam(bench)
    yield from exams
    yield steering.others(bench, select, test, base)
    yield from answers.role_answers(bench)


def _first(dilemmas: list[Dilemma], n: int) -> list[Dilemma]:
    return [item for v in VALUES for item in [d for d in dilemmas if d.value == v][:n]]


def fill_card(card: Path, table: str) -> None:
    """Puts the table between the card's two marks.

    Raises:
        UsageError: the card lacks the marks.
    """
    text = card.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise UsageError(f"'{card}' lacks the marks '{BEGIN}' and '{END}' between which the figures go.")
    head, rest = text.split(BEGIN, 1)
    _, tail = rest.split(END, 1)
    card.write_text(f"{head}{BEGIN}\n{table}\n{END}{tail}", encoding="utf-8")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m valuebench_harness.mini.measure", description=__doc__)
    parser.add_argument("--weights", type=Path, default=weights_path(), help="checkpoint to measure")
    parser.add_argument("--n", type=int, default=DILEMMAS, help=f"dilemmas a value and half (default: {DILEMMAS})")
    parser.add_argument("--seed", type=int, default=2, help="of the dilemmas and samples")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder of card.json and MODEL_CARD.md")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(args.threads)
    model = load(str(args.weights))
    started = time.monotonic()
    rows = []
    for figure in figures(Bench(model, args.seed), args.n):
        rows.append(figure)
        log.info(
            "[%4.0f s] %s %s: %s",
            time.monotonic() - started,
            "-" if figure.met is False else "+",
            figure.id,
            figure.result,
        )
    table = markdown_table(rows)
    card = {
        "model": model.fingerprint,
        "n": args.n,
        "seed": args.seed,
        "figures": {figure.id: figure.model_dump(exclude={"id"}) for figure in rows},
    }
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    if (args.out / "MODEL_CARD.md").is_file():
        fill_card(args.out / "MODEL_CARD.md", table)
    print(table)  # noqa: T201


if __name__ == "__main__":
    main()
