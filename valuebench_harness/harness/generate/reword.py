"""Dilemmas in other words, written by a model and checked by rule, so that their options, and so the judges, stay.

The model is not told the value, which would slip into its words. What a rule cannot see is whether a question still
asks the same: read some before relying on them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from valuebench_harness import __version__
from valuebench_harness.data.stems import content_stems, words
from valuebench_harness.errors import IncompleteError
from valuebench_harness.harness.generate.ask import Asker, WriterSettings
from valuebench_harness.harness.generate.parse import NumberedText, read_numbered
from valuebench_harness.harness.generate.prompts import Templates
from valuebench_harness.harness.generate.recipe import batches
from valuebench_harness.harness.generate.records import Rejection, Rewording, RewordingInfo, counted_reasons
from valuebench_harness.harness.generate.store import ReplyStore
from valuebench_harness.harness.progress import Reporter
from valuebench_harness.harness.records import Document
from valuebench_harness.harness.store import record_lines, write_atomically
from valuebench_harness.judges.chat import Words

FILE = "rewordings.jsonl"
TEMPLATE = "reword.txt"
ROUNDS = 3
"""Times that a question without an acceptable rewording is asked for."""

WORDS = Words("The rewording model's server", "Replies", "--reword-with")


@dataclass(frozen=True)
class Reworded:
    """Questions in other words.

    Attributes:
        texts: by id of the dilemma.
        left_out: ids of those without an acceptable rewording.
        reasons: why replies were rejected, and how often, most frequent first.
    """

    texts: Mapping[str, str]
    left_out: tuple[str, ...]
    reasons: Sequence[tuple[str, int]]


def reword(
    documents: Sequence[Document], folder: Path, settings: WriterSettings, *, seed: int, report: Reporter
) -> Reworded:
    """Has a model reword dilemmas and keeps what passes; what was answered once is not asked again.

    Args:
        documents: to reword.
        folder: gets ``rewordings.jsonl``, a line a dilemma; replies and rejections stand in its ``rewording/``.
        settings: of the model.
        seed: of the first round.
        report: shows progress.

    Raises:
        UsageError: a bad template, a refused key, an unknown model.
        IncompleteError: the server is gone, the budget is spent, or nothing passed; replies are kept.
    """
    templates = Templates((TEMPLATE,), settings.templates)
    store = ReplyStore(folder / "rewording")
    texts: dict[str, str] = {}
    rejected: list[Rejection] = []
    with store.lock(), store.steps_writer() as writer:
        asker = Asker(settings, store.known(), writer, seed=seed, report=report, words=WORDS)
        try:
            for turn in range(ROUNDS):
                missing = [d for d in documents if d.id not in texts]
                for document, found in _ask_once(missing, templates, asker, turn):
                    if isinstance(found, Rejection):
                        rejected.append(found)
                    else:
                        texts[document.id] = found
        finally:
            store.write_rejections(rejected)
        left_out = tuple(d.id for d in documents if d.id not in texts)
        reasons = counted_reasons(rejected)
        if not texts:
            raise IncompleteError(
                f"Nothing of what {settings.model} wrote was accepted; most often: {reasons[0][0]}. See {store.folder}."
            )
        info = RewordingInfo(
            model=settings.model,
            templates=templates.digest,
            version=__version__,
            seed=seed,
            wanted=len(documents),
            left_out=left_out,
            rejected=len(rejected),
            requests=len(asker.used),
            tokens=sum(exchange.tokens for exchange in asker.used.values()),
        )
        write_atomically(store.folder / "rewording.json", info.model_dump_json(indent=1) + "\n")
        kept = [Rewording(id=d.id, text=texts[d.id]) for d in documents if d.id in texts]
        write_atomically(folder / FILE, record_lines(kept))
    return Reworded(texts, left_out, reasons)


def _ask_once(
    documents: Sequence[Document], templates: Templates, asker: Asker, turn: int
) -> Iterator[tuple[Document, str | Rejection]]:
    """Each dilemma with its rewording, or with why there is none."""
    groups = list(batches(documents))
    prompts = [templates.fill(TEMPLATE, questions=_entries(group)) for group in groups]
    for group, reply in zip(groups, asker.ask("reword", prompts, turn), strict=True):
        for document, entry in zip(group, read_numbered(reply, NumberedText, len(group)), strict=True):
            if isinstance(entry, str):
                yield document, Rejection(step="reword", reason=entry, texts=(document.text,))
            elif fault := rewording_fault(document, entry.text):
                yield document, Rejection(step="reword", reason=fault, texts=(document.text, entry.text))
            else:
                yield document, entry.text


def _entries(group: Sequence[Document]) -> list[dict[str, object]]:
    return [
        {"number": number, "question": document.text, **({"acts": document.options} if document.options else {})}
        for number, document in enumerate(group, 1)
    ]


def rewording_fault(document: Document, text: str) -> str:
    """Why a text does not stand in for a dilemma; empty where it does."""
    if words(text) == words(document.text):
        return "it is the question as it was"
    if document.text.rstrip().endswith("?") and not text.endswith("?"):
        return "it does not end with a question mark"
    for place, option in zip(("first", "second"), document.options, strict=False):
        if not _spelled_out(option, document.text, text):
            return f"its {place} act is no longer spelled out"
    if document.yes is None and _turned(document.options, document.text, text):
        return "its acts change places"
    return ""


def _spelled_out(option: str, before: str, after: str) -> bool:
    """Whether an option is named as it was: word for word, or by as many of its words (yes/no questions name one)."""
    act, old, new = (f" {' '.join(words(text))} " for text in (option, before, after))
    if act in old:
        return act in new
    named = set(content_stems(option)) & set(content_stems(before))
    return named <= set(content_stems(after))


def _turned(options: Sequence[str], before: str, after: str) -> bool:
    """Whether "the former" would mean the other act; acts stand where their own words come last."""
    if len(options) != 2:
        return False
    first, second = (set(content_stems(option)) for option in options)
    own = (first - second, second - first)

    def in_order(text: str) -> bool | None:
        stems = content_stems(text)
        last = [max((i for i, stem in enumerate(stems) if stem in act), default=None) for act in own]
        return None if last[0] is None or last[1] is None else last[0] < last[1]

    orders = (in_order(before), in_order(after))
    return None not in orders and orders[0] != orders[1]
