"""lm-eval's model interface on the engine: any task of lm-eval runs steered, request by request.

Three things differ from lm-eval's own ``hf`` and ``steered`` models:

- Each request is gated and steered by itself. With ``apply_chat_template`` the method sees
  the conversation that it was rendered from, so prompt methods rewrite messages exactly as they do in
  ``vharness eval``. Without it, the whole context counts as one user message, few-shot examples
  included, and an instruction goes in front of it. Text that is scored without any context
  (perplexity, unconditional likelihoods) has no prompt: prompt methods leave it alone, a gate reads
  the text itself. What lm-eval logs as a request stays the unsteered one.
- Answers are cached by everything that determines them. lm-eval's own cache forgets the model's
  arguments and would return another strength's answers; it is refused.
- A text scored as a whole follows the prefix token once. ``hf`` puts a tokenizer's BOS in front of
  it as well, and counts the likelihood of that BOS (lm-eval 0.4.13).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from lm_eval.api.model import LM
from lm_eval.defaults import DEFAULT_MAX_GEN_TOKS
from lm_eval.models.utils import normalize_gen_kwargs

from valuebench_harness.engine.plan import Message
from valuebench_harness.engine.rows import GenerationRow, LoglikelihoodRow, TextRow
from valuebench_harness.errors import UsageError
from valuebench_harness.harness.cache import Cache, content_key
from valuebench_harness.harness.lm_prompts import Method, Prompt, Prompter
from valuebench_harness.harness.progress import Reporter
from valuebench_harness.harness.requests import ENGINE_VERSION, row_seed
from valuebench_harness.steerers.states import States

if TYPE_CHECKING:
    import torch
    from lm_eval.api.instance import Instance

    from valuebench_harness.engine.model import SteeredModel

Row = TypeVar("Row", GenerationRow, LoglikelihoodRow, TextRow)

FLUSH = 64
"""Answers that are cached together: what a kill may cost."""

NEUTRAL = {"num_beams": 1, "num_return_sequences": 1, "repetition_penalty": 1.0}
"""Generation settings of transformers that the engine does not have, at the values that change nothing."""


class SteeredLM(LM):  # type: ignore[misc]  # lm-eval is untyped
    """A loaded model as lm-eval calls it.

    Args:
        model: runs everything.
        methods: how to steer, one for each value; none is the unsteered base.
        states: of the unsteered model, for gates; None reads them anew.
        seed: of sampled answers.
        batch_size: rows a batch; None chooses by length.
        cache: of answers and gate decisions; None for the user's.
        report: shows progress; None shows nothing.
        label: names the model in progress.
    """

    def __init__(
        self,
        model: SteeredModel,
        methods: Method | Sequence[Method] = (),
        *,
        states: States | None = None,
        seed: int = 0,
        batch_size: int | None = None,
        cache: Cache | None = None,
        report: Reporter | None = None,
        label: str = "lm-eval",
    ) -> None:
        super().__init__()
        self.model = model
        self.batch_size = batch_size
        self._seed = seed
        self._cache = cache if cache is not None else Cache()
        self._report = report if report is not None else Reporter(quiet=True)
        self._label = label
        states = states if states is not None else States(model, batch_size)
        methods = (methods,) if isinstance(methods, Method) else tuple(methods)
        self._prompter = Prompter(model, methods, states, self._cache)

    # What lm-eval asks about the model

    @property
    def device(self) -> torch.device:
        """Where inputs go."""
        return self.model.device

    @property
    def max_length(self) -> int:
        """Most tokens the model reads at once."""
        return self.model.max_length

    @property
    def tokenizer_name(self) -> str:
        """Name of the tokenizer, without slashes."""
        return str(self.model.tokenizer.name_or_path).replace("/", "__")

    def chat_template(self, chat_template: bool | str = False) -> str | None:
        """The text of the chat template; None where it is off or the model has none.

        Raises:
            UsageError: a template is asked for by name.
        """
        if isinstance(chat_template, str):
            raise UsageError(
                f"The chat template '{chat_template}' is asked for by name; steered models use the tokenizer's own one."
            )
        if not chat_template or not self.model.has_chat_template:
            return None
        return str(self.model.tokenizer.get_chat_template())

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """Renders a conversation, unsteered, and remembers it for the request that will hold the text.

        Args:
            chat_history: messages with ``role`` and ``content``.
            add_generation_prompt: open the assistant's turn; otherwise the last message is continued.
        """
        messages = [Message(turn["role"], turn["content"]) for turn in chat_history]
        return self._prompter.render(messages, continue_final=not add_generation_prompt)

    def set_cache_hook(self, cache_hook: object) -> None:  # noqa: ARG002
        """Refuses lm-eval's cache of answers.

        Raises:
            UsageError: always.
        """
        raise UsageError(
            "lm-eval's --use_cache would return the answers of another method or strength. "
            "Leave it out: steered models cache their answers themselves."
        )

    # What lm-eval asks the model

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        """Log-likelihood of each continuation after its context, and whether greedy decoding would give it."""
        pairs = [(str(r.args[0]), str(r.args[1])) for r in requests]
        prompts = self._prompter.steer(context or continuation for context, continuation in pairs)
        rows = []
        for context, continuation in pairs:
            prompt = prompts[context or continuation]
            rows.append(LoglikelihoodRow(prompt.text if context else "", continuation, prompt.plan, prompt.special))

        def compute(todo: Sequence[LoglikelihoodRow]) -> Iterator[tuple[int, list[Any]]]:
            for index, score in self.model.loglikelihoods(todo, batch_size=self.batch_size):
                yield index, [score.logprob, score.is_greedy]

        return [(float(logprob), bool(is_greedy)) for logprob, is_greedy in self._answer(rows, compute)]

    def loglikelihood_rolling(self, requests: list[Instance]) -> list[float]:
        """Log-likelihood of each text as a whole."""
        texts = [str(r.args[0]) for r in requests]
        prompts = self._prompter.steer(texts)
        rows = [TextRow(text, prompts[text].plan) for text in texts]

        def compute(todo: Sequence[TextRow]) -> Iterator[tuple[int, float]]:
            yield from self.model.rolling_loglikelihoods(todo, batch_size=self.batch_size)

        return [float(logprob) for logprob in self._answer(rows, compute)]

    def generate_until(self, requests: list[Instance]) -> list[str]:
        """Continues each context until a stop string, the end of text, or ``max_gen_toks``.

        Raises:
            UsageError: a task's generation settings ask for what the engine cannot do.
        """
        prompts = self._prompter.steer(str(r.args[0]) for r in requests)
        seen: Counter[int] = Counter()
        rows = []
        for request in requests:  # lm-eval asks for repeats by repeating the instance
            rows.append(self._generation_row(request, prompts[str(request.args[0])], seen[id(request)]))
            seen[id(request)] += 1

        def compute(todo: Sequence[GenerationRow]) -> Iterator[tuple[int, str]]:
            for index, answer in self.model.generate(todo, batch_size=self.batch_size):
                yield index, answer.text

        return [str(text) for text in self._answer(rows, compute)]

    def _generation_row(self, request: Instance, prompt: Prompt, repeat: int) -> GenerationRow:
        settings = dict(normalize_gen_kwargs(request.args[1], DEFAULT_MAX_GEN_TOKS))
        stop = tuple(text for text in settings.pop("until") if text)
        max_new_tokens = settings.pop("max_gen_toks")
        sampled, temperature = settings.pop("do_sample"), settings.pop("temperature", 1.0)
        top_p, top_k = settings.pop("top_p", None), settings.pop("top_k", None)
        unknown = sorted(k for k, value in settings.items() if value is not None and NEUTRAL.get(k) != value)
        if unknown:
            raise UsageError(
                f"Task '{request.task_name}': its generation_kwargs ask for '{unknown[0]}', which steered models do "
                "not support; they take until, max_gen_toks, do_sample, temperature, top_p and top_k."
            )
        if max_new_tokens >= self.max_length:
            raise UsageError(
                f"Task '{request.task_name}': {max_new_tokens} new tokens leave no room for a prompt, "
                f"{self.model.name} reads {self.max_length}. Set max_gen_toks in its generation_kwargs."
            )
        return GenerationRow(
            prompt=prompt.text,
            plan=prompt.plan,
            max_new_tokens=max_new_tokens,
            temperature=float(temperature) if sampled else 0.0,
            top_p=1.0 if top_p is None else float(top_p),
            top_k=0 if top_k is None else int(top_k),
            seed=row_seed(self._seed, _name(request), repeat) if sampled else 0,
            stop=stop,
            special=prompt.special,
        )

    # Answering

    def _answer(self, rows: Sequence[Row], compute: Callable[[Sequence[Row]], Iterable[tuple[int, Any]]]) -> list[Any]:
        """Answers rows from the cache, or else from the model; each distinct row once."""
        keys = [self._key(row) for row in rows]
        distinct = dict(zip(keys, rows, strict=True))
        answers = self._cache.get(distinct)
        todo = [key for key in distinct if key not in answers]
        fresh: dict[str, Any] = {}
        with self._report.stage(self._label, len(todo), "requests") as advance:
            try:
                for index, answer in compute([distinct[key] for key in todo]):
                    fresh[todo[index]] = answer
                    advance()
                    if len(fresh) >= FLUSH:
                        self._cache.put("lm-eval", fresh)
                        answers.update(fresh)
                        fresh = {}
            finally:
                self._cache.put("lm-eval", fresh)
        answers.update(fresh)
        return [answers[key] for key in keys]

    def _key(self, row: GenerationRow | LoglikelihoodRow | TextRow) -> str:
        settings = {f.name: getattr(row, f.name) for f in fields(row) if f.name != "plan"}
        return content_key(
            "lm-eval",
            engine=ENGINE_VERSION,
            model=self.model.fingerprint,
            commit=self.model.commit,
            dtype=self.model.dtype,
            plan=row.plan.digest,
            asks=type(row).__name__,
            **settings,
        )


def _name(request: Instance) -> str:
    """What seeds a document's samples: its own id, as in ``vharness eval``, or its place in the task."""
    own = request.doc.get("id") if isinstance(request.doc, Mapping) else None
    return str(own) if own is not None else f"{request.task_name}|{request.doc_id}"
