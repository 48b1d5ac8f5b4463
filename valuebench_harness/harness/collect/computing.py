"""The stage that runs the model: asks in, replies on disk out."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import JsonValue

from valuebench_harness.engine.rows import GenerationRow, LoglikelihoodRow
from valuebench_harness.harness.chat_model import FINISHES, AnyModel, ChatModel, ChatRow, whole_model
from valuebench_harness.harness.collect.answering import Ask
from valuebench_harness.harness.collect.config import CollectConfig
from valuebench_harness.harness.collect.records import LABELS, Reply
from valuebench_harness.harness.generation import FLUSH, kept

if TYPE_CHECKING:
    from valuebench_harness.engine.model import SteeredModel
    from valuebench_harness.harness.cache import Cache
    from valuebench_harness.harness.progress import Advance


DIGITS = 6
"""Of probabilities: below that they depend on the other rows of a batch."""


class Choices(NamedTuple):
    """Where an answer is decided, so that its probability can be read there.

    Attributes:
        opening: what the answer begins with.
        continuations: next words, of which the first token is scored.
        labels: for an agreement of +1 and -1, the label that each of them leads to.
    """

    opening: str
    continuations: tuple[str, ...]
    labels: Mapping[int, tuple[str, ...]]


DIRECT = Choices("Answer:", (" yes", " no", " unsure"), {1: LABELS, -1: LABELS})
"""Without a thought: the answer's first word."""

THOUGHT = Choices("Thought: I", (" care", " do", " have"), {1: ("yes", "no", "unsure"), -1: ("no", "yes", "unsure")})
"""In ``mini``'s grammar the thought decides: "I care about", "I do not care about", "I have mixed feelings about"."""


def way_of(config: CollectConfig) -> dict[str, JsonValue]:
    """All that changes an answer beside prompt, plan and seed."""
    if config.score == "probability":
        choices = choices_of(config)
        return {"opening": choices.opening, "continuations": list(choices.continuations)}
    return {"tokens": config.run.max_new_tokens, "temperature": config.run.sampling_temperature}


def choices_of(config: CollectConfig) -> Choices:
    """Where an answer of the model is decided."""
    return THOUGHT if config.is_mini else DIRECT


def compute(
    asks: Sequence[Ask],
    *,
    model: AnyModel,
    config: CollectConfig,
    cache: Cache,
    write: Callable[[Sequence[Reply]], None],
    advance: Advance,
) -> None:
    """Answers all asks, from the cache where possible; every reply is written before it counts.

    Raises:
        UsageError: probabilities are asked of a model behind a server.
        IncompleteError: a server gave no answer; what is finished is written.
    """
    waiting: dict[str, list[Ask]] = defaultdict(list)
    for ask in asks:
        waiting[ask.key].append(ask)
    known = cache.get(waiting)
    fresh: dict[str, Any] = {}

    def flush() -> None:
        replies = [_reply(ask, answer, config) for key, answer in fresh.items() for ask in waiting[key]]
        write(replies)
        cache.put("answer", {key: answer for key, answer in fresh.items() if key not in known})
        fresh.clear()
        advance(len(replies))

    fresh.update(known)
    flush()
    todo = [owners[0] for key, owners in waiting.items() if key not in known]
    try:
        for key, answer in _answers(todo, model, config):
            fresh[key] = answer
            if len(fresh) >= FLUSH:
                flush()
    finally:
        flush()


def _answers(todo: Sequence[Ask], model: AnyModel, config: CollectConfig) -> Iterator[tuple[str, dict[str, Any]]]:
    if config.score == "probability":
        return _probabilities(todo, whole_model(model, "--score probability"), config)
    return _said(todo, model, config) if isinstance(model, ChatModel) else _texts(todo, model, config)


def _said(todo: Sequence[Ask], model: ChatModel, config: CollectConfig) -> Iterator[tuple[str, dict[str, Any]]]:
    run = config.run
    rows = [ChatRow(a.prompt, run.max_new_tokens, run.sampling_temperature, a.seed) for a in todo]
    for index, reply in model.generate(rows):
        counts = {"prompt_tokens": reply.prompt_tokens, "new_tokens": reply.new_tokens}
        yield todo[index].key, {"answer": reply.text, "finish": FINISHES.get(reply.finish, reply.finish), **counts}


def _texts(todo: Sequence[Ask], model: SteeredModel, config: CollectConfig) -> Iterator[tuple[str, dict[str, Any]]]:
    rows = [
        GenerationRow(
            prompt=a.prompt,
            plan=a.plan,
            max_new_tokens=config.run.max_new_tokens,
            temperature=config.run.sampling_temperature,
            seed=a.seed,
            special=not model.has_chat_template,
        )
        for a in todo
    ]
    for index, answer in model.generate(rows, batch_size=config.run.batch_size):
        yield todo[index].key, kept(answer)


def _probabilities(
    todo: Sequence[Ask], model: SteeredModel, config: CollectConfig
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Shares of the continuations' first tokens, normalised over them."""
    choices = choices_of(config)
    rows = [
        LoglikelihoodRow(a.prompt + choices.opening, c, a.plan, not model.has_chat_template)
        for a in todo
        for c in choices.continuations
    ]
    n = len(choices.continuations)
    found: dict[int, dict[int, float]] = defaultdict(dict)
    for index, scored in model.loglikelihoods(rows, batch_size=config.run.batch_size):
        ask, place = divmod(index, n)
        found[ask][place] = scored.token_logprobs[0]
        if len(found[ask]) == n:
            logs = [found[ask][i] for i in range(n)]
            total = max(logs) + math.log(sum(math.exp(x - max(logs)) for x in logs))
            shares = [round(math.exp(x - total), DIGITS) for x in logs]
            yield todo[ask].key, {"shares": shares, "mass": round(math.exp(total), DIGITS)}


def _reply(ask: Ask, answer: Mapping[str, Any], config: CollectConfig) -> Reply:
    cell = ask.cell
    ids = {"setting": cell.setting.id, "role": cell.person.id, "item": cell.question.id, "repeat": ask.repeat}
    if "shares" not in answer:
        said = {field: answer[field] for field in ("answer", "finish", "prompt_tokens", "new_tokens")}
        return Reply(**ids, **said)
    shares = dict(zip(choices_of(config).labels[cell.question.agreement], answer["shares"], strict=True))
    yes, no, unsure = (shares[label] for label in LABELS)
    return Reply(**ids, probabilities=(yes, no, unsure), mass=answer["mass"])
