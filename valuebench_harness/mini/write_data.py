"""Writes ``mini``'s items and planted truth: ``python -m valuebench_harness.mini.write_data``.

The files are reproducible byte by byte; a test compares the shipped ones with a fresh writing.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from valuebench_harness.data.grammar import facts, generate, scm, talk
from valuebench_harness.data.grammar.acts import ACTS, VALUES
from valuebench_harness.data.grammar.appeal import appeals
from valuebench_harness.data.grammar.holdout import Split
from valuebench_harness.data.grammar.roles import roles
from valuebench_harness.data.schemas import (
    ContrastivePair,
    Demonstration,
    Dilemma,
    ExamItem,
    NeutralText,
    QuestionnaireItem,
)
from valuebench_harness.data.values import shipped_tasks
from valuebench_harness.mini import planted_path

SEED = 2025
DILEMMAS_PER_SPLIT = 48
PAIRS = 100
DEMONSTRATIONS = 48
EXAM_SHUFFLES = 2
NEUTRAL = 300
ROLES = 500


def dilemmas(value: str, n_per_split: int = DILEMMAS_PER_SPLIT, seed: int = SEED) -> list[Dilemma]:
    """Held-out dilemmas, first the selection half, then the test half; no question comes twice.

    In each half the act for the value stands first as often as second, one apart where the number is odd.
    """
    rng = random.Random(f"{seed}:dilemmas:{value}")
    splits: tuple[Split, Split] = ("select", "test")
    found: dict[str, Dilemma] = {}
    for i, split in enumerate(splits, start=1):
        room = [(n_per_split + 1) // 2, n_per_split // 2]
        while len(found) < i * n_per_split:
            item = generate.sample_dilemma(rng, value, split, f"mini-{value}-{len(found) + 1:03d}")
            if item.question not in found and room[item.favours]:
                room[item.favours] -= 1
                found[item.question] = item
    return list(found.values())


def pairs(value: str, straightforward: bool = False) -> list[ContrastivePair]:
    """Contrastive pairs, the four forms in turn; no text comes twice."""
    kind = "pairs-straightforward" if straightforward else "pairs"
    sample = generate.sample_straightforward_pair if straightforward else generate.sample_pair
    rng = random.Random(f"{SEED}:{kind}:{value}")
    found: list[ContrastivePair] = []
    texts: set[str] = set()
    while len(found) < PAIRS:
        form = generate.PAIR_FORMS[len(found) % len(generate.PAIR_FORMS)]
        pair = sample(rng, value, form, f"mini-{value}-{kind}-{len(found) + 1:03d}")
        if texts.isdisjoint((pair.positive, pair.negative)):
            found.append(pair)
            texts |= {pair.positive, pair.negative}
    return found


def demonstrations(value: str) -> list[Demonstration]:
    """Answers for and against the value to dilemmas of the training split; no question comes twice.

    Their combinations of place and acts are those that ``mini`` saw in training: none is in a held-out half.
    """
    rng = random.Random(f"{SEED}:demonstrations:{value}")
    found: list[Demonstration] = []
    questions: set[str] = set()
    while len(questions) < DEMONSTRATIONS:
        item = generate.sample_dilemma(rng, value, "train")
        if item.question in questions:
            continue
        questions.add(item.question)
        for favour in (True, False):
            found.append(
                Demonstration(
                    id=f"mini-{value}-demo-{len(questions):03d}-{'for' if favour else 'against'}",
                    value=value,
                    prompt=item.question,
                    answer="".join(generate.answer_parts(rng, item, favour)),
                    direction="positive" if favour else "negative",
                )
            )
    return found


def questionnaire(value: str) -> list[QuestionnaireItem]:
    """One item for each act, for and against the value in turn, in frames that training left out."""
    rng = random.Random(f"{SEED}:questionnaire:{value}")
    acts = [act for both in zip(*ACTS[value], strict=True) for act in both]
    return [
        generate.questionnaire_item(rng, value, act, held_out=True, item_id=f"mini-{value}-q{i:02d}")
        for i, act in enumerate(acts, start=1)
    ]


def exam() -> list[ExamItem]:
    """Every exam fact, with its choices in two random orders."""
    rng = random.Random(f"{SEED}:exam")
    items: list[ExamItem] = []
    for fact in facts.EXAM_FACTS * EXAM_SHUFFLES:
        options, right = facts.choices(fact, rng)
        items.append(
            ExamItem(
                id=f"mini-exam-{len(items) + 1:03d}",
                subject=fact.subject.name,
                question=fact.question,
                choices=options,
                answer=right,
            )
        )
    return items


def neutral() -> list[NeutralText]:
    """Messages that concern no value and share no fact with the exam."""
    rng = random.Random(f"{SEED}:neutral")
    texts: dict[str, None] = {}
    while len(texts) < NEUTRAL:
        texts[talk.neutral_text(rng)] = None
    return [NeutralText(id=f"mini-neutral-{i:03d}", text=text) for i, text in enumerate(texts, start=1)]


def role_rows() -> Iterator[dict[str, Any]]:
    """Held-out roles with the planted shift ``e`` and latent values ``z``, in the order of ``VALUES``."""
    for i, role in enumerate(roles(ROLES, SEED), start=1):
        fields = {key: getattr(role, key) for key in ("name", "gender", "job", "type", "temper", "manner")}
        e, z = ([round(float(x), 4) for x in vector] for vector in (role.e(), role.z()))
        yield {"id": f"mini-role-{i:03d}", "text": role.text, **fields, "e": e, "z": z}


def planted() -> dict[str, Any]:
    """The planted causal model, as published."""
    return {
        "about": "z = W z + e; P(act for value v) = sigmoid(slope * z_v + bias + appeal for "
        "- appeal against); e = what is given + normal noise",
        "values": list(VALUES),
        "edges": [{"cause": cause, "effect": effect, "weight": weight} for cause, effect, weight in scm.EDGES],
        "noise_sd": scm.NOISE_SD,
        "slope": scm.SLOPE,
        "bias": scm.BIAS,
        "appeal": {v: {act: round(x, 4) for act, x in own.items()} for v, own in appeals().items()},
        "unsure_margin": scm.UNSURE_MARGIN,
        "total_effects": {
            "about": "row j, column i: change of z_j by a unit change of e_i",
            "matrix": scm.TOTAL_EFFECTS.round(6).tolist(),
        },
    }


def _lines(rows: Iterable[BaseModel | dict[str, Any]]) -> str:
    plain = (row if isinstance(row, dict) else row.model_dump(mode="json", exclude_none=True) for row in rows)
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in plain)


def files() -> Iterator[tuple[str, str]]:
    """(path below the data folder, content) of every file of items."""
    for value in VALUES:
        yield f"dilemmas/{value}.jsonl", _lines(dilemmas(value))
        yield f"pairs/{value}.jsonl", _lines(pairs(value))
        yield f"pairs_straightforward/{value}.jsonl", _lines(pairs(value, straightforward=True))
        yield f"questionnaire/{value}.jsonl", _lines(questionnaire(value))
        yield f"demonstrations/{value}.jsonl", _lines(demonstrations(value))
    yield "exam.jsonl", _lines(exam())
    yield "neutral.jsonl", _lines(neutral())
    yield "roles.jsonl", _lines(role_rows())


def planted_json() -> str:
    """Content of ``planted.json``."""
    return json.dumps(planted(), indent=1) + "\n"


def write(root: Path) -> None:
    """Writes all items below ``root``."""
    for name, content in files():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m valuebench_harness.mini.write_data", description=__doc__)
    parser.add_argument("--out", type=Path, default=shipped_tasks() / "mini" / "data", help="folder of the items")
    write(parser.parse_args().out)
    planted_path().write_text(planted_json(), encoding="utf-8")


if __name__ == "__main__":
    main()
