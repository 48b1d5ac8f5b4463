"""How a question is put to a role, and how the answer is taken apart.

Kang et al. (ACL 2025, Figure 2 and Appendix A.1): a role, two examples of opposite answers, a thought
before the answer; an answer that begins with yes, no or their like is taken at its word, the rest is judged.
The wording is this project's own. ``mini`` is asked in its grammar, which says how to answer.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from valuebench_harness.data.grammar.parse import parse_questionnaire
from valuebench_harness.engine.plan import Message
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.collect.config import CollectConfig
from valuebench_harness.harness.collect.records import Label, Person, Question

if TYPE_CHECKING:
    import jinja2

PREFIXES: tuple[tuple[Label, tuple[str, ...]], ...] = (
    ("yes", ("yes", "sure")),
    ("unsure", ("unsure", "i cannot", "i can't", "i am unable")),
    ("no", ("no",)),
)
"""What an answer begins with (Appendix A.1), each as whole words: "not sure" is no "no"."""

_MARKS = re.compile(
    r"^\s*(?:\W*thought\W*:\W*)?(?P<thought>.*?)\W*\banswer\W*:\W*(?P<answer>.*)$", re.IGNORECASE | re.DOTALL
)

TEMPLATES = ("system.txt", "user.txt")


@dataclass(frozen=True)
class Protocol:
    """Renders questions and reads answers.

    Attributes:
        is_mini: ask in the grammar.
        folder: with templates of the user's own.
    """

    is_mini: bool = False
    folder: Path | None = None

    def messages(self, person: Person, question: Question) -> tuple[Message, ...]:
        """The conversation that asks a role a question.

        Raises:
            UsageError: for a template that cannot be filled.
        """
        if self.is_mini:
            asked = Message("user", question.text)
            return (Message("system", person.text), asked) if person.text else (asked,)
        system, user = (self._fill(name, person, question) for name in TEMPLATES)
        return (Message("system", system), Message("user", user)) if system else (Message("user", user),)

    @cached_property
    def digest(self) -> str:
        """Of the wording."""
        texts = ["mini"] if self.is_mini else [self._source(name) for name in TEMPLATES]
        return hashlib.sha256("\0".join(texts).encode()).hexdigest()

    @cached_property
    def _templates(self) -> dict[str, jinja2.Template]:
        from jinja2 import StrictUndefined, TemplateError
        from jinja2.sandbox import SandboxedEnvironment

        environment = SandboxedEnvironment(undefined=StrictUndefined, autoescape=False, trim_blocks=True)
        try:
            return {name: environment.from_string(self._source(name)) for name in TEMPLATES}
        except TemplateError as error:
            raise UsageError(f"A template in {self.folder} is not valid: {error}") from error

    def _fill(self, name: str, person: Person, question: Question) -> str:
        from jinja2 import TemplateError

        try:
            return self._templates[name].render(role=person.text, question=question.text, **person.fields).strip()
        except TemplateError as error:
            raise UsageError(f"The template {name} in {self.folder}: {error}.") from error

    def _source(self, name: str) -> str:
        if self.folder is None:
            return (files("valuebench_harness.harness.collect") / "templates" / name).read_text(encoding="utf-8")
        try:
            return (self.folder / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"--template {self.folder} must hold {' and '.join(TEMPLATES)} as UTF-8 text ({error})."
            ) from error


def make_protocol(config: CollectConfig) -> Protocol:
    """The protocol of a configuration; its templates are read, so that a fault in them is found early."""
    protocol = Protocol(config.is_mini, config.template)
    _ = protocol.digest
    return protocol


def split_answer(text: str) -> tuple[str, str]:
    """The thought and the answer of a text; without "Answer:" all of it is the answer."""
    found = _MARKS.match(text)
    return (found["thought"].strip(), found["answer"].strip()) if found else ("", text.strip())


def prefix_label(answer: str) -> Label | None:
    """What an answer says by its first words; ``None`` where a judge must read it."""
    plain = re.sub(r"^\W+", "", answer.lower())
    for label, openings in PREFIXES:
        if any(re.match(rf"{re.escape(opening)}\b", plain) for opening in openings):
            return label
    return None


def grammar_thought(text: str) -> Label | None:
    """What the thought of one of ``mini``'s answers says."""
    return parse_questionnaire(text).thought
