"""Hidden states of training texts, read once and shared by all that fit on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from valuebench_harness.engine.plan import Message
from valuebench_harness.engine.rows import TextRow

if TYPE_CHECKING:
    from valuebench_harness.engine.model import SteeredModel


class States:
    """Reads states in the unsteered model; each text passes through the model once."""

    def __init__(self, model: SteeredModel, batch_size: int | None = None) -> None:
        self._model = model
        self._batch_size = batch_size
        self._last: dict[str, np.ndarray] = {}
        self._heads: dict[str, np.ndarray] = {}
        self._mean: dict[tuple[int, str], np.ndarray] = {}

    @property
    def fingerprint(self) -> str:
        """Of the model that is read."""
        return self._model.fingerprint

    def last(self, texts: Sequence[str]) -> np.ndarray:
        """States of each text's last token, the text standing alone (after a BOS, where there is one).

        The published ConVA code reads the last token of the plain text.

        Returns:
            ``[n_texts, n_layers, width]``, float32.
        """
        missing = [t for t in dict.fromkeys(texts) if t not in self._last]
        if missing:
            rows = [TextRow(text=t, special=True) for t in missing]
            states = self._model.capture(rows, range(self._model.n_layers), reduce="last", batch_size=self._batch_size)
            self._last.update(zip(missing, states, strict=True))
        return np.stack([self._last[t] for t in texts])

    def heads(self, texts: Sequence[str]) -> np.ndarray:
        """What each attention head gives at each text's last token, before the output projection mixes the heads.

        Returns:
            ``[n_texts, n_layers, n_heads, head width]``, float32.

        Raises:
            UsageError: the model's heads cannot be told apart.
        """
        layout, layers = self._model.layout, range(self._model.n_layers)
        widths = {layout.head_width(layer) for layer in layers}
        missing = [t for t in dict.fromkeys(texts) if t not in self._heads]
        if missing:
            rows = [TextRow(text=t, special=True) for t in missing]
            states = self._model.capture(rows, layers, reduce="last", site="heads", batch_size=self._batch_size)
            self._heads.update(zip(missing, states, strict=True))
        return np.stack([self._heads[t].reshape(len(layers), -1, min(widths)) for t in texts])

    def tokens(self, text: str) -> np.ndarray:
        """States of every token of a text standing alone, its leading special token included.

        Returns:
            ``[n_tokens, n_layers, width]``, float32.
        """
        rows = [TextRow(text=text, special=True)]
        return self._model.capture(rows, range(self._model.n_layers), reduce="none", batch_size=self._batch_size)[0]

    def message_mean(self, texts: Sequence[str], layer: int) -> np.ndarray:
        """Mean state over the tokens of each text as a user's message.

        Returns:
            ``[n_texts, width]``, float32.
        """
        return self.prompt_mean([self._model.render((Message("user", t),)) for t in texts], layer)

    def prompt_mean(self, prompts: Sequence[str], layer: int) -> np.ndarray:
        """The same for rendered prompts: what a gate sees."""
        missing = [p for p in dict.fromkeys(prompts) if (layer, p) not in self._mean]
        if missing:
            rows = [TextRow(text=p, special=not self._model.has_chat_template) for p in missing]
            states = self._model.capture(rows, [layer], reduce="mean", batch_size=self._batch_size)
            self._mean.update({(layer, p): s[0] for p, s in zip(missing, states, strict=True)})
        return np.stack([self._mean[layer, p] for p in prompts])
