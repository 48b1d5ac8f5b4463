"""The stage that runs the model: asks in, samples on disk out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from math import isfinite
from typing import TYPE_CHECKING, Any

from valuebench_harness.engine.rows import Generation, GenerationRow, LoglikelihoodRow
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.chat_model import FINISHES, LETTER_TOKENS, ChatModel, ChatRow, parse_letter
from valuebench_harness.harness.own_code import told
from valuebench_harness.harness.records import Sample
from valuebench_harness.harness.requests import LETTERS, Ask, letters, unique

if TYPE_CHECKING:
    from valuebench_harness.engine.model import SteeredModel
    from valuebench_harness.harness.cache import Cache
    from valuebench_harness.harness.chat_model import AnyModel
    from valuebench_harness.harness.config import RunConfig
    from valuebench_harness.harness.progress import Advance
    from valuebench_harness.steerers.base import Steerer

FLUSH = 64
"""Samples that are written and synced together: what a kill may cost."""


def generate(
    asks: Sequence[Ask],
    *,
    model: AnyModel,
    config: RunConfig,
    cache: Cache,
    steerer: Steerer[Any],
    write: Callable[[Sequence[Sample]], None],
    advance: Advance,
) -> int:
    """Answers all asks, from the cache where possible; every sample is written before it counts.

    Returns:
        How many distinct answers the model had to compute.

    Raises:
        IncompleteError: an intervention of a user's own raised, or a server gave no answer; what is finished is
            written.
    """
    waiting: dict[str, list[Ask]] = defaultdict(list)
    for ask in asks:
        waiting[ask.key].append(ask)
    known = cache.get(waiting)
    for start in range(0, len(known), FLUSH * 8):
        part = list(known.items())[start : start + FLUSH * 8]
        samples = [sample(ask, answer) for key, answer in part for ask in waiting[key]]
        write(samples)
        advance(len(samples))
    todo = [ask for key, ask in unique(asks).items() if key not in known]
    fresh: dict[str, Any] = {}

    def flush() -> None:
        samples = [sample(ask, answer) for key, answer in fresh.items() for ask in waiting[key]]
        write(samples)
        cache.put("answer", fresh)
        fresh.clear()
        advance(len(samples))

    try:
        with told(steerer, "steering the model"):
            answers = _chat(todo, model, config) if isinstance(model, ChatModel) else _compute(todo, model, config)
            for key, answer in answers:
                fresh[key] = answer
                if len(fresh) >= FLUSH:
                    flush()
    finally:
        flush()
    return len(todo)


def _compute(todo: Sequence[Ask], model: SteeredModel, config: RunConfig) -> Iterator[tuple[str, dict[str, Any]]]:
    special = not model.has_chat_template
    open_asks = [a for a in todo if a.document.kind != "exam"]
    rows = [
        GenerationRow(
            prompt=a.prompt,
            plan=a.plan,
            max_new_tokens=config.max_new_tokens,
            temperature=config.sampling_temperature,
            seed=a.seed,
            special=special,
        )
        for a in open_asks
    ]
    for index, answer in model.generate(rows, batch_size=config.batch_size):
        yield open_asks[index].key, kept(answer)
    yield from _exam([a for a in todo if a.document.kind == "exam"], model, config, special=special)


def kept(answer: Generation) -> dict[str, Any]:
    """What the cache keeps of an answer: the same whoever asked for it, since a key does not say."""
    return {
        "answer": answer.text,
        "finish": answer.finish,
        "prompt_tokens": answer.n_prompt_tokens,
        "new_tokens": len(answer.token_ids),
        "moved_prompt": answer.moved_prompt and asdict(answer.moved_prompt),
        "moved_answer": answer.moved_answer and asdict(answer.moved_answer),
    }


def _chat(todo: Sequence[Ask], model: ChatModel, config: RunConfig) -> Iterator[tuple[str, dict[str, Any]]]:
    """Answers of a model behind a server, an exam's read from what it says."""
    rows = [
        ChatRow(a.prompt, LETTER_TOKENS)
        if a.document.kind == "exam"
        else ChatRow(a.prompt, config.max_new_tokens, config.sampling_temperature, a.seed)
        for a in todo
    ]
    for index, reply in model.generate(rows):
        ask = todo[index]
        found: dict[str, Any] = {
            "answer": reply.text,
            "finish": FINISHES.get(reply.finish, reply.finish),
            "prompt_tokens": reply.prompt_tokens,
            "new_tokens": reply.new_tokens,
        }
        if ask.document.kind == "exam":
            found["choice"] = parse_letter(reply.text, LETTERS[: len(ask.document.options)])
        yield ask.key, found


def _exam(
    asks: Sequence[Ask], model: SteeredModel, config: RunConfig, *, special: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Scores the letters as continuations, as lm-eval does for MMLU; the first of equals wins."""
    rows: list[LoglikelihoodRow] = []
    owners: list[int] = []
    first: list[int] = []
    for n, ask in enumerate(asks):
        first.append(len(rows))
        for letter in letters(ask.document, model):
            rows.append(LoglikelihoodRow(ask.prompt, letter, ask.plan, special))
            owners.append(n)
    scores: dict[int, dict[int, float]] = defaultdict(dict)
    for index, scored in model.loglikelihoods(rows, batch_size=config.batch_size):
        n = owners[index]
        scores[n][index - first[n]] = scored.logprob
        if len(scores[n]) == len(asks[n].document.options):
            logprobs = [scores[n][i] for i in range(len(scores[n]))]
            if not all(map(isfinite, logprobs)):
                raise UsageError(
                    f"The model gives the letters of '{asks[n].document.id}' no finite log-likelihood under "
                    f"'{asks[n].condition.id}': its states left the range of their dtype. Lower the strength."
                )
            yield (
                asks[n].key,
                {"choice": max(range(len(logprobs)), key=logprobs.__getitem__), "choice_logprobs": logprobs},
            )


def sample(ask: Ask, answer: Mapping[str, Any]) -> Sample:
    """The record of an answer to an ask."""
    return Sample(
        condition=ask.condition.id,
        document=ask.document.id,
        repeat=ask.repeat,
        prompt=ask.prompt,
        plan=ask.plan_digest,
        steered=ask.steered,
        gate_score=ask.decision.score if ask.decision else None,
        gate_open=ask.decision.open if ask.decision else None,
        **answer,
    )
