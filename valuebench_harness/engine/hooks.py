"""Hooks on a model, and their removal whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedModel

from valuebench_harness.engine.intervention import INPUT_SITES, Site
from valuebench_harness.engine.layout import Layout
from valuebench_harness.engine.steering import Steering, Target, Window
from valuebench_harness.engine.trace import Trace


def at_site(
    module: nn.Module, site: Site, see: Callable[[Tensor], Tensor | None], *, first: bool = False
) -> Callable[[], None]:
    """Shows the states at a site to a function on every forward pass of their module.

    Args:
        module: `Layout.module` of the site.
        site: tells whether the states are what the module reads or what it returns.
        see: gets states ``[n_rows, length, d]``; what it returns takes their place, unless None.
        first: before the hooks that are there already.

    Returns:
        A function that takes the hook away.
    """

    def on_input(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]] | None:
        states = args[0] if args else kwargs["hidden_states"]
        changed = see(states)
        if changed is None:
            return None
        return ((changed, *args[1:]), kwargs) if args else (args, {**kwargs, "hidden_states": changed})

    def on_output(_: nn.Module, __: Any, output: Any) -> Any:
        if not isinstance(output, tuple):
            return see(output)
        changed = see(output[0])
        return None if changed is None else (changed, *output[1:])

    if site in INPUT_SITES:
        return module.register_forward_pre_hook(on_input, prepend=first, with_kwargs=True).remove
    return module.register_forward_hook(on_output, prepend=first).remove


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
        targets: where to change states.
        before: called before each forward pass with its input (ids or embeddings, rows
            first) and its keyword arguments.
        change: called with a target and its states ``[n_rows, length, d]``.
    """

    def announce(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        inputs = args[0] if args else kwargs.get("input_ids")
        before(inputs if inputs is not None else kwargs["inputs_embeds"], kwargs)

    with ExitStack() as stack:
        stack.callback(model.register_forward_pre_hook(announce, with_kwargs=True).remove)
        for target in targets:
            # In front of transformers' own hooks, so that output_hidden_states shows the steered states.
            stack.callback(at_site(layout.module(*target), target.site, partial(change, target), first=True))
        yield


def cached_length(kwargs: Mapping[str, Any]) -> int:
    """How many columns the key-value cache of a forward call already holds."""
    cache = kwargs.get("past_key_values")
    return int(cache.get_seq_length()) if cache is not None else 0


@contextmanager
def steered(model: PreTrainedModel, layout: Layout, steering: Steering, trace: Trace | None = None) -> Iterator[None]:
    """Runs the forward passes of one batch steered; without interventions, with no hook at all.

    Args:
        model: that runs.
        layout: where its blocks are.
        steering: of the batch.
        trace: is shown what is changed, where that is wanted.

    Raises:
        UsageError: a steered state left the range of its dtype.
    """
    if not steering.targets:
        yield
        return

    def before(inputs: Tensor, kwargs: Mapping[str, Any]) -> None:
        steering.window = Window(cached_length(kwargs), inputs.shape[1])

    def change(target: Target, states: Tensor) -> Tensor:
        changed = steering.apply(target, states)
        if trace is not None:
            trace.see(target, steering.window, states, changed)
        return changed

    with hooked(model, layout, steering.targets, before, change):
        yield
    steering.check_finite()
