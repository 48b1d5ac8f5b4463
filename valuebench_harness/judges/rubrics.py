"""What a language model that judges is asked, and how its reply is read.

The rubrics are ConVA's (Jin et al., ACL 2025, Tables 11 and 13) and Kang's (ACL 2025, Template 1) in our own words,
each a template file that a user can replace. The judged text is data: it stands inside a fence that it cannot close,
since the fence is random for each call.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from valuebench_harness.errors import UsageError
from valuebench_harness.judges.base import LABELS, JudgeItem, Question

if TYPE_CHECKING:
    import jinja2

MAX_ANSWER_CHARACTERS = 20_000
"""Of a judged text; what is longer is cut, so that one runaway answer does not cost a fortune."""


class Rubrics:
    """The templates, one for each question.

    Args:
        folder: with ``csr.txt``, ``fr.txt``, ... that replace the shipped ones; ``None`` for those.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder

    @property
    def digest(self) -> str:
        """Changes with any word of any rubric.

        Raises:
            UsageError: a folder without templates, or a file that is not text.
        """
        return hashlib.sha256("\0".join(self._source(q) for q in sorted(LABELS)).encode()).hexdigest()[:16]

    def prompt(self, item: JudgeItem) -> str:
        """The rubric of an item's question, with the judged text inside its fence.

        Raises:
            UsageError: a template that is not valid.
        """
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
            raise UsageError(f"The judge template {item.asks}.txt in {self.folder}: {error}.") from error

    def _source(self, asks: Question) -> str:
        name, folder = f"{asks}.txt", self.folder
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
            raise UsageError(f"A judge template in {self.folder} is not valid: {error}") from error


def parse_label(text: str, asks: Question) -> str | None:
    """The label of a reply that is a label and nothing else, else ``None``.

    Read are ``Label: yes``, ``yes``, ``Yes.`` and, from servers with structured output, ``{"label": "yes"}``.
    """
    match = re.fullmatch(r"\s*(?:label\s*:)?\s*[\"'*]*([a-z]+)[\"'*]*\s*\.?\s*", text, re.IGNORECASE)
    label = match.group(1).lower() if match else _structured(text)
    return label if label in LABELS[asks] else None


def label_schema(asks: Question) -> dict[str, object]:
    """The JSON schema of a reply, for servers that can be held to one."""
    return {
        "type": "object",
        "properties": {"label": {"type": "string", "enum": list(LABELS[asks])}},
        "required": ["label"],
        "additionalProperties": False,
    }


def _structured(text: str) -> str | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if not (isinstance(found, dict) and set(found) == {"label"}):
        return None
    return found["label"] if isinstance(found["label"], str) else None
