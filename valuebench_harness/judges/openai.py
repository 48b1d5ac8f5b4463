"""A judge behind any OpenAI-compatible server.

The published judge of ConVA looks for "No" before "Yes" anywhere in a reply at temperature 1 and calls the rest 0.5 -
here the temperature is 0, a label is parsed strictly, and everything else stays unscored.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from valuebench_harness.judges.address import address_in_use, server_mark
from valuebench_harness.judges.base import JudgeItem, Question, Verdict
from valuebench_harness.judges.chat import ChatClient, Reply, ServerSettings, Words
from valuebench_harness.judges.faults import Fault
from valuebench_harness.judges.language_model import LanguageModelJudge
from valuebench_harness.judges.rubrics import label_schema, parse_label

WORDS = Words("The judge's server", "Verdicts", "--judge-model")
REFUSALS = frozenset({400, 422})
"""How servers say that they know no structured output."""
MAX_NEW_TOKENS = 24


class OpenAISettings(ServerSettings):
    """Which model judges, and by which rubrics.

    Attributes:
        model: name of the model at the server.
        templates: folder with ``csr.txt``, ``fr.txt``, ``stance.txt``, ... that replace the shipped ones.
        prefix_rule: take questionnaire answers that open with yes or no at their word (Kang, A.1).
        structured: hold replies to a JSON schema: ``auto`` does until the server refuses it, ``on``, ``off``.
        max_calls: requests a session may make, retries not counted; ``None`` for any number.
        max_tokens: tokens a session may spend, as the server counts them; requests under way are awaited.
    """

    model: str = "gpt-4o-mini"
    templates: Path | None = None
    prefix_rule: bool = False
    structured: Literal["auto", "on", "off"] = "auto"
    max_calls: int | None = Field(None, ge=0)
    max_tokens: int | None = Field(None, ge=0)


class OpenAIJudge(LanguageModelJudge):
    """Asks a chat model for a label."""

    name = "openai"

    def __init__(self, settings: OpenAISettings | None = None) -> None:
        self.settings = settings or OpenAISettings()
        super().__init__(self.settings.templates, prefix_rule=self.settings.prefix_rule)
        self._structured = self.settings.structured != "off"

    @property
    def identity(self) -> str:
        """Model, rubrics and, unless it is OpenAI's own, the server; the key is no part of it.

        Any server but OpenAI's may serve anything by any name, so what another server said is not this judge's.
        """
        mark = server_mark(address_in_use(self.settings.base_url))
        return f"{self.name}/1:{self.settings.model}{'@' if mark else ''}{mark}:{self.manner}"

    async def ask(self, items: Sequence[JudgeItem]) -> AsyncGenerator[tuple[int, Verdict], None]:
        """Asks concurrently; what a server without structured output refused is asked again in plain words.

        Raises:
            UsageError: at once, where the server refuses the key or does not know the model.
            IncompleteError: where the server cannot be reached or answers nothing, or money or budget are spent.
        """
        client = ChatClient(
            self.settings.model,
            self.settings,
            WORDS,
            max_calls=self.settings.max_calls,
            max_tokens=self.settings.max_tokens,
        )
        todo = list(range(len(items)))
        while True:
            refused: list[int] = []
            sent: dict[int, bool] = {}
            replies = self._replies(client, [items[i] for i in todo], sent)
            async with aclosing(replies):
                async for number, reply in replies:
                    if self._refused(reply) and sent[number]:
                        self._structured = False
                        refused.append(todo[number])
                    else:
                        yield todo[number], _verdict(reply, items[todo[number]].asks)
            if not refused:
                return
            todo = refused

    def _replies(
        self, client: ChatClient, items: Sequence[JudgeItem], sent: dict[int, bool]
    ) -> AsyncGenerator[tuple[int, Reply | Fault], None]:
        """Replies; ``sent`` is told which requests asked for structured output."""

        def parameters(number: int) -> Mapping[str, Any]:
            sent[number] = self._structured
            return _parameters(items[number].asks, structured=self._structured)

        return client.ask_all(
            len(items), lambda number: [{"role": "user", "content": self.prompt(items[number])}], parameters
        )

    def _refused(self, reply: Reply | Fault) -> bool:
        return isinstance(reply, Fault) and reply.status in REFUSALS and self.settings.structured == "auto"


def _parameters(asks: Question, *, structured: bool) -> dict[str, Any]:
    plain = {"temperature": 0, "max_tokens": MAX_NEW_TOKENS}
    if not structured:
        return plain
    schema = {"name": "verdict", "strict": True, "schema": label_schema(asks)}
    return {**plain, "response_format": {"type": "json_schema", "json_schema": schema}}


def _verdict(reply: Reply | Fault, asks: Question) -> Verdict:
    if isinstance(reply, Fault):
        return Verdict(None, reply.reason)
    label = parse_label(reply.text, asks)
    return Verdict(label, "" if label else f"the reply is no label: {reply.text[:80]!r}", reply.tokens)
