"""A judge behind any OpenAI-compatible server.

The rubrics are ConVA's (Jin et al., ACL 2025, Tables 11 and 13) in our own words; the published
judge looks for "No" before "Yes" anywhere in a reply at temperature 1 and calls the rest 0.5 -
here the temperature is 0, a label is parsed strictly, and everything else stays unscored.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import secrets
from collections.abc import AsyncIterator, Sequence
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from valuebench_harness.errors import IncompleteError, UsageError, VharnessError
from valuebench_harness.judges.base import LABELS, Judge, JudgeItem, Question, Verdict

if TYPE_CHECKING:
    import jinja2
    from openai import AsyncOpenAI

MAX_ANSWER_CHARACTERS = 20_000


class OpenAISettings(BaseModel):
    """How the server is called.

    Attributes:
        model: name of the model at the server.
        base_url: of the server; ``OPENAI_BASE_URL`` or OpenAI's own where it is ``None``.
        concurrency: requests under way at once.
        timeout: seconds a request may take.
        max_retries: after 408, 409, 429, 5xx, timeouts and lost connections, with back-off; Retry-After is
            honoured.
        templates: folder with ``csr.txt``, ``fr.txt`` or ``stance.txt`` that replace the shipped ones.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = "gpt-4o-mini"
    base_url: str | None = None
    concurrency: int = Field(16, ge=1)
    timeout: float = Field(60, gt=0)
    max_retries: int = Field(6, ge=0)
    templates: Path | None = None

    @field_validator("base_url")
    @classmethod
    def _no_password(cls, url: str | None) -> str | None:
        if url is not None and urlsplit(url).username is not None:
            raise ValueError("an address must hold no password, since runs record it: set OPENAI_API_KEY instead")
        return url


class _Message(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    message: _Message


class _Usage(BaseModel):
    total_tokens: int = 0


class _Reply(BaseModel):
    """What is read of a reply; the client's own classes leave the rest of a malformed one to chance."""

    choices: list[_Choice]
    usage: _Usage | None = None


class OpenAIJudge(Judge):
    """Asks a chat model for a label."""

    name = "openai"
    asks = frozenset({"csr", "fr", "stance"})

    def __init__(self, settings: OpenAISettings | None = None) -> None:
        self.settings = settings or OpenAISettings()

    @property
    def identity(self) -> str:
        """Model and rubrics; the server's address and the key are not part of it."""
        rubrics = hashlib.sha256("\0".join(self._source(q) for q in sorted(LABELS)).encode()).hexdigest()[:16]
        return f"{self.name}/1:{self.settings.model}:{rubrics}"

    def prompt(self, item: JudgeItem) -> str:
        """The rubric with the judged text inside a fence that the text cannot close: it is random for each call."""
        from jinja2 import TemplateError

        try:
            return self._templates[item.asks].render(
                fence=f"=== {secrets.token_hex(8)} ===",
                prompt=item.prompt[:MAX_ANSWER_CHARACTERS],
                answer=item.answer[:MAX_ANSWER_CHARACTERS],
                value_name=item.value_name.lower(),
                definition=item.definition,
            )
        except TemplateError as error:
            raise UsageError(f"The judge template {item.asks}.txt in {self.settings.templates}: {error}.") from error

    async def judge(self, items: Sequence[JudgeItem]) -> AsyncIterator[tuple[int, Verdict]]:
        """Judges concurrently; verdicts come as they arrive.

        Raises:
            UsageError: at once, where the server refuses the key or does not know the model.
            IncompleteError: where the server cannot be reached.
        """
        async with self._client() as client:
            limit, stop = asyncio.Semaphore(self.settings.concurrency), asyncio.Event()

            async def one(index: int) -> tuple[int, Verdict]:
                async with limit:
                    if stop.is_set():
                        raise asyncio.CancelledError  # no further request after one that ends the run
                    try:
                        return index, await self._ask(client, items[index])
                    except VharnessError:
                        stop.set()
                        raise

            tasks = [asyncio.create_task(one(i)) for i in range(len(items))]
            try:
                for done in asyncio.as_completed(tasks):
                    yield await done
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, client: AsyncOpenAI, item: JudgeItem) -> Verdict:
        import openai

        try:
            raw = await client.chat.completions.with_raw_response.create(
                model=self.settings.model,
                messages=[{"role": "user", "content": self.prompt(item)}],
                temperature=0,
                max_tokens=16,
            )
            reply = _Reply.model_validate_json(raw.content)
        except openai.AuthenticationError as error:
            raise UsageError("The judge's server refused the key (401). Set OPENAI_API_KEY to a valid one.") from error
        except openai.PermissionDeniedError as error:
            raise UsageError("The judge's server denies this key the model or the call (403).") from error
        except openai.NotFoundError as error:
            raise UsageError(
                f"The judge's server does not know '{self.settings.model}' (404). Name a model with --judge-model."
            ) from error
        except openai.APIStatusError as error:
            return Verdict(None, f"the server answered {error.status_code}")
        except openai.APITimeoutError:
            return Verdict(None, f"no answer within {self.settings.timeout:g} s")
        except openai.APIConnectionError as error:
            raise IncompleteError(
                f"The judge's server at {client.base_url.host} cannot be reached. Verdicts so far are kept; "
                "start the same command again with --resume."
            ) from error
        except (openai.APIError, ValueError) as error:
            return Verdict(None, f"the server's reply cannot be read ({type(error).__name__})")
        tokens = reply.usage.total_tokens if reply.usage else 0
        text = (reply.choices[0].message.content or "") if reply.choices else ""
        label = parse_label(text, item.asks)
        return Verdict(label, "" if label else f"the reply is no label: {text[:80]!r}", tokens)

    def _client(self) -> AsyncOpenAI:
        from openai import AsyncOpenAI

        key = os.environ.get("OPENAI_API_KEY")
        base_url = self.settings.base_url or os.environ.get("OPENAI_BASE_URL")
        if not key and not base_url:
            raise UsageError(
                "The openai judge needs a key: set OPENAI_API_KEY (or OPENAI_BASE_URL for a server of your own)."
            )
        return AsyncOpenAI(
            api_key=key or "none",
            base_url=base_url,
            timeout=self.settings.timeout,
            max_retries=self.settings.max_retries,
        )

    def _source(self, asks: Question) -> str:
        name, folder = f"{asks}.txt", self.settings.templates
        if folder is not None and not any((folder / f"{known}.txt").is_file() for known in LABELS):
            raise UsageError(f"{folder} holds no judge template; they are named {', '.join(LABELS)}, each with .txt.")
        if folder is not None and (folder / name).is_file():
            try:
                return (folder / name).read_text(encoding="utf-8")
            except UnicodeDecodeError as error:
                raise UsageError(f"The judge template {folder / name} is not UTF-8 text.") from error
        return (files("valuebench_harness.judges") / "templates" / name).read_text(encoding="utf-8")

    @cached_property
    def _templates(self) -> dict[Question, jinja2.Template]:
        from jinja2 import StrictUndefined, TemplateError
        from jinja2.sandbox import SandboxedEnvironment

        environment = SandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
        try:
            return {asks: environment.from_string(self._source(asks)) for asks in LABELS}
        except TemplateError as error:
            raise UsageError(f"A judge template in {self.settings.templates} is not valid: {error}") from error


def parse_label(text: str, asks: Question) -> str | None:
    """The label of a reply that is a label and nothing else ("Label: yes", "yes", "Yes."), else ``None``."""
    match = re.fullmatch(r"\s*(?:label\s*:)?\s*[\"'*]*([a-z]+)[\"'*]*\s*\.?\s*", text, re.IGNORECASE)
    label = match.group(1).lower() if match else None
    return label if label in LABELS[asks] else None
