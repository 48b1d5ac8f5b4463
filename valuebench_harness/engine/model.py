"""A loaded model that takes rows, each with its own steering plan."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeVar, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from valuebench_harness.engine.adapters import adapted
from valuebench_harness.engine.batching import TOKENS_ON_ACCELERATOR, TOKENS_ON_CPU, make_batches, run_batches
from valuebench_harness.engine.capturing import Reduce, capture_batch
from valuebench_harness.engine.codec import Codec
from valuebench_harness.engine.decoding import generate_batch
from valuebench_harness.engine.hooks import steered
from valuebench_harness.engine.intervention import Site, TokenScope
from valuebench_harness.engine.layout import Layout
from valuebench_harness.engine.plan import Message, SteerPlan
from valuebench_harness.engine.rows import (
    Generation,
    GenerationRow,
    Loglikelihood,
    LoglikelihoodRow,
    TextRow,
)
from valuebench_harness.engine.scopes import Columns
from valuebench_harness.engine.scoring import Span, rolling_windows, score_spans
from valuebench_harness.engine.steering import Steering
from valuebench_harness.engine.trace import Trace
from valuebench_harness.errors import UsageError

Progress = Callable[[int], None]
Result = TypeVar("Result")
EVERY_TOKEN = TokenScope("all")


class SteeredModel:
    """A causal language model whose rows carry their own steering plans.

    Made by `valuebench_harness.engine.loading.load`. Results of a row do not depend on
    the rest of its batch; each method yields rows as their batch is done, longest rows
    first, so that a caller can store them at once.

    Attributes:
        model: the transformers model.
        tokenizer: its tokenizer.
        layout: where its decoder blocks are.
        codec: text to ids and back, and chat templates.
        device: where inputs go.
        name: what was asked for, a folder or a hub id.
        commit: the hub commit, None for a folder.
        dtype: of the weights, such as ``float32``.
        fingerprint: identifies the checkpoint; see `valuebench_harness.engine.fingerprint`.
        max_length: most tokens the model reads at once.
        token_budget: padded tokens a batch holds where no batch size is given.
        use_cache: whether decoding keeps keys and values; False computes them anew.
        notes: what a report should mention: batches halved, prompts cut, dtype changed.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        layout: Layout,
        codec: Codec,
        *,
        name: str,
        commit: str | None,
        fingerprint: str,
        device: torch.device,
        max_length: int,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.layout = layout
        self.codec = codec
        self.device = device
        self.name = name
        self.commit = commit
        self.dtype = str(model.dtype).removeprefix("torch.")
        self.fingerprint = fingerprint
        self.max_length = max_length
        self.token_budget = TOKENS_ON_CPU if device.type == "cpu" else TOKENS_ON_ACCELERATOR
        self.use_cache = True
        self.notes: list[str] = []
        accepted = inspect.signature(model.forward).parameters
        self._takes_position_ids = "position_ids" in accepted
        self._takes_logits_to_keep = "logits_to_keep" in accepted

    @property
    def n_layers(self) -> int:
        """The number of decoder blocks."""
        return self.layout.n_layers

    @property
    def width(self) -> int:
        """The width of the hidden states."""
        return self.layout.width

    @property
    def has_chat_template(self) -> bool:
        """Whether `render` uses a chat template."""
        return self.codec.has_chat_template

    def render(
        self, messages: Sequence[Message], *, add_generation_prompt: bool = True, continue_final: bool = False
    ) -> str:
        """The prompt that a conversation is to this model.

        Rows made from it take ``special=not model.has_chat_template``: a chat template
        writes its own special tokens.

        Args:
            messages: the conversation.
            add_generation_prompt: open the assistant's turn at the end.
            continue_final: leave the last message open, to be continued.

        Returns:
            The chat template's text. A system message that it refuses or drops goes to the
            front of the first user turn. Without a template: the contents with a blank line
            between them.

        Raises:
            UsageError: no messages, or roles that the template refuses.
        """
        return self.codec.render(messages, add_generation_prompt=add_generation_prompt, continue_final=continue_final)

    def token_ids(self, text: str, *, special: bool) -> list[int]:
        """Token ids of a text; `special` puts BOS in front where the tokenizer has it so, never twice."""
        return self.codec.encode(text, special=special)

    def note(self, text: str) -> None:
        """Records what a report should mention, once."""
        if text not in self.notes:
            self.notes.append(text)

    def generate(
        self, rows: Sequence[GenerationRow], *, batch_size: int | None = None, progress: Progress | None = None
    ) -> Iterator[tuple[int, Generation]]:
        """Continues prompts.

        Args:
            rows: the requests. Prompts too long for the model lose their beginning, noted in `notes`.
            batch_size: rows a batch; None fills `token_budget`.
            progress: called after each batch with its number of rows.

        Yields:
            Row index and answer.

        Raises:
            UsageError: a plan does not fit the model, a row leaves no room for its prompt, or
                a single row does not fit in memory.
        """
        prompts = [self._prompt(row) for row in rows]
        batches = make_batches(
            [len(prompt) for prompt in prompts],
            [row.max_new_tokens for row in rows],
            size=batch_size,
            budget=self.token_budget,
        )

        def run(batch: list[int]) -> list[Generation]:
            results = generate_batch(self, [rows[i] for i in batch], [prompts[i] for i in batch])
            return _report(progress, results)

        yield from run_batches(batches, run, self.note)

    def loglikelihoods(
        self, rows: Sequence[LoglikelihoodRow], *, batch_size: int | None = None, progress: Progress | None = None
    ) -> Iterator[tuple[int, Loglikelihood]]:
        """Scores continuations, split from their contexts as lm-eval does.

        Args and errors are those of `generate`; contexts too long lose their beginning.

        Yields:
            Row index and score.
        """
        spans = [self._span(row) for row in rows]
        yield from score_spans(self, spans, batch_size, progress)

    def rolling_loglikelihoods(
        self, rows: Sequence[TextRow], *, batch_size: int | None = None, progress: Progress | None = None
    ) -> Iterator[tuple[int, float]]:
        """Scores whole texts, of any length, in the windows that lm-eval uses.

        The prefix token (BOS or EOS) that starts each text is the prompt to the plan, the
        text is generated. Args and errors are those of `generate`.

        Yields:
            Row index and natural logarithm of the text's probability; 0 for an empty text.
        """
        spans: list[Span] = []
        owners: list[int] = []
        for index, row in enumerate(rows):
            ids = self.token_ids(row.text, special=False)
            for context, continuation in rolling_windows(ids, self.codec.prefix_id, self.max_length):
                spans.append(Span(context, continuation, row.plan))
                owners.append(index)
        waiting = np.bincount(owners, minlength=len(rows)).tolist()
        totals = [0.0] * len(rows)
        for index in range(len(rows)):
            if not waiting[index]:
                yield index, 0.0
        for number, score in score_spans(self, spans, batch_size, None):
            index = owners[number]
            totals[index] += score.logprob
            waiting[index] -= 1
            if not waiting[index]:
                if progress:
                    progress(1)
                yield index, totals[index]

    @overload
    def capture(
        self,
        rows: Sequence[TextRow],
        layers: Sequence[int],
        scope: TokenScope = ...,
        *,
        reduce: Literal["last", "mean"] = ...,
        site: Site = ...,
        batch_size: int | None = ...,
        progress: Progress | None = ...,
    ) -> NDArray[np.float32]: ...

    @overload
    def capture(
        self,
        rows: Sequence[TextRow],
        layers: Sequence[int],
        scope: TokenScope = ...,
        *,
        reduce: Literal["none"],
        site: Site = ...,
        batch_size: int | None = ...,
        progress: Progress | None = ...,
    ) -> list[NDArray[np.float32]]: ...

    def capture(
        self,
        rows: Sequence[TextRow],
        layers: Sequence[int],
        scope: TokenScope = EVERY_TOKEN,
        *,
        reduce: Reduce = "last",
        site: Site = "block",
        batch_size: int | None = None,
        progress: Progress | None = None,
    ) -> NDArray[np.float32] | list[NDArray[np.float32]]:
        """Reads hidden states, all layers in one forward pass.

        Args:
            rows: texts, each prompt as a whole; states are read as its plan leaves them.
            layers: which blocks; layer i is the output of block i, before any final norm.
            scope: which tokens. Padding never counts.
            reduce: ``last`` of these tokens; their ``mean``, special tokens left out; or ``none``.
            site: where in the block.
            batch_size: rows a batch; None fills `token_budget`.
            progress: called after each batch with its number of rows.

        Returns:
            Float32 ``[n_rows, n_layers, d]``; with ``none`` a list of ``[n_tokens, n_layers, d]``.

        Raises:
            UsageError: a layer out of range, a row without a token in scope, or as `generate`.
        """
        texts = [self._fit(self._ids(row.text, row.special), self.max_length) for row in rows]
        for layer in layers:
            self.layout.module(layer, site)
        batches = make_batches(
            [len(text) for text in texts], [0] * len(rows), size=batch_size, budget=self.token_budget
        )

        def run(batch: list[int]) -> list[NDArray[np.float32]]:
            plans = [rows[i].plan for i in batch]
            batch_texts = [texts[i] for i in batch]
            states = capture_batch(self, batch_texts, plans, layers=layers, scope=scope, reduce=reduce, site=site)
            return _report(progress, states)

        found = dict(run_batches(batches, run, self.note))
        ordered = [found[i] for i in range(len(rows))]
        if reduce == "none":
            return ordered
        return np.stack(ordered) if ordered else np.zeros((0, len(layers), self.width), dtype=np.float32)

    @contextmanager
    def steered(self, plans: Sequence[SteerPlan], columns: Columns, trace: Trace | None = None) -> Iterator[None]:
        """Hooks for the forward passes of one batch.

        See `valuebench_harness.engine.hooks.steered` and `valuebench_harness.engine.adapters.adapted`.
        """
        steering = Steering(plans, columns, self.layout)
        for phrase in sorted(columns.phrases_not_found):
            self.note(f"The phrase '{phrase}' is not in every prompt; rows without it were not steered there.")
        with adapted(self.model, plans), steered(self.model, self.layout, steering, trace):
            yield

    def forward(self, columns: Columns, *, keep: int) -> Tensor:
        """One uncached forward pass; logits of the last `keep` columns, ``[n_rows, keep, vocabulary]``."""
        mask = columns.real.long().to(self.device)
        inputs: dict[str, Any] = {
            "input_ids": columns.ids.to(self.device),
            "attention_mask": mask,
            "use_cache": False,
        }
        if self._takes_position_ids:
            inputs["position_ids"] = (mask.cumsum(dim=-1) - 1).clamp_min(0)
        if self._takes_logits_to_keep:
            inputs["logits_to_keep"] = keep
        logits: Tensor = self.model(**inputs).logits
        return logits[:, -keep:]

    def _ids(self, text: str, special: bool) -> list[int]:
        """Ids of a text; an empty one is the prefix token, since a model needs something to read."""
        return self.codec.encode(text, special=special) or [self.codec.prefix_id]

    def _prompt(self, row: GenerationRow) -> list[int]:
        room = self.max_length - row.max_new_tokens
        if room < 1:
            raise UsageError(
                f"{row.max_new_tokens} new tokens leave no room for a prompt: "
                f"{self.name} reads {self.max_length} tokens."
            )
        return self._fit(self._ids(row.prompt, row.special), room)

    def _span(self, row: LoglikelihoodRow) -> Span:
        context, continuation = self.codec.encode_pair(row.context, row.continuation, special=row.special)
        if len(continuation) > self.max_length:
            raise UsageError(
                f"The continuation {row.continuation[:60]!r} has {len(continuation)} tokens: "
                f"{self.name} reads {self.max_length}."
            )
        context = self._fit(context, self.max_length - len(continuation) + 1)
        return Span(tuple(context), tuple(continuation), row.plan)

    def _fit(self, ids: list[int], room: int) -> list[int]:
        if len(ids) > room:
            self.note(f"Texts longer than the {self.max_length} tokens that {self.name} reads lost their beginning.")
        return ids[-room:]


def _report(progress: Progress | None, results: list[Result]) -> list[Result]:
    if progress:
        progress(len(results))
    return results
