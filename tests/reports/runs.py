"""Run folders written through the real store and scorer, from answers drawn with a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from valuebench_harness.engine.rows import Moved
from valuebench_harness.harness.config import RunConfig
from valuebench_harness.harness.records import BASE, Condition, Document, FitRecord, RunInfo, Sample, VerdictRecord
from valuebench_harness.harness.run import Run
from valuebench_harness.harness.scoring import LmEval, Scorer
from valuebench_harness.harness.store import RunStore

JUDGE = "grammar"
SCENES = ("work", "family", "school", "travel", "money")

HOSTILE = (
    "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>",
    "</script><script>window.hacked = 3</script><!-- ",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b]8;;http://evil.example\x07link\x1b]8;;\x07 bell\x07 back\x08\x9b2J",
    "\u202egnirts desrever\u202c \u2066isolated\u2069 \u200fmark",
    '=HYPERLINK("http://evil.example","click")',
    "| a | b |\n|---|---|\n# Heading\n```\n</details> [link](javascript:alert(1)) ![pixel](http://evil.example/x.png)",
    "</pre> **bold** @everyone\n\n<b>after a blank line</b>",
    "[bold red]rich markup[/] [link=http://evil.example]x[/link]",
    "{{ 7 * 7 }} {% raw %} ${7*7} line\u2028separator\u2029paragraph",
    "long " * 20_000,
    "\ud83d".encode("utf-16", "surrogatepass").decode("utf-16", "replace") + " not a pair \x00 nul",
)


@dataclass(frozen=True)
class Spec:
    """What a run folder should hold.

    ``effects`` maps (value steered, value measured) to the chance that an answer acts for the
    measured value; pairs that are missing keep the base's chance of 0.4. ``unscored`` is the chance that an answer
    has no verdict on what it says; where ``silent``, none has.
    """

    values: Sequence[str] = ("achievement", "power", "self-direction")
    per_value: int = 12
    levels: Sequence[float] = (2.0,)
    steerer: str = "conva"
    direction: str = "positive"
    gate: str = "probe"
    exam: int = 20
    questions: int = 6
    repeats: int = 1
    unscored: float = 0.0
    silent: Callable[[Condition, Document], bool] = lambda condition, document: False
    effects: Mapping[tuple[str, str], float] | None = None
    texts: Sequence[str] = ()
    lm_eval: LmEval | None = None
    seed: int = 0


def write_run(folder: Path, spec: Spec | None = None) -> Run:
    """Writes a complete run and reads it back."""
    spec = spec or Spec()
    rng = random.Random(spec.seed)
    documents, conditions = _documents(spec), _conditions(spec)
    samples, verdicts = [], []
    for condition in conditions:
        for document in documents:
            if not _answers(condition, document):
                continue
            for repeat in range(1 if document.kind == "exam" else spec.repeats):
                sample, found = _answer(spec, rng, condition, document, repeat)
                samples.append(sample)
                verdicts += found
    config = RunConfig(
        model="mini",
        steerer=spec.steerer,
        values=tuple(spec.values),
        strength=tuple(spec.levels) or None,
        direction="negative" if spec.direction == "negative" else "positive",
    )
    fits = tuple(
        FitRecord(
            method=spec.steerer,
            value=v,
            digest="ab" * 16,
            layers=(1, 2),
            accuracy={1: 0.97, 2: 1.0},
            seconds=0.8,
            cached=False,
        )
        for v in (spec.values if spec.levels else ())
    )
    info = RunInfo(
        config=config,
        plan_hash="0123456789abcdef" * 4,
        data_hash="fedcba9876543210" * 4,
        model={
            "name": "mini",
            "commit": "c0ffee",
            "dtype": "float32",
            "fingerprint": "f" * 16,
            "n_layers": 6,
            "width": 128,
        },
        judge=JUDGE,
        fits=fits,
        versions={"torch": "2.13.0", "transformers": "5.0.0"},
        notes=("Out of memory at 64 rows: went on with 32.",),
        seconds={"load": 0.2, "fit": 2.4, "generate": 31.5, "judge": 0.4},
        status="complete",
        created="2026-01-02T03:04:05+00:00",
    )
    store = RunStore(folder)
    store.write_info(info)
    store.write_plan(conditions, documents)
    with store.samples_writer() as writer:
        writer.write(samples)
    with store.verdicts_writer() as writer:
        writer.write(verdicts)
    scorer = Scorer(
        system="schwartz",
        conditions=conditions,
        documents={d.id: d for d in documents},
        samples=samples,
        verdicts={(v.sample, v.asks): v for v in verdicts},
    )
    results = scorer.results(judge=JUDGE, fits=fits, generate_seconds=31.5, lm_eval=spec.lm_eval)
    store.write_text("metrics.json", results.model_dump_json(indent=1) + "\n")
    return Run(folder)


def _documents(spec: Spec) -> list[Document]:
    out = []
    for value in spec.values:
        for n in range(spec.per_value):
            scene = SCENES[n % len(SCENES)]
            question = f"[{value} {n}] At {scene}, should Kim take the first way or the second?"
            out.append(
                Document(
                    id=f"mini_{value}/{n}",
                    task=f"mini_{value}",
                    kind="dilemma",
                    system="schwartz",
                    value=value,
                    scene=scene,
                    text=question,
                    options=(f"take the way that serves {value}", "leave it"),
                    favours=0,
                )
            )
        for n in range(spec.questions):
            out.append(
                Document(
                    id=f"q_{value}/{n}",
                    task="mini_questionnaire",
                    kind="questionnaire",
                    system="schwartz",
                    value=value,
                    text=f"Do you agree with statement {n} about {value}?",
                    agreement=1 if n % 2 else -1,
                )
            )
    choices = ("red", "green", "blue", "grey")
    for n in range(spec.exam):
        out.append(
            Document(
                id=f"exam/{n}",
                task="mini_exam",
                kind="exam",
                scene="facts",
                text=f"Fact {n}?",
                options=choices,
                answer=n % 4,
            )
        )
    return out


def _conditions(spec: Spec) -> list[Condition]:
    out = [BASE]
    sign = "-" if spec.direction == "negative" else "+"
    for value in spec.values:
        for level, strength in enumerate(spec.levels):
            condition = Condition.model_validate(
                {
                    "id": f"{spec.steerer}:{value}:{sign}{strength:g}",
                    "steerer": spec.steerer,
                    "value": value,
                    "direction": spec.direction,
                    "strength": strength,
                    "level": level,
                    "gate": spec.gate,
                }
            )
            out.append(condition)
            if spec.gate != "none" and spec.exam:
                out.append(condition.model_copy(update={"id": condition.twin_id, "gate": "none"}))
    return out


def _answers(condition: Condition, document: Document) -> bool:
    if condition.is_twin:
        return document.kind == "exam"
    return condition.id == "base" or document.kind != "questionnaire" or document.value == condition.value


def _chance(spec: Spec, condition: Condition, document: Document) -> float:
    if condition.value is None or document.value is None:
        return 0.4
    if spec.effects is not None:
        return spec.effects.get((condition.value, document.value), 0.4)
    if condition.value == document.value:
        up = min(0.95, 0.6 + 0.15 * condition.strength)
        return up if condition.sign > 0 else 1 - up
    return 0.4


def _answer(
    spec: Spec, rng: random.Random, condition: Condition, document: Document, repeat: int
) -> tuple[Sample, list[VerdictRecord]]:
    common: dict[str, Any] = {
        "condition": condition.id,
        "document": document.id,
        "repeat": repeat,
        "prompt": f"<user> {document.text}",
        "prompt_tokens": 20,
    }
    if document.kind == "exam":
        assert document.answer is not None
        sure = 0.97 if condition.gate != "none" or condition.id == "base" else 0.8
        choice = document.answer if rng.random() < sure else (document.answer + 1) % 4
        return Sample.model_validate({**common, "choice": choice, "choice_logprobs": (-1.0, -2.0, -3.0, -4.0)}), []
    favours = rng.random() < _chance(spec, condition, document)
    text = f"I would {document.options[0 if favours else 1]}." if document.options else ("Yes." if favours else "No.")
    if spec.texts and condition.id != "base":
        text = spec.texts[rng.randrange(len(spec.texts))]
    if condition.id != "base":
        common |= {"moved_prompt": moved(common["prompt"], 7), "moved_answer": moved(text, 2)}
    sample = Sample.model_validate(
        {
            **common,
            "answer": text,
            "finish": "eos",
            "new_tokens": 9,
            "steered": condition.id != "base",
            "gate_open": condition.id != "base",
        }
    )
    lost = rng.random() < spec.unscored or spec.silent(condition, document)
    if document.kind == "questionnaire":
        return sample, [_verdict(sample, "stance", None if lost else ("yes" if favours else "no"))]
    fluent = "fluent" if rng.random() < 0.97 else "broken"
    return sample, [
        _verdict(sample, "csr", None if lost else ("yes" if favours else "no")),
        _verdict(sample, "fr", fluent),
    ]


def moved(text: str, start: int) -> Moved:
    """All tokens steered but those in front and the last ten characters, one layer less often than the other."""
    return Moved(tokens=7, layers=((1, 7), (2, 5)), spans=((start, max(start + 1, len(text) - 10)),))


def _verdict(sample: Sample, asks: str, label: str | None) -> VerdictRecord:
    reason = "the answer names neither option" if label is None else "parsed"
    return VerdictRecord.model_validate(
        {"sample": sample.key, "asks": asks, "judge": JUDGE, "label": label, "reason": reason}
    )
