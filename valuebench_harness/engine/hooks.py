"""Hooks on a model, and their removal whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedModel

from valuebench_harness.engine.layout import Layout
from valuebench_harness.engine.steering import Steering, Target, Window


@contextmanager
def hooked(
    model: PreTrainedModel,
    layout: Layout,
    targets: Iterable[Target],
    before: Callable[[Tensor, Mapping[str, Any]], None],
    change: Callable[[Target, Tensor], Tensor],
) -> Iterator[None]:
    """Runs code with hooks on a model; on leaving, every hook is gone.

    Args:
        model: the whole model, whose forward calls are announced.
        layout: where its blocks are.
        targets: the outputs to change.
        before: called before each forward pass with its input (ids or embeddings, rows
            first) and its keyword arguments.
        change: called with a target and its states ``[n_rows, length, d]``.
    """

    def announce(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        inputs = args[0] if args else kwargs.get("input_ids")
        before(inputs if inputs is not None else kwargs["inputs_embeds"], kwargs)

    def changer(target: Target) -> Callable[[nn.Module, Any, Any], Any]:
        def hook(_: nn.Module, __: Any, output: Any) -> Any:
            if isinstance(output, tuple):
                return (change(target, output[0]), *output[1:])
            return change(target, output)

        return hook

    with ExitStack() as stack:
        stack.callback(model.register_forward_pre_hook(announce, with_kwargs=True).remove)
        for target in targets:
            module = layout.module(*target)
            # In front of transformers' own hooks, so that output_hidden_states shows the steered states.
            stack.callback(module.register_forward_hook(changer(target), prepend=True).remove)
        yield


def cached_length(kwargs: Mapping[str, Any]) -> int:
    """How many columns the key-value cache of a forward call already holds."""
    cache = kwargs.get("past_key_values")
    return int(cache.get_seq_length()) if cache is not None else 0


@contextmanager
def steered(model: PreTrainedModel, layout: Layout, steering: Steering) -> Iterator[None]:
    """Runs the forward passes of one batch steered; without interventions, with no hook at all.

    Raises:
        UsageError: a steered state left the range of half precision.
    """
    if not steering.targets:
        yield
        return

    def before(inputs: Tensor, kwargs: Mapping[str, Any]) -> None:
        steering.window = Window(cached_length(kwargs), inputs.shape[1])

    with hooked(model, layout, steering.targets, before, steering.apply):
        yield
    steering.check_finite()
