"""Text to token ids and back, and messages to text."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property

from jinja2.exceptions import TemplateError
from transformers import PreTrainedTokenizerBase

from valuebench_harness.engine.plan import Message
from valuebench_harness.errors import UsageError


class Codec:
    """A tokenizer, with the few things every caller would otherwise decide anew.

    Args:
        tokenizer: of the model.
        eos_ids: token ids that end a text according to the model's configuration.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, eos_ids: Sequence[int] = ()) -> None:
        self.tokenizer = tokenizer
        own = tokenizer.eos_token_id
        self.eos_ids: tuple[int, ...] = tuple(sorted({*eos_ids, *([int(own)] if own is not None else [])}))
        pad = tokenizer.pad_token_id
        self.pad_id = int(pad if pad is not None else (self.eos_ids or (0,))[0])

    @property
    def has_chat_template(self) -> bool:
        """Whether messages are rendered by a chat template."""
        return bool(self.tokenizer.chat_template)

    @cached_property
    def leading_ids(self) -> tuple[int, ...]:
        """The special tokens that this tokenizer puts in front of a text; often BOS or nothing."""
        plain = self._plain("a")
        full = list(self.tokenizer("a", add_special_tokens=True)["input_ids"])
        for start in range(len(full) - len(plain) + 1):
            if full[start : start + len(plain)] == plain:
                return tuple(full[:start])
        return ()

    @cached_property
    def special_ids(self) -> frozenset[int]:
        """The ids of all special tokens, which no mean over a text counts."""
        return frozenset(int(i) for i in self.tokenizer.all_special_ids)

    @cached_property
    def prefix_id(self) -> int:
        """What an empty context is replaced by: BOS, or EOS where there is none.

        Raises:
            UsageError: the tokenizer has neither.
        """
        bos = self.tokenizer.bos_token_id
        if bos is not None:
            return int(bos)
        if self.eos_ids:
            return self.eos_ids[0]
        raise UsageError("An empty context cannot be scored: the tokenizer has no BOS and no EOS token.")

    def encode(self, text: str, *, special: bool) -> list[int]:
        """Token ids of a text.

        Args:
            text: plain or rendered text.
            special: put the leading special tokens in front, unless the text already
                starts with them. Nothing is ever appended, so EOS never ends a prompt.
        """
        ids = self._plain(text)
        leading = list(self.leading_ids)
        return ids if not special or ids[: len(leading)] == leading else leading + ids

    def offsets(self, texts: Collection[str]) -> dict[str, list[tuple[int, int]]] | None:
        """Where the tokens of texts stand: first and past-the-last character of each.

        Args:
            texts: that differ, to encode without leading special tokens.

        Returns:
            By text, a pair a token; None where the tokenizer does not know.
        """
        if not self.tokenizer.is_fast:
            return None
        encoded = self.tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True)
        return dict(zip(texts, encoded["offset_mapping"], strict=True))

    def encode_pair(self, context: str, continuation: str, *, special: bool) -> tuple[list[int], list[int]]:
        """Token ids of a context and its continuation, split as lm-eval 0.4.13 does.

        Both are encoded as one text, with the spaces that end the context counted to the
        continuation; the ids that the context alone does not cover are the continuation's.

        Raises:
            UsageError: the continuation is no token.
        """
        if not context:
            ids, rest = [self.prefix_id], self._plain(continuation)
        else:
            stripped = context.rstrip()
            ids = self.encode(stripped, special=special)
            rest = self.encode(context + continuation, special=special)[len(ids) :]
        if not rest:
            raise UsageError(f"The continuation {continuation[:60]!r} has no token to score.")
        return ids or [self.prefix_id], rest

    def decode(self, ids: Sequence[int], *, skip_special: bool = True) -> str:
        """The text of token ids."""
        return str(
            self.tokenizer.decode(list(ids), skip_special_tokens=skip_special, clean_up_tokenization_spaces=False)
        )

    @cached_property
    def takes_system(self) -> bool:
        """Whether the chat template shows a system message, rather than refuse or drop it."""
        probe = "a system message nobody would write"
        try:
            return probe in self._template([Message("system", probe), Message("user", "a")], True, False)
        except TemplateError:
            return False

    def render(self, messages: Sequence[Message], *, add_generation_prompt: bool, continue_final: bool) -> str:
        """The text that a conversation is to the model.

        With a chat template, the template's; a system message that it refuses or drops
        goes to the front of the first user turn. Without one, the contents in order with a
        blank line between them.

        Raises:
            UsageError: no messages, or roles that the template refuses.
        """
        if not messages:
            raise UsageError("A conversation needs at least one message.")
        if not self.has_chat_template:
            return "\n\n".join(message.content for message in messages)
        if any(message.role == "system" for message in messages) and not self.takes_system:
            messages = merge_system(messages)
        try:
            return self._template(messages, add_generation_prompt and not continue_final, continue_final)
        except (TemplateError, ValueError) as error:
            roles = ", ".join(message.role for message in messages)
            raise UsageError(f"The model's chat template refuses messages with the roles {roles}: {error}") from None

    def _plain(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _template(self, messages: Sequence[Message], add_generation_prompt: bool, continue_final: bool) -> str:
        return str(
            self.tokenizer.apply_chat_template(
                [message.to_dict() for message in messages],
                tokenize=False,
                add_generation_prompt=add_generation_prompt,
                continue_final_message=continue_final,
            )
        )


def merge_system(messages: Sequence[Message]) -> list[Message]:
    """Moves system messages to the front of the first user turn, a blank line between them."""
    system = [message.content for message in messages if message.role == "system"]
    merged: list[Message] = []
    for message in messages:
        if message.role == "system":
            continue
        if message.role == "user" and system:
            merged.append(Message("user", "\n\n".join([*system, message.content])))
            system = []
        else:
            merged.append(message)
    return [Message("user", "\n\n".join(system)), *merged] if system else merged
