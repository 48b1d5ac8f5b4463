"""What a server says when it does not answer, and whether another request is of any use."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from dataclasses import dataclass
from textwrap import shorten
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from httpx2 import Response

UNKNOWN_MODEL = "model_not_found"
"""OpenAI's code for it; some servers send it with 400 or 403."""
NO_MONEY = frozenset({"insufficient_quota", "billing_not_active"})
"""OpenAI's codes for an account that cannot pay, sent with 429 as if waiting helped."""
OF_THE_TEXT = frozenset({"content_filter", "context_length_exceeded"})
"""Codes that speak of the text sent, and say nothing about the server."""
LONGEST, OPENING = 160, 60
"""Characters that are kept of a server's message, and of a reply that is none."""


@dataclass(frozen=True)
class Fault:
    """Why a request has no reply, all retries spent.

    Attributes:
        reason: in words.
        status: the server's HTTP status, where it sent one.
        code: the server's own word for it, where it sent one.
    """

    reason: str
    status: int | None = None
    code: str = ""


class ServerError(NamedTuple):
    """What a server says of an error: its code (or, failing that, its type) and its message; both may be empty."""

    code: str
    message: str


def read_error(content: bytes) -> ServerError:
    """Reads the body of a refusal: OpenAI's ``{"error": {"code", "message"}}`` and what others make of it."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return ServerError("", "")
    error = body.get("error", body) if isinstance(body, dict) else body
    if not isinstance(error, dict):
        return ServerError("", quotable(error) if isinstance(error, str) else "")
    words = [x for x in (error.get("code"), error.get("type")) if isinstance(x, str) and x]
    messages = [x for x in (error.get("message"), error.get("detail")) if isinstance(x, str)]
    return ServerError(words[0] if words else "", quotable(messages[0]) if messages else "")


def refusal(status: int, content: bytes) -> Fault:
    """The fault of an HTTP status that is an error."""
    code, message = read_error(content)
    if status == 429 or status >= 500:
        # What passes comes often, each time with other amounts and ids; told alike, it can be counted.
        message = re.sub(r"[\w.,-]*\d[\w,-]*", "#", message)
    return Fault(f"the server answered {status}{': ' if message else ''}{message}", status, code)


def unreadable(content: bytes) -> Fault:
    """The fault of a reply that is no chat completion, such as a proxy's page."""
    _, message = read_error(content)
    if message:
        return Fault(f"the server sent no completion but an error: {message}")
    text = quotable(content[: 4 * OPENING].decode("utf-8", "replace"))
    how = f"cannot be read; it begins {text[:OPENING]!r}" if text else "is empty"
    return Fault(f"the server's reply {how}")


def quotable(text: str) -> str:
    """A server's words on one line, shortened, without what moves a terminal, and without the key it may echo."""
    key = os.environ.get("OPENAI_API_KEY", "")
    if len(key) >= 8:
        text = text.replace(key, "(the key)")
    return shorten("".join(c if c.isprintable() else " " for c in text), LONGEST, placeholder="...")


async def waste_no_retry(response: Response) -> None:
    """Has the client ask no second time where the account cannot pay; it tries every other 429 again.

    ``x-should-retry`` is the header by which OpenAI's own servers tell its clients.
    """
    if response.status_code == 429:
        await response.aread()
        if read_error(response.content).code in NO_MONEY:
            response.headers["x-should-retry"] = "false"


class Patience:
    """How many requests may fail before the first that does not.

    Three rounds of those under way at once: a server that knows no structured output refuses up to two of them before
    it is asked in plain words.

    Args:
        concurrency: requests under way at once.
    """

    LEAST = 10

    def __init__(self, concurrency: int) -> None:
        self._most = max(self.LEAST, 3 * concurrency)
        self._works = False
        self._reasons: Counter[str] = Counter()

    def answered(self) -> None:
        """A reply came: the server works, and what fails from now on is left to its item."""
        self._works = True

    def is_over(self, fault: Fault) -> bool:
        """Counts a fault; whether the server is to be taken for one that cannot work."""
        if not self._works and fault.code not in OF_THE_TEXT:
            self._reasons[fault.reason] += 1
        return self._reasons.total() >= self._most and not self._works

    def __str__(self) -> str:
        ((reason, times),) = self._reasons.most_common(1)
        return f"the first {self._reasons.total()} requests all failed ({times} x {reason})"
