"""The data of a page's sample browser: every answer once, in columns, texts stored once."""

from __future__ import annotations

import json
from typing import Generic, TypeVar

from pydantic import JsonValue

from valuebench_harness.harness.records import BASE, Condition, Document
from valuebench_harness.harness.run import Answer, Run
from valuebench_harness.reports.clean import clean, cut
from valuebench_harness.reports.steered_tokens import in_words, shown_spans
from valuebench_harness.reports.touch import steered_layers, touch

ANSWER_LENGTH = 20_000
"""Characters of an answer that a page holds."""

UNSCORED = "unscored"

T = TypeVar("T")


class _Numbers(Generic[T]):
    """Things by number, each kept once."""

    def __init__(self) -> None:
        self._found: dict[T, int] = {}

    def of(self, thing: T) -> int:
        return self._found.setdefault(thing, len(self._found))

    @property
    def things(self) -> list[T]:
        return list(self._found)


COLUMNS = (
    "condition",
    "document",
    "repeat",
    "prompt",
    "prompt_words",
    "prompt_spans",
    "text",
    "answer_words",
    "answer_spans",
    "reason",
    "touch",
    "base",
    "csr",
    "fr",
    "stance",
    "exam",
)


class SampleData:
    """Samples of one run or several, as a page's script takes them."""

    def __init__(self) -> None:
        self._texts, self._prompts, self._spans = _Numbers[str](), _Numbers[str](), _Numbers[tuple[int, ...]]()
        self._conditions: list[JsonValue] = []
        self._documents = _Numbers[Document]()
        self._columns: dict[str, list[JsonValue]] = {name: [] for name in COLUMNS}

    def add(self, run: Run, name: str = "") -> dict[str, int]:
        """Adds all answers of a run.

        Args:
            run: to read.
            name: that tells it from other runs of the page.

        Returns:
            The number of each sample in the columns, by its key.
        """
        conditions = {c: len(self._conditions) + n for n, c in enumerate(run.conditions)}
        documents = {d.id: self._documents.of(d) for d in run.documents.values()}
        self._conditions += [_condition(c, name) for c in run.conditions.values()]
        layers = {c.id: steered_layers(c, run.info.fits) for c in run.conditions.values()}
        numbers: dict[str, int] = {}
        base: dict[tuple[str, int], int] = {}
        for number, answer in enumerate(run.answers(), len(self._columns["condition"])):
            sample = answer.sample
            item = (sample.document, sample.repeat)
            numbers[sample.key] = number
            row = self._row(answer, layers[sample.condition])
            row |= {"condition": conditions[sample.condition], "document": documents[sample.document]}
            row["base"] = -1 if sample.condition == BASE.id else base.get(item, -1)
            if sample.condition == BASE.id:
                base[item] = number
            for column, entry in row.items():
                self._columns[column].append(entry)
        return numbers

    def text(self, words: str) -> int:
        """The number of a text of the page's own."""
        return self._texts.of(words)

    def _row(self, answer: Answer, layers: tuple[int, ...]) -> dict[str, JsonValue]:
        """What a sample says for itself."""
        sample, texts = answer.sample, self._texts
        return {
            "repeat": sample.repeat,
            "prompt": self._prompts.of(sample.prompt),
            "prompt_words": texts.of(in_words(sample.moved_prompt, sample.prompt_tokens)),
            "prompt_spans": self._spans.of(shown_spans(sample.prompt, ANSWER_LENGTH, sample.moved_prompt)),
            "text": texts.of(_text(answer)),
            "answer_words": texts.of(in_words(sample.moved_answer, sample.new_tokens)),
            "answer_spans": self._spans.of(shown_spans(sample.answer, ANSWER_LENGTH, sample.moved_answer)),
            "reason": texts.of(_reasons(answer)),
            "touch": texts.of(touch(answer, layers)),
            **{asks: _label(answer, asks) for asks in ("csr", "fr", "stance")},
            "exam": _exam(answer),
        }

    def json(self) -> dict[str, JsonValue]:
        """All of it.

        Returns:
            ``conditions`` and ``documents`` as objects; ``texts`` and ``prompts``; ``spans``, lists of first and
            past-the-last places of steered tokens; and ``samples`` as columns of equal length: numbers of condition
            and document, of prompt and answer with what was steered in them, of the judge's reasons and of the
            words on what steering did, the sample of the base on the same item (-1 for none), and labels ("" for
            what no judge was asked).
        """
        return {
            "conditions": self._conditions,
            "documents": [_document(d) for d in self._documents.things],
            "texts": list(self._texts.things),
            "prompts": [cut(prompt, ANSWER_LENGTH) for prompt in self._prompts.things],
            "spans": [list(spans) for spans in self._spans.things],
            "samples": {name: list(column) for name, column in self._columns.items()},
        }


def sample_data(run: Run) -> dict[str, JsonValue]:
    """All answers of a run for the page's script; see :meth:`SampleData.json`."""
    data = SampleData()
    data.add(run)
    return data.json()


def script_json(data: JsonValue) -> str:
    """JSON that can stand inside a ``<script>`` element: nothing in it ends the element or a line."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _condition(condition: Condition, run: str) -> JsonValue:
    return {
        "run": clean(run),
        "steerer": clean(condition.steerer),
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
