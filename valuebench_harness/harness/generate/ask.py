"""Asking the model that writes: what was answered once is never paid for again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from valuebench_harness.data.reading import explain
from valuebench_harness.errors import IncompleteError, UsageError
from valuebench_harness.harness.cache import content_key
from valuebench_harness.harness.generate.records import Exchange, Step
from valuebench_harness.harness.loops import run_to_end
from valuebench_harness.harness.progress import Reporter
from valuebench_harness.harness.store import ShardWriter
from valuebench_harness.judges.chat import ChatClient, ServerSettings, Words
from valuebench_harness.judges.faults import Fault

WORDS = Words("The writing model's server", "Replies", "--judge-model")

CHECK_TOKENS, TEXT_TOKENS = 16, 8192
"""Most that a reply may have; batches are small, so that a longer one has gone astray."""


class WriterSettings(ServerSettings):
    """Which model writes.

    Attributes:
        model: its name at the server.
        temperature: of all steps but the check, which is at 0; a round after the first needs other texts.
        templates: folder with templates that replace the shipped ones.
        max_calls: requests a session may make, retries not counted; ``None`` for any number.
        max_tokens: tokens a session may spend, as the server counts them.
    """

    model: str = "gpt-4o-mini"
    temperature: float = Field(0.7, ge=0, le=2)
    templates: Path | None = None
    max_calls: int | None = Field(None, ge=0)
    max_tokens: int | None = Field(None, ge=0)


def writer_settings(given: Mapping[str, Any], option: str) -> WriterSettings:
    """Validated settings.

    Args:
        given: by the user.
        option: that they were given with, for the message.

    Raises:
        UsageError: an unknown setting or one of the wrong kind.
    """
    try:
        return WriterSettings.model_validate(given)
    except ValidationError as error:
        raise UsageError(f"{option}: {explain(error)}.") from error


class Asker:
    """Asks for replies and keeps each on disk before it counts.

    Args:
        settings: of the model.
        known: replies of earlier sessions by key.
        writer: of new replies.
        seed: of the first round.
        report: shows progress.
        words: how errors speak of the server.

    Attributes:
        used: replies that this session asked for or found, by key.
    """

    def __init__(
        self,
        settings: WriterSettings,
        known: Mapping[str, Exchange],
        writer: ShardWriter,
        *,
        seed: int,
        report: Reporter,
        words: Words = WORDS,
    ) -> None:
        self._settings = settings
        self._known = dict(known)
        self._writer = writer
        self._seed = seed
        self._report = report
        self._client = ChatClient(
            settings.model, settings, words, max_calls=settings.max_calls, max_tokens=settings.max_tokens
        )
        self.used: dict[str, Exchange] = {}

    def ask(self, step: Step, prompts: Sequence[str], turn: int) -> list[Exchange]:
        """Replies to prompts, in their order.

        Args:
            step: of the procedure.
            prompts: one a request.
            turn: number of the round from 0; the same prompt gets a new reply in another round.

        Raises:
            UsageError: at once, where the server refuses the key or does not know the model.
            IncompleteError: where the server cannot be reached, the budget is spent, or, after all other replies,
                some requests got none.
        """
        keys = [content_key("generate", prompt=prompt, **self._about(step, turn)) for prompt in prompts]
        todo = {key: prompt for key, prompt in zip(keys, prompts, strict=True) if key not in self._known}
        if todo:
            run_to_end(self._ask_all(step, todo, turn))
        self.used |= {key: self._known[key] for key in keys}
        return [self._known[key] for key in keys]

    async def _ask_all(self, step: Step, todo: Mapping[str, str], turn: int) -> None:
        keys, prompts, faults = list(todo), list(todo.values()), []
        parameters = {name: value for name, value in self._about(step, turn).items() if name != "model"}
        replies = self._client.ask_all(
            len(keys), lambda i: [{"role": "user", "content": prompts[i]}], lambda _: parameters
        )
        with self._report.stage(step, len(keys), "replies") as advance:
            async with aclosing(replies):
                async for i, reply in replies:
                    if isinstance(reply, Fault):
                        faults.append(reply.reason)
                        continue
                    exchange = Exchange(
                        key=keys[i],
                        step=step,
                        prompt=prompts[i],
                        reply=reply.text,
                        finish=reply.finish,
                        tokens=reply.tokens,
                    )
                    self._writer.write([exchange])
                    self._known[keys[i]] = exchange
                    advance()
        if faults:
            raise IncompleteError(
                f"{self._client.words.server} left {len(faults)} of {len(keys)} requests of the step '{step}' "
                f"unanswered ({faults[0]}). All replies are kept; start the same command again."
            )

    def _about(self, step: Step, turn: int) -> dict[str, Any]:
        if step == "check":
            return {"model": self._settings.model, "temperature": 0, "max_tokens": CHECK_TOKENS}
        return {
            "model": self._settings.model,
            "temperature": self._settings.temperature,
            "max_tokens": TEXT_TOKENS,
            "seed": self._seed + turn,
        }
