"""The prompts of each step, template files that a user can replace."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from valuebench_harness.errors import UsageError

if TYPE_CHECKING:
    import jinja2

    from valuebench_harness.data.values import Value

TEMPLATES = ("check.txt", "dilemmas.txt", "negative.txt", "positive.txt", "situations.txt", "straightforward.txt")


class Templates:
    """Fills the templates of a procedure.

    Args:
        names: of the templates.
        folder: with templates that replace the shipped ones of the same name; ``None`` for those.
    """

    def __init__(self, names: Sequence[str], folder: Path | None = None) -> None:
        self.names = tuple(names)
        self.folder = folder

    @cached_property
    def digest(self) -> str:
        """Changes with any word of any template.

        Raises:
            UsageError: a folder without templates, or a file that is not text.
        """
        return hashlib.sha256("\0".join(self._source(name) for name in self.names).encode()).hexdigest()[:16]

    def fill(self, name: str, **fields: Any) -> str:
        """A prompt; ``listed(x)`` in a template writes data as JSON, which no text in it can close.

        Raises:
            UsageError: a template that is not valid.
        """
        from jinja2 import TemplateError

        try:
            return self._templates[name].render(listed=listed, **fields).strip()
        except TemplateError as error:
            raise UsageError(f"The template {name} in {self.folder}: {error}.") from error

    @cached_property
    def _templates(self) -> dict[str, jinja2.Template]:
        from jinja2 import StrictUndefined, TemplateError
        from jinja2.sandbox import SandboxedEnvironment

        environment = SandboxedEnvironment(undefined=StrictUndefined, autoescape=False, trim_blocks=True)
        try:
            return {name: environment.from_string(self._source(name)) for name in self.names}
        except TemplateError as error:
            raise UsageError(f"A template in {self.folder} is not valid: {error}.") from error

    def _source(self, name: str) -> str:
        folder = self.folder
        if folder is not None and not any((folder / known).is_file() for known in self.names):
            raise UsageError(f"{folder} holds no template of this procedure; they are named {', '.join(self.names)}.")
        if folder is not None and (folder / name).is_file():
            try:
                return (folder / name).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise UsageError(f"The template {folder / name} cannot be read as UTF-8 text ({error}).") from error
        return (files(__package__) / "templates" / name).read_text(encoding="utf-8")


class Prompts(Templates):
    """Fills the templates for one value.

    Args:
        value: the items are about.
        folder: with templates that replace the shipped ones of the same name; ``None`` for those.
    """

    def __init__(self, value: Value, folder: Path | None = None) -> None:
        super().__init__(TEMPLATES, folder)
        self.value = value

    def fill(self, name: str, **fields: Any) -> str:
        """A prompt about the value.

        Raises:
            UsageError: a template that is not valid.
        """
        return super().fill(name, value=self.value, **fields)


def listed(entries: Sequence[Any]) -> str:
    """Entries as a JSON list, one a line."""
    return "[\n" + ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries) + "\n]"
