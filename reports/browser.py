"""The data of a page's sample browser: every answer once, in columns, texts stored once."""

from __future__ import annotations

import json

from pydantic import JsonValue

from valuebench_harness.harness.records import BASE, Condition, Document
from valuebench_harness.harness.run import Answer, Run
from valuebench_harness.reports.clean import clean, cut
from valuebench_harness.reports.touch import steered_layers, touch

ANSWER_LENGTH = 20_000
"""Characters of an answer that a page holds."""

UNSCORED = "unscored"


class _Texts:
    """Texts by number, each stored once."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        return self.numbers.setdefault(text, len(self.numbers))


def sample_data(run: Run) -> dict[str, JsonValue]:
    """All answers of a run for the page's script.

    Returns:
        ``conditions`` and ``documents`` as objects; ``texts``; and ``samples`` as columns of equal
        length: numbers of condition, document, answer text, reason text and of the text that says what
        steering did, the sample of the base on the same item (-1 for none), and labels ("" for what
        no judge was asked).
    """
    conditions = {c: n for n, c in enumerate(run.conditions)}
    documents = {d: n for n, d in enumerate(run.documents)}
    layers = {c.id: steered_layers(c, run.info.fits) for c in run.conditions.values()}
    texts = _Texts()
    base: dict[tuple[str, int], int] = {}
    columns: dict[str, list[JsonValue]] = {
        name: []
        for name in (
            "condition",
            "document",
            "repeat",
            "text",
            "reason",
            "touch",
            "base",
            "csr",
            "fr",
            "stance",
            "exam",
        )
    }
    for number, answer in enumerate(run.answers()):
        sample = answer.sample
        item = (sample.document, sample.repeat)
        if sample.condition == BASE.id:
            base[item] = number
        row: dict[str, JsonValue] = {
            "condition": conditions[sample.condition],
            "document": documents[sample.document],
            "repeat": sample.repeat,
            "text": texts.number(_text(answer)),
            "reason": texts.number(_reasons(answer)),
            "touch": texts.number(touch(answer, layers[sample.condition])),
            "base": -1 if sample.condition == BASE.id else base.get(item, -1),
            **{asks: _label(answer, asks) for asks in ("csr", "fr", "stance")},
            "exam": _exam(answer),
        }
        for name, column in columns.items():
            column.append(row[name])
    return {
        "conditions": [_condition(c) for c in run.conditions.values()],
        "documents": [_document(d) for d in run.documents.values()],
        "texts": list(texts.numbers),
        "samples": {name: list(column) for name, column in columns.items()},
    }


def script_json(data: JsonValue) -> str:
    """JSON that can stand inside a ``<script>`` element: nothing in it ends the element or a line."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _condition(condition: Condition) -> JsonValue:
    return {
        "value": clean(condition.value or ""),
        "sign": condition.sign,
        "strength": condition.strength,
        "twin": condition.is_twin,
    }


def _document(document: Document) -> JsonValue:
    return {
        "id": clean(document.id),
        "kind": document.kind,
        "value": clean(document.value or ""),
        "scene": clean(document.scene or ""),
        "text": cut(document.text, ANSWER_LENGTH),
        "options": [clean(option) for option in document.options],
        "favours": document.favours if document.kind == "dilemma" else document.answer,
    }


def _text(answer: Answer) -> str:
    options, choice = answer.document.options, answer.sample.choice
    if answer.document.kind == "exam" and choice is not None and choice < len(options):
        return f"{chr(ord('A') + choice)}. {clean(options[choice])}"
    return cut(answer.sample.answer, ANSWER_LENGTH)


def _reasons(answer: Answer) -> str:
    return "\n".join(f"{asks}: {cut(v.reason, 2_000)}" for asks, v in answer.verdicts.items() if v.reason)


def _label(answer: Answer, asks: str) -> str:
    verdict = answer.verdicts.get(asks)
    return "" if verdict is None else verdict.label or UNSCORED


def _exam(answer: Answer) -> str:
    if answer.document.kind != "exam":
        return ""
    return "right" if answer.sample.choice == answer.document.answer else "wrong"
