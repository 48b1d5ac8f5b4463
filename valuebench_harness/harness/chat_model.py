"""A model behind an OpenAI-compatible server: it is given conversations and gives text, nothing else.

Prompt methods run on it, for dilemmas, questionnaires and the exam; what reads or moves hidden states is
refused when the run is planned (:mod:`.remote`). An exam is answered in text: the model is asked for the letter
alone, and a reply that is anything else stays unscored.

The key comes from ``OPENAI_API_KEY`` and is never stored or printed.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import queue
import re
import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import urlsplit

from valuebench_harness.engine.plan import Message
from valuebench_harness.errors import AGAIN, IncompleteError, UsageError
from valuebench_harness.harness.remote import REMOTE
from valuebench_harness.judges.chat import ChatClient, Reply, ServerSettings, Words
from valuebench_harness.judges.faults import Fault

if TYPE_CHECKING:
    from valuebench_harness.engine.model import SteeredModel

T = TypeVar("T")

WORDS = Words("The model's server", "Answers", "--model openai:NAME")

LETTER_ONLY = "Answer with the letter alone."
LETTER_TOKENS = 8

FINISHES = {"stop": "eos", "length": "length"}
"""The server's reasons for the end of an answer, by the engine's names."""


@dataclass(frozen=True)
class ChatRow:
    """One conversation to continue.

    Attributes:
        prompt: a conversation as :meth:`ChatModel.render` wrote it.
        max_new_tokens: at most so many.
        temperature: 0 is greedy.
        seed: of a sampled answer; servers honour it as far as they can.
    """

    prompt: str
    max_new_tokens: int
    temperature: float = 0.0
    seed: int = 0


class ChatModel:
    """A model behind a server, with what a run asks of any model.

    Args:
        name: as the user wrote it, ``openai:NAME``.
        base_url: of the server; ``OPENAI_BASE_URL`` or OpenAI's own where it is ``None``.

    Attributes:
        commit, dtype, n_layers, width, device: what a run records of a model, as far as a server tells.
        has_chat_template: the server renders conversations itself.
        notes: what a report should mention.

    Raises:
        UsageError: the name is empty.
    """

    commit: str | None = None
    dtype = "unknown"
    n_layers = 0
    width = 0
    has_chat_template = True

    def __init__(self, name: str, base_url: str | None = None) -> None:
        model = name.removeprefix(REMOTE)
        if not model:
            raise UsageError(f"--model {name} names no model; write for example openai:gpt-4o-mini.")
        self.name = name
        self.notes: list[str] = []
        address = urlsplit(base_url or os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1")
        self.device = address.hostname or "server"
        # Another server may serve another model by the same name; a password in the address is no part of it.
        served = f"{model}@{address.hostname}:{address.port}{address.path}"
        self.fingerprint = hashlib.sha256(served.encode()).hexdigest()
        self._client = ChatClient(model, ServerSettings(base_url=base_url), WORDS)

    def render(self, messages: Sequence[Message]) -> str:
        """A conversation as it is sent, in JSON."""
        return json.dumps([m.to_dict() for m in messages], ensure_ascii=False)

    def generate(self, rows: Sequence[ChatRow]) -> Iterator[tuple[int, Reply]]:
        """Answers as they arrive, by row index.

        Raises:
            UsageError: at once, where the server refuses the key or does not know the model.
            IncompleteError: where the server cannot be reached, or, after all other answers, where some
                requests got none.
        """
        faults = []
        replies = _from_loop(
            lambda: self._client.ask_all(
                len(rows), lambda i: json.loads(rows[i].prompt), lambda i: _parameters(rows[i])
            )
        )
        for index, reply in replies:
            if isinstance(reply, Fault):
                faults.append(reply.reason)
            else:
                yield index, reply
        if faults:
            raise IncompleteError(
                f"{len(faults)} of {len(rows)} requests got no answer ({faults[0]}). The others are kept; {AGAIN}."
            )


AnyModel: TypeAlias = "SteeredModel | ChatModel"


def whole_model(model: AnyModel, what: str) -> SteeredModel:
    """The model itself.

    Args:
        model: of a run.
        what: needs it, for the error.

    Raises:
        UsageError: the model is behind a server.
    """
    if isinstance(model, ChatModel):
        raise UsageError(f"{what} needs the model itself; {model.name} is behind a server.")
    return model


def parse_letter(text: str, letters: str) -> int | None:
    """The index of the letter in a reply that is a letter and nothing else ("B", "(B)", "b.", "Answer: B")."""
    match = re.fullmatch(r"\s*(?:answer\s*:)?\s*[\"'*(]*([a-z])[\"'*)]*[.):]?\s*", text, re.IGNORECASE)
    found = letters.find(match.group(1).upper()) if match else -1
    return found if found >= 0 else None


def _parameters(row: ChatRow) -> dict[str, Any]:
    seed = {"seed": row.seed} if row.temperature else {}
    return {"temperature": row.temperature, "max_tokens": row.max_new_tokens, **seed}


def _from_loop(make: Callable[[], AsyncGenerator[T, None]]) -> Iterator[T]:
    """What an asynchronous generator gives, while it runs in a loop of its own in another thread.

    So replies are stored as they arrive, and a notebook's own loop is left alone. Leaving early cancels the rest.
    """
    arrived: queue.SimpleQueue[tuple[T] | BaseException | None] = queue.SimpleQueue()
    loop = asyncio.new_event_loop()

    async def pump() -> None:
        async with aclosing(make()) as source:
            async for item in source:
                arrived.put((item,))

    task = loop.create_task(pump())

    def work() -> None:
        try:
            loop.run_until_complete(task)
            arrived.put(None)
        except BaseException as error:
            arrived.put(error)
        finally:
            loop.close()

    thread = threading.Thread(target=work, name="chat-model", daemon=True)
    thread.start()
    try:
        while (got := arrived.get()) is not None:
            if isinstance(got, BaseException):
                raise got
            yield got[0]
    finally:
        with suppress(RuntimeError):  # the loop is closed where all has arrived
            loop.call_soon_threadsafe(task.cancel)
        thread.join()
