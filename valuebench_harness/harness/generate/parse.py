"""Reading replies strictly: what is not in the form asked for has a reason, and never becomes an item by guess."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from valuebench_harness.data.reading import explain
from valuebench_harness.harness.generate.records import Exchange

_FENCED = re.compile(r"```(?:json)?\s*\n(.*?)\n?\s*```", re.DOTALL | re.IGNORECASE)
_CHOICE = re.compile(r"\W*(a|b|neither)\W*", re.IGNORECASE)


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True)


class Situation(_Entry):
    """Circumstances to write about, and their kind."""

    scene: str = Field(min_length=1, max_length=40)
    situation: str = Field(min_length=1, max_length=600)


class Text(_Entry):
    """A text on its own."""

    text: str = Field(min_length=1, max_length=1200)


class Numbered(_Entry):
    """An entry that answers the request's entry of that number."""

    number: int


class NumberedText(Numbered, Text):
    """A text that answers an entry of the request."""


class NumberedDilemma(Numbered):
    """A question with an act for the value and one against it."""

    question: str = Field(min_length=1, max_length=1200)
    favourable: str = Field(alias="for", min_length=1, max_length=300)
    against: str = Field(min_length=1, max_length=300)


E = TypeVar("E", bound=_Entry)
N = TypeVar("N", bound=Numbered)


def read_entries(exchange: Exchange, schema: type[E]) -> list[E | str]:
    """The entries of a reply in order; a reason in the place of what cannot be used.

    A reply that is no list at all gives one reason.
    """
    found = _json_list(exchange)
    return [found] if isinstance(found, str) else [_entry(entry, schema) for entry in found]


def read_numbered(exchange: Exchange, schema: type[N], n: int) -> list[N | str]:
    """The entries for the numbers 1 to n; a reason in the place of what is missing or cannot be used."""
    found = _json_list(exchange)
    if isinstance(found, str):
        return [found] * n
    entries = [entry for entry in found if isinstance(entry, dict)]
    times = Counter(_plain_number(entry) for entry in entries)
    by_number = {_plain_number(entry): entry for entry in entries}
    out: list[N | str] = []
    for number in range(1, n + 1):
        if times[number] == 1:
            out.append(_entry(by_number[number], schema))
        else:
            out.append(f"the reply has {times[number] or 'no'} entries with its number")
    return out


def read_choice(exchange: Exchange) -> str:
    """A, B or neither where the reply is that and nothing else, otherwise a reason."""
    match = _CHOICE.fullmatch(exchange.reply)
    if match is None:
        return f"the reply of the check is none of A, B, neither: {exchange.reply[:80]!r}"
    said = match[1].upper()
    return "neither" if said == "NEITHER" else said


def _json_list(exchange: Exchange) -> list[Any] | str:
    text = exchange.reply.strip()
    if not text:
        return "the reply is empty"
    if exchange.finish == "length":
        return "the reply was cut short"
    fenced = _FENCED.fullmatch(text)
    try:
        found = json.loads(fenced[1] if fenced else text)
    except (ValueError, RecursionError):
        return f"the reply is no JSON: {text[:80]!r}"
    return found if isinstance(found, list) else f"the reply is no JSON list: {text[:80]!r}"


def _entry(entry: Any, schema: type[E]) -> E | str:
    try:
        return schema.model_validate(entry)
    except ValidationError as error:
        return f"an entry of the reply is malformed: {explain(error)}"


def _plain_number(entry: dict[str, Any]) -> int | None:
    number = entry.get("number")
    return number if isinstance(number, int) else None
