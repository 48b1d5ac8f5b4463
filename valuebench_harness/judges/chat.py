"""Asking any OpenAI-compatible server for chat completions: many at once, retried, strictly read."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from valuebench_harness.errors import AGAIN, IncompleteError, UsageError, VharnessError
from valuebench_harness.judges.address import OFFICIAL, address_in_use, checked_address, require_http
from valuebench_harness.judges.faults import (
    NO_MONEY,
    UNKNOWN_MODEL,
    Fault,
    Patience,
    read_error,
    refusal,
    unreadable,
    waste_no_retry,
)

if TYPE_CHECKING:
    from openai import AsyncOpenAI

Messages = Sequence[Mapping[str, str]]
"""A conversation as servers take it: dictionaries with ``role`` and ``content``."""


class ServerSettings(BaseModel):
    """How a server is called.

    Attributes:
        base_url: of the server; ``OPENAI_BASE_URL`` or OpenAI's own where it is ``None``.
        concurrency: requests under way at once.
        timeout: seconds a request may take.
        max_retries: after 408, 409, 429, 5xx, timeouts and lost connections, with back-off; Retry-After is
            honoured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str | None = None
    concurrency: int = Field(16, ge=1)
    timeout: float = Field(60, gt=0)
    max_retries: int = Field(6, ge=0)

    @field_validator("base_url")
    @classmethod
    def _is_address(cls, url: str | None) -> str | None:
        return checked_address(url)


@dataclass(frozen=True)
class Words:
    """How errors speak of a server.

    Attributes:
        server: such as "The judge's server".
        kept: what an interruption does not lose, such as "Verdicts".
        option: that names the model, such as ``--judge-model``.
    """

    server: str
    kept: str
    option: str


@dataclass(frozen=True)
class Reply:
    """What the model said.

    Attributes:
        text: empty where the reply held none.
        finish: the server's reason for the end, such as ``stop`` or ``length``.
        prompt_tokens: read.
        new_tokens: written.
        tokens: paid for, as the server counts them.
    """

    text: str
    finish: str = ""
    prompt_tokens: int = 0
    new_tokens: int = 0
    tokens: int = 0


class _Message(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class _Body(BaseModel):
    """What is read of a reply; the client's own classes leave the rest of a malformed one to chance."""

    choices: list[_Choice]
    usage: _Usage | None = None


class ChatClient:
    """Asks one model behind a server.

    Args:
        model: its name there.
        settings: of the server.
        words: how errors speak of it.
        max_calls: requests it may make in all, retries not counted; ``None`` for any number.
        max_tokens: tokens it may spend in all.
    """

    def __init__(
        self,
        model: str,
        settings: ServerSettings,
        words: Words,
        *,
        max_calls: int | None = None,
        max_tokens: int | None = None,
    ) -> None:
        self.model = model
        self.settings = settings
        self.words = words
        self._max_calls = max_calls
        self._max_tokens = max_tokens
        self._calls = 0
        self._tokens = 0
        self._patience = Patience(settings.concurrency)

    async def ask_all(
        self, n: int, conversation: Callable[[int], Messages], parameters: Callable[[int], Mapping[str, Any]]
    ) -> AsyncGenerator[tuple[int, Reply | Fault], None]:
        """Asks concurrently; replies come as they arrive.

        Args:
            n: how many conversations.
            conversation: by number, made when its turn comes.
            parameters: of the request by number, such as ``temperature`` and ``max_tokens``.

        Raises:
            UsageError: at once, where there is no key, or the server refuses it or does not know the model.
            IncompleteError: where the server cannot be reached, or answers none of its first requests; or where money
                or budget are spent, and then requests under way are awaited, since they are paid for.
        """
        async with self._open() as client:
            limit, stop = asyncio.Semaphore(self.settings.concurrency), asyncio.Event()
            spent: IncompleteError | None = None

            async def one(index: int) -> tuple[int, Reply | Fault] | None:
                nonlocal spent
                async with limit:
                    if stop.is_set():
                        raise asyncio.CancelledError  # no further request after one that ends the run
                    spent = spent or self._over_budget()
                    if spent:
                        return None
                    self._calls += 1
                    try:
                        reply = await self._ask(client, conversation(index), parameters(index))
                        if isinstance(reply, Reply):
                            self._patience.answered()
                            self._tokens += reply.tokens
                        else:
                            spent = spent or self._no_money(reply)
                            self._check_patience(reply)
                    except VharnessError:
                        stop.set()
                        raise
                    return index, reply

            tasks = [asyncio.create_task(one(i)) for i in range(n)]
            try:
                for done in asyncio.as_completed(tasks):
                    found = await done
                    if found is not None:
                        yield found
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            if spent:
                raise spent

    def _over_budget(self) -> IncompleteError | None:
        used = (("calls", self._calls, self._max_calls), ("tokens", self._tokens, self._max_tokens))
        for name, count, most in used:
            if most is not None and count >= most:
                return IncompleteError(
                    f"{self.words.server}: the budget of {most:,} {name} is spent. {self.words.kept} so far are kept; "
                    f"raise max_{name} and {AGAIN}."
                )
        return None

    def _no_money(self, fault: Fault) -> IncompleteError | None:
        if fault.status != HTTPStatus.PAYMENT_REQUIRED and fault.code not in NO_MONEY:
            return None
        return IncompleteError(
            f"{self.words.server} asks for payment ({fault.reason}). {self.words.kept} so far are kept; "
            f"pay or raise the limit there and {AGAIN}."
        )

    def _check_patience(self, fault: Fault) -> None:
        if self._patience.is_over(fault):
            raise IncompleteError(
                f"{self.words.server} does not work: {self._patience}. Nothing more is asked; "
                f"check its address and its log, then {AGAIN}."
            )

    async def _ask(self, client: AsyncOpenAI, messages: Messages, parameters: Mapping[str, Any]) -> Reply | Fault:
        import openai

        server = self.words.server
        try:
            raw = await client.chat.completions.with_raw_response.create(
                model=self.model,
                messages=[],
                # As they are: the client would rebuild what it is given by its types, a quarter of a request's work.
                extra_body={"messages": list(messages), **parameters},
            )
        except openai.APIStatusError as error:
            self._raise_if_final(error.status_code, error.response.content)
            return refusal(error.status_code, error.response.content)
        except openai.APITimeoutError:
            return Fault(f"no answer within {self.settings.timeout:g} s")
        except openai.APIConnectionError as error:
            raise IncompleteError(
                f"{server} at {client.base_url.host} cannot be reached. {self.words.kept} so far are kept; {AGAIN}."
            ) from error
        except (openai.APIError, ValueError) as error:
            return Fault(f"the request cannot be made ({type(error).__name__})")
        try:
            body = _Body.model_validate_json(raw.content)
        except ValueError:
            return unreadable(raw.content)
        usage = body.usage or _Usage()
        choice = body.choices[0] if body.choices else _Choice(message=_Message())
        return Reply(
            text=choice.message.content or "",
            finish=choice.finish_reason or "",
            prompt_tokens=usage.prompt_tokens,
            new_tokens=usage.completion_tokens,
            tokens=usage.total_tokens,
        )

    def _raise_if_final(self, status: int, content: bytes) -> None:
        """Ends the run where the server's refusal is the same for every request."""
        server, option = self.words.server, self.words.option
        code, message = read_error(content)
        if status == HTTPStatus.UNAUTHORIZED:
            raise UsageError(f"{server} refused the key (401). Set OPENAI_API_KEY to a valid one.")
        if status == HTTPStatus.NOT_FOUND or code == UNKNOWN_MODEL:
            said = f" The server says: {message}" if message else ""
            raise UsageError(
                f"{server} does not know '{self.model}' ({status}). Name a model with {option}, or correct the "
                f"address.{said}"
            )
        if status == HTTPStatus.FORBIDDEN:
            raise UsageError(f"{server} denies this key the model or the call (403).")

    def _open(self) -> AsyncOpenAI:
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient

        key, address = os.environ.get("OPENAI_API_KEY"), address_in_use(self.settings.base_url)
        try:
            require_http(address)
        except ValueError as error:
            raise UsageError(f"OPENAI_BASE_URL is no address of a server: {error}.") from error
        if not key and address == OFFICIAL:
            raise UsageError(
                f"{self.words.server} needs a key: set OPENAI_API_KEY (or OPENAI_BASE_URL for a server of your own)."
            )
        return AsyncOpenAI(
            api_key=key or "none",
            base_url=address,
            timeout=self.settings.timeout,
            max_retries=self.settings.max_retries,
            http_client=DefaultAsyncHttpxClient(event_hooks={"response": [waste_no_retry]}),
        )
