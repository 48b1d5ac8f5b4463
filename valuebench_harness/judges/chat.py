"""Asking any OpenAI-compatible server for chat completions: many at once, retried, strictly read."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from valuebench_harness.errors import IncompleteError, UsageError, VharnessError

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
    def _no_password(cls, url: str | None) -> str | None:
        return without_password(url)


def without_password(url: str | None) -> str | None:
    """An address as it is.

    Raises:
        ValueError: it holds a password.
    """
    if url is not None and urlsplit(url).username is not None:
        raise ValueError("an address must hold no password, since runs record it: set OPENAI_API_KEY instead")
    return url


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


@dataclass(frozen=True)
class Fault:
    """Why a request has no reply, all retries spent.

    Attributes:
        reason: in words.
        status: the server's HTTP status, where it sent one.
    """

    reason: str
    status: int | None = None


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
            IncompleteError: where the server cannot be reached, or the budget is spent; requests under way then are
                awaited, since they are paid for.
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
                    except VharnessError:
                        stop.set()
                        raise
                    self._tokens += reply.tokens if isinstance(reply, Reply) else 0
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
                    f"raise max_{name} and start the same command again ('vharness eval' with --resume)."
                )
        return None

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
            body = _Body.model_validate_json(raw.content)
        except openai.AuthenticationError as error:
            raise UsageError(f"{server} refused the key (401). Set OPENAI_API_KEY to a valid one.") from error
        except openai.PermissionDeniedError as error:
            raise UsageError(f"{server} denies this key the model or the call (403).") from error
        except openai.NotFoundError as error:
            raise UsageError(
                f"{server} does not know '{self.model}' (404). Name a model with {self.words.option}."
            ) from error
        except openai.APIStatusError as error:
            return Fault(f"the server answered {error.status_code}", error.status_code)
        except openai.APITimeoutError:
            return Fault(f"no answer within {self.settings.timeout:g} s")
        except openai.APIConnectionError as error:
            raise IncompleteError(
                f"{server} at {client.base_url.host} cannot be reached. {self.words.kept} so far are kept; "
                "start the same command again ('vharness eval' with --resume)."
            ) from error
        except (openai.APIError, ValueError) as error:
            return Fault(f"the server's reply cannot be read ({type(error).__name__})")
        usage = body.usage or _Usage()
        choice = body.choices[0] if body.choices else _Choice(message=_Message())
        return Reply(
            text=choice.message.content or "",
            finish=choice.finish_reason or "",
            prompt_tokens=usage.prompt_tokens,
            new_tokens=usage.completion_tokens,
            tokens=usage.total_tokens,
        )

    def _open(self) -> AsyncOpenAI:
        from openai import AsyncOpenAI

        key = os.environ.get("OPENAI_API_KEY")
        base_url = self.settings.base_url or os.environ.get("OPENAI_BASE_URL")
        if not key and not base_url:
            raise UsageError(
                f"{self.words.server} needs a key: set OPENAI_API_KEY (or OPENAI_BASE_URL for a server of your own)."
            )
        return AsyncOpenAI(
            api_key=key or "none",
            base_url=base_url,
            timeout=self.settings.timeout,
            max_retries=self.settings.max_retries,
        )
