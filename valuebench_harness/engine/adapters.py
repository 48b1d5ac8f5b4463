"""Weight adapters switched on row by row, as hooks on the linear maps they update.

The model's weights are never touched: ``y = W x`` becomes ``y + scale * up (down x)`` in the rows
whose plan asks for it. So rows of one batch can carry different adapters, several, or none, and
on leaving nothing has to be undone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from valuebench_harness.engine.adapter import LowRankUpdate
from valuebench_harness.engine.plan import SteerPlan
from valuebench_harness.errors import UsageError


@contextmanager
def adapted(model: nn.Module, plans: Sequence[SteerPlan], *, every_row: bool = False) -> Iterator[None]:
    """Runs the forward passes of one batch with each row's adapters; on leaving, every hook is gone.

    Args:
        model: whose modules the updates name.
        plans: one a row.
        every_row: there is one plan, and it holds for all rows of any batch.

    Raises:
        UsageError: an adapter does not fit the model.
    """
    with ExitStack() as stack:
        for name, members in _by_module(plans).items():
            module = linear_map(model, name)
            for update, _, _ in members:
                _check_shape(module, update)
            switched = _Switched(members, None if every_row else len(plans))
            # In front of hooks on the same module, so that these see the adapted output.
            stack.callback(module.register_forward_hook(_hook(switched, name), prepend=True).remove)
        yield


def linear_map(model: nn.Module, name: str) -> nn.Module:
    """The module that an update names.

    Raises:
        UsageError: the model has none of that name.
    """
    try:
        return model.get_submodule(name)
    except AttributeError:
        raise UsageError(
            f"The weight adapter updates '{name}', which {type(model).__name__} does not have: "
            "it was trained on another architecture. Train it on this model."
        ) from None


_Member = tuple[LowRankUpdate, float, int]
"""An update, its scale, and the row it is for."""


def _by_module(plans: Sequence[SteerPlan]) -> dict[str, list[_Member]]:
    found: dict[str, list[_Member]] = {}
    for row, plan in enumerate(plans):
        for scaled in plan.active_adapters:
            for update in scaled.adapter.updates:
                found.setdefault(update.module, []).append((update, scaled.scale, row))
    return found


def _sizes(module: nn.Module) -> tuple[int | None, int | None]:
    """Inputs and outputs of a linear map: ``nn.Linear`` and its quantized kin, or GPT-2's ``Conv1D``."""
    if hasattr(module, "in_features"):
        return int(module.in_features), int(module.out_features)  # type: ignore[arg-type]
    if hasattr(module, "nx"):
        return int(module.nx), int(module.nf)  # type: ignore[arg-type]
    return None, None


def _check_shape(module: nn.Module, update: LowRankUpdate) -> None:
    wanted = _sizes(module)
    given = (update.down.shape[1], update.up.shape[0])
    if wanted != given:
        size = f"maps {wanted[0]} to {wanted[1]}" if wanted[0] else f"is a {type(module).__name__}, no linear map"
        raise UsageError(
            f"The weight adapter's update of '{update.module}' maps {given[0]} to {given[1]}, "
            f"the model's {size}. Was it trained on another model?"
        )


class _Switched:
    """The updates of one module in one batch.

    All rows share two matrix products, whatever the number of adapters: the ranks of the distinct
    updates stand side by side, and each row's scales are zero in the ranks that are not its own.
    """

    def __init__(self, members: Sequence[_Member], n_rows: int | None) -> None:
        distinct = list({update.down.digest + update.up.digest: update for update, _, _ in members}.items())
        starts: dict[str, tuple[int, int]] = {}
        width = 0
        for key, update in distinct:
            starts[key] = (width, width + update.rank)
            width += update.rank
        rows = sorted({row for _, _, row in members})
        place = {row: i for i, row in enumerate(rows)}
        scales = torch.zeros(len(rows), 1, width)
        for update, scale, row in members:
            start, end = starts[update.down.digest + update.up.digest]
            scales[place[row], 0, start:end] += scale
        self.n_rows = n_rows
        self.rows = None if n_rows is None or len(rows) == n_rows else torch.tensor(rows)
        # FrozenArray is read-only, which torch cannot express: cat copies.
        self.down = torch.cat([torch.tensor(update.down.array) for _, update in distinct])
        self.up = torch.cat([torch.tensor(update.up.array) for _, update in distinct], dim=1)
        self.scales = scales

    def apply(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Adds the updates to outputs ``[n_rows, length, n_outputs]``; other rows come back bit for bit."""
        if self.scales.device != outputs.device:
            self.down, self.up, self.scales = (t.to(outputs.device) for t in (self.down, self.up, self.scales))
            self.rows = None if self.rows is None else self.rows.to(outputs.device)
        inputs = inputs.to(outputs.device)
        if self.rows is None:
            return (outputs.float() + self._delta(inputs)).to(outputs.dtype)
        chosen = outputs.index_select(0, self.rows)
        changed = (chosen.float() + self._delta(inputs.index_select(0, self.rows))).to(outputs.dtype)
        return outputs.index_copy(0, self.rows, changed)

    def _delta(self, inputs: Tensor) -> Tensor:
        return (inputs.float() @ self.down.T * self.scales) @ self.up.T


def _hook(switched: _Switched, name: str) -> Callable[[nn.Module, Any, Tensor], Tensor]:
    def hook(_: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
        inputs: Tensor = args[0]
        by_row = inputs.ndim == 3 and inputs.shape[0] == switched.n_rows
        if switched.n_rows is not None and not by_row:
            raise UsageError(
                f"'{name}' sees its tokens without their rows (shape {tuple(inputs.shape)}), "
                "so an adapter cannot be switched there row by row. Leave it out of the adapter's modules."
            )
        return switched.apply(inputs, output)

    return hook
