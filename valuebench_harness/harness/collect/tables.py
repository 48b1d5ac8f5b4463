"""From replies and verdicts to what is read on: tables of orientations and one table of all answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from valuebench_harness.causal.table import OrientationTable, from_rows
from valuebench_harness.errors import IncompleteError
from valuebench_harness.harness.collect.plan import CollectPlan
from valuebench_harness.harness.collect.protocol import grammar_thought, prefix_label, split_answer
from valuebench_harness.harness.collect.records import LABELS, Label, Question, Reply

if TYPE_CHECKING:
    from valuebench_harness.harness.records import VerdictRecord

ANSWERS = "answers.parquet"

POINTS: dict[str, int] = {"yes": 1, "no": -1, "unsure": 0}

THOUGHT = "|thought"
"""Ends the key of a thought that is judged apart from its answer."""


@dataclass(frozen=True)
class Scored:
    """A reply and what it says.

    Attributes:
        reply: the reply.
        question: that it answers.
        thought: what comes before the answer.
        answer: the answer.
        label: yes, no or unsure; ``None`` is unscored, or read as a probability.
        thought_label: the same of the thought, where it was read.
    """

    reply: Reply
    question: Question
    thought: str = ""
    answer: str = ""
    label: Label | None = None
    thought_label: Label | None = None

    @property
    def score(self) -> float | None:
        """Agreement x (+1 yes, -1 no, 0 unsure), or its expectation; ``None`` is unscored (Kang et al., 3.1)."""
        if self.reply.probabilities is not None:
            yes, no, _ = self.reply.probabilities
            return self.question.agreement * (yes - no)
        return None if self.label is None else float(self.question.agreement * POINTS[self.label])


@dataclass(frozen=True)
class Reader:
    """Reads replies: by their first words, else by the judge's verdict.

    Attributes:
        plan: of the collection.
        verdicts: of the judge, by key.
    """

    plan: CollectPlan
    verdicts: Mapping[str, VerdictRecord]

    def read(self, replies: Iterable[Reply]) -> Iterator[Scored]:
        """Every reply, scored."""
        questions = {q.id: q for q in self.plan.questionnaire.items}
        for reply in replies:
            question = questions[reply.item]
            if reply.probabilities is not None:
                yield Scored(reply, question)
                continue
            thought, answer = split_answer(reply.answer)
            label = prefix_label(answer) or self._verdict(reply.key)
            meant = grammar_thought(reply.answer) if self.plan.config.is_mini else self._verdict(reply.key + THOUGHT)
            yield Scored(reply, question, thought, answer, label, meant if thought else None)

    def _verdict(self, key: str) -> Label | None:
        found = self.verdicts.get(key)
        return next((label for label in LABELS if found is not None and found.label == label), None)


def orientation_table(plan: CollectPlan, scored: Iterable[Scored], part: Literal["train", "test"]) -> OrientationTable:
    """Orientations of the roles of a part under every setting.

    An orientation is the mean over items of the mean over an item's scored answers. Unscored answers are left
    out; a cell without a scored answer is missing.
    """
    found: dict[tuple[str, str], dict[str, dict[str, list[float]]]] = {
        (s.id, p.id): {} for s in plan.methods.settings for p in plan.people if p.part in (part, "both")
    }
    for one in scored:
        if one.question.part == part and one.score is not None:
            row = found[one.reply.setting, one.reply.role]
            row.setdefault(one.question.value, {}).setdefault(one.question.id, []).append(one.score)
    rows = {
        at: {value: _mean([_mean(answers) for answers in items.values()]) for value, items in row.items()}
        for at, row in found.items()
    }
    return from_rows(rows, plan.columns, part)


def write_answers(scored: Sequence[Scored], path: Path) -> None:
    """Writes all answers as one Parquet table, a row each, in an order of their own.

    Text is written as the model said it; whoever shows it must treat it as untrusted.

    Raises:
        IncompleteError: where the folder cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    text, number, small = pa.string(), pa.float64(), pa.int8()
    schema = pa.schema(
        {
            "setting": text,
            "role": text,
            "part": text,
            "item": text,
            "value": text,
            "agreement": small,
            "repeat": pa.int32(),
            "thought": text,
            "answer": text,
            "label": text,
            "thought_label": text,
            "score": number,
        }
    )
    table = pa.Table.from_pylist([_row(one) for one in scored], schema=schema)
    temporary = path.with_name(path.name + ".part")
    try:
        pq.write_table(table, temporary, compression="zstd")
        temporary.replace(path)
    except OSError as error:
        raise IncompleteError(
            f"{path} cannot be written: {error.strerror or error}. All answers so far are kept; "
            "make room and start the same command again with --resume."
        ) from error


def _row(one: Scored) -> dict[str, Any]:
    return {
        "setting": one.reply.setting,
        "role": one.reply.role,
        "part": one.question.part,
        "item": one.question.id,
        "value": one.question.value,
        "agreement": one.question.agreement,
        "repeat": one.reply.repeat,
        "thought": one.thought,
        "answer": one.answer,
        "label": one.label,
        "thought_label": one.thought_label,
        "score": one.score,
    }


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)
