"""Language models on this machine that judge: loaded once, when they are first needed."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from valuebench_harness import mini

if TYPE_CHECKING:
    from valuebench_harness.engine.model import SteeredModel


class LocalSettings(BaseModel):
    """Which model, and how it is loaded.

    Attributes:
        model: ``mini``, a folder, or an id on the Hugging Face Hub.
        revision: branch, tag or commit of a hub model.
        dtype: ``auto``, ``float32``, ``bfloat16`` or ``float16``.
        device_map: as transformers takes it, such as ``auto``.
        batch_size: rows a batch; ``None`` chooses by memory.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model: str
    revision: str | None = None
    dtype: str = "auto"
    device_map: str | None = None
    batch_size: int | None = Field(None, ge=1)


class LocalModel:
    """A model that is loaded when it is first asked for.

    Args:
        settings: which, and how.
    """

    def __init__(self, settings: LocalSettings) -> None:
        self.settings = settings

    @cached_property
    def loaded(self) -> SteeredModel:
        """The model.

        Raises:
            UsageError: where it cannot be loaded.
        """
        from valuebench_harness.engine.loading import load

        name = self.settings.model
        return load(
            str(mini.weights_path()) if name == mini.NAME else name,
            revision=self.settings.revision,
            dtype=self.settings.dtype,
            device_map=self.settings.device_map,
        )

    @cached_property
    def fingerprint(self) -> str:
        """What identifies the weights; read from the files of a folder, without loading them."""
        from valuebench_harness.engine.fingerprint import fingerprint

        name = self.settings.model
        folder = mini.weights_path() if name == mini.NAME else Path(name).expanduser()
        found = fingerprint(folder) if (folder / "config.json").is_file() else self.loaded.fingerprint
        return found[:16]

    @property
    def too_long(self) -> str:
        """Why an answer that cannot be shown whole is left unscored."""
        return f"with its question longer than the {self.loaded.max_length:,} tokens that the judge reads"

    def reads(self, prompt: str, new_tokens: int) -> bool:
        """Whether a rendered prompt fits into the model whole, with room for an answer.

        What does not fit would lose its beginning (:meth:`~.engine.model.SteeredModel.generate`): the rubric itself.
        """
        return len(self.loaded.token_ids(prompt, special=self.special)) + new_tokens <= self.loaded.max_length

    def scores(self, context: str, continuation: str) -> bool:
        """Whether a continuation can be scored after the whole of its context; its last token is only predicted."""
        before, after = self.loaded.codec.encode_pair(context, continuation, special=self.special)
        return len(before) + len(after) - 1 <= self.loaded.max_length

    @property
    def special(self) -> bool:
        """Whether the tokenizer's own special tokens go before a rendered prompt: a chat template writes its own."""
        return not self.loaded.has_chat_template
