"""Where the tokens of a batch stand, and which of them a scope covers."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from valuebench_harness.engine.intervention import TokenScope
from valuebench_harness.errors import UsageError


class Columns:
    """The columns of a padded batch at its first forward pass.

    Column c of a row is one token position; columns from `width` on, which cached or
    uncached decoding adds, hold generated tokens in every row. Tensors are on the CPU.

    Args:
        ids: token ids ``[n_rows, width]``.
        real: True where a column is no padding, ``[n_rows, width]``.
        prompt_end: the first column of each row that is no prompt any more, ``[n_rows]``.
        tokenizer: needed for scopes that name a phrase.
    """

    def __init__(
        self, ids: Tensor, real: Tensor, prompt_end: Tensor, tokenizer: PreTrainedTokenizerBase | None = None
    ) -> None:
        self.ids = ids
        self.real = real
        self.width = ids.shape[1]
        column = torch.arange(self.width)
        self.prompt = real & (column < prompt_end[:, None])
        self.last_prompt = torch.where(self.prompt, column, -1).amax(dim=1)
        """The column of each row's last prompt token, ``[n_rows]``; -1 where it has none."""
        self.phrases_not_found: set[str] = set()
        self._tokenizer = tokenizer
        self._masks: dict[tuple[int, TokenScope], Tensor] = {}

    @classmethod
    def left_padded(
        cls,
        rows: Sequence[Sequence[int]],
        n_generated: Sequence[int],
        pad: int,
        tokenizer: PreTrainedTokenizerBase | None = None,
    ) -> Columns:
        """Pads rows of token ids on the left.

        Args:
            rows: the ids of each row.
            n_generated: how many ids at the end of each row count as generated.
            pad: the id to pad with.
            tokenizer: as in the class.
        """
        width = max(map(len, rows))
        ids = torch.tensor([[pad] * (width - len(row)) + list(row) for row in rows])
        lengths = torch.tensor([len(row) for row in rows])
        real = torch.arange(width) >= (width - lengths)[:, None]
        return cls(ids, real, width - torch.tensor(n_generated), tokenizer)

    def mask(self, row: int, scope: TokenScope) -> Tensor:
        """Which columns of a row a scope covers, bool ``[width]``."""
        key = (row, scope)
        if key not in self._masks:
            self._masks[key] = self._mask(row, scope)
        return self._masks[key]

    def _mask(self, row: int, scope: TokenScope) -> Tensor:
        real, prompt = self.real[row], self.prompt[row]
        match scope.kind:
            case "all":
                return real
            case "prompt":
                return prompt
            case "generated":
                return real & ~prompt
            case "last-prompt":
                return torch.arange(self.width) == self.last_prompt[row]
            case "position":
                return prompt & (prompt.cumsum(dim=0) - 1 == scope.position)
            case "phrase":
                return self._phrase(row, scope.phrase)

    def _phrase(self, row: int, phrase: str) -> Tensor:
        if self._tokenizer is None:
            raise UsageError(f"The scope of phrase '{phrase}' needs the tokenizer: steer(model, plan, tokenizer=...).")
        columns = self.prompt[row].nonzero().flatten()
        found = phrase_tokens(self._tokenizer, self.ids[row][columns].tolist(), phrase)
        if not found:
            self.phrases_not_found.add(phrase)
        mask = torch.zeros(self.width, dtype=torch.bool)
        mask[columns[found]] = True
        return mask


def phrase_tokens(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int], phrase: str) -> list[int]:
    """Which tokens share a character with an occurrence of a phrase in their text.

    Works from the ids alone, hence the same for every tokenizer and for prompts of which
    only the ids are known: the decoded length grows with the number of tokens, so the
    tokens of a stretch of text are found by bisection.

    Args:
        tokenizer: decodes the ids.
        ids: the tokens of one text.
        phrase: what to look for, exactly.

    Returns:
        Indices into `ids`, ascending; empty where the phrase does not occur.
    """

    def decode(tokens: Sequence[int]) -> str:
        return str(tokenizer.decode(list(tokens), clean_up_tokenization_spaces=False))

    text = decode(ids)
    counts = range(len(ids) + 1)
    found: set[int] = set()
    start = text.find(phrase)
    while start >= 0:
        first = bisect_left(counts, start + 1, key=lambda n: len(decode(ids[:n]))) - 1
        last = bisect_left(counts, start + len(phrase), key=lambda n: len(decode(ids[:n])))
        found.update(range(first, last))
        start = text.find(phrase, start + 1)
    return sorted(found)
