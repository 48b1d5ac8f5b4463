"""The plans of a batch, compiled into a few tensor operations a layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from valuebench_harness.engine.arrays import FrozenArray
from valuebench_harness.engine.intervention import Intervention, Site
from valuebench_harness.engine.kinds import Kind, kind
from valuebench_harness.engine.layout import Layout
from valuebench_harness.engine.plan import SteerPlan
from valuebench_harness.engine.scopes import Columns
from valuebench_harness.errors import UsageError


class Target(NamedTuple):
    """One place in the model where states are changed."""

    layer: int
    site: Site


class Window(NamedTuple):
    """The columns that one forward pass computes: `length` of them from `start` on."""

    start: int
    length: int


@dataclass(frozen=True)
class _Selection:
    """The tokens of a forward pass that a group steers.

    Attributes:
        tokens: indices into the states flattened to ``[n_rows * length, d]``.
        params: a row of every parameter a token, or None to gather them when needed.
        owners: index into the group's rows, a token.
        whole: whether these are all tokens of the pass, in order.
    """

    tokens: Tensor
    owners: Tensor
    params: dict[str, Tensor] | None
    whole: bool


class _Group:
    """The rows of a batch that share a kind at a target, each with its own parameters."""

    def __init__(self, kind: Kind, members: Sequence[tuple[int, Intervention]], columns: Columns) -> None:
        self.kind = kind
        self.rows = torch.tensor([row for row, _ in members])
        self.n_rows, self.width = columns.ids.shape
        self.mask = torch.stack([columns.mask(row, member.scope) for row, member in members])
        self.reaches_generated = torch.tensor([member.scope.reaches_generated for _, member in members])
        self.anchor_columns = columns.last_prompt[self.rows]
        self.anchors: Tensor | None = None
        distinct = dict.fromkeys((member.params, member.coefficient) for _, member in members)
        unique = {key: index for index, key in enumerate(distinct)}
        self.owner_params = torch.tensor([unique[member.params, member.coefficient] for _, member in members])
        self.table = {"coefficient": torch.tensor([[coefficient] for _, coefficient in unique])}
        for name in kind.vectors + kind.scalars:
            values = [params[name] for params, _ in unique]
            flat = [value.array.reshape(-1) if isinstance(value, FrozenArray) else [value] for value in values]
            self.table[name] = torch.from_numpy(np.array(flat, dtype=np.float32))
        self._selections: dict[Window, _Selection | None] = {}
        self._device: torch.device | None = None

    def apply(self, states: Tensor, window: Window) -> tuple[Tensor, Tensor | None]:
        """Steers this group's tokens.

        Args:
            states: ``[n_rows * window.length, d]``.
            window: the columns of this forward pass.

        Returns:
            The new states, and those that changed (None if no token was in scope).
        """
        if self._device != states.device:
            self._move(states.device)
        if self.kind.needs_anchor:
            self._remember_anchors(states, window)
        selection = self._select(window)
        if selection is None:
            return states, None
        params = selection.params if selection.params is not None else self._gather(selection.owners)
        if self.kind.needs_anchor and self.anchors is not None:
            params = {**params, "anchor": self.anchors[selection.owners]}
        chosen = states if selection.whole else states.index_select(0, selection.tokens)
        steered = self.kind.apply(chosen.float(), params).to(states.dtype)
        return steered if selection.whole else states.index_copy(0, selection.tokens, steered), steered

    def _move(self, device: torch.device) -> None:
        """Parameters live where the states of this site live: sharded models have several devices."""
        self.table = {name: values.to(device) for name, values in self.table.items()}
        self.owner_params = self.owner_params.to(device)
        self._selections.clear()
        self._device = device

    def _remember_anchors(self, states: Tensor, window: Window) -> None:
        """Keeps the last prompt tokens' states from the pass that computes them for later ones."""
        offset = self.anchor_columns - window.start
        if bool(((offset >= 0) & (offset < window.length)).all()):
            self.anchors = states[(self.rows * window.length + offset).to(states.device)].float()
        elif self.anchors is None:
            raise UsageError(
                f"'{self.kind.name}' needs every row's whole prompt in one forward pass; "
                "do not prefill in chunks, and give each row a prompt."
            )

    def _select(self, window: Window) -> _Selection | None:
        if window.start >= self.width:
            window = Window(self.width, window.length)  # every decode step selects alike
        if window not in self._selections:
            self._selections[window] = self._selection(window)
        return self._selections[window]

    def _selection(self, window: Window) -> _Selection | None:
        end = window.start + window.length
        prompt = self.mask[:, window.start : end]
        generated = self.reaches_generated[:, None].expand(-1, window.length - prompt.shape[1])
        owners, columns = torch.cat([prompt, generated], dim=1).nonzero(as_tuple=True)
        if not len(owners):
            return None
        tokens = self.rows[owners] * window.length + columns
        owners = owners.to(self._device)
        # Parameters of a decode step are used at every one; those of a prompt once, and they are large.
        keep = window.start >= self.width or len(self.table["coefficient"]) == 1
        return _Selection(
            tokens=tokens.to(self._device),
            owners=owners,
            params=self._gather(owners) if keep else None,
            whole=len(tokens) == self.n_rows * window.length,
        )

    def _gather(self, owners: Tensor) -> dict[str, Tensor]:
        if len(self.table["coefficient"]) == 1:
            return {name: values.expand(len(owners), -1) for name, values in self.table.items()}
        index = self.owner_params[owners]
        return {name: values[index] for name, values in self.table.items()}


class Steering:
    """All interventions of a batch.

    Rows without interventions are not read or written. Interventions of one row that
    meet at a target act in the order of its plan.

    Args:
        plans: one a row.
        columns: where the tokens of these rows stand.
        layout: of the model.

    Raises:
        UsageError: an intervention does not fit the model.
    """

    def __init__(self, plans: Sequence[SteerPlan], columns: Columns, layout: Layout) -> None:
        self.n_rows = len(plans)
        self.window = Window(0, columns.width)
        members: dict[Target, dict[tuple[int, str], list[tuple[int, Intervention]]]] = {}
        checked: set[SteerPlan] = set()
        for row, plan in enumerate(plans):
            if plan not in checked:
                check_plan(plan, layout)
                checked.add(plan)
            turns: dict[Target, int] = {}
            for intervention in plan.active:
                target = Target(intervention.layer, intervention.site)
                turn = turns[target] = turns.get(target, -1) + 1
                members.setdefault(target, {}).setdefault((turn, intervention.kind), []).append((row, intervention))
        self._groups = {
            target: [_Group(kind(name), rows, columns) for (_, name), rows in sorted(by_turn.items(), key=_turn)]
            for target, by_turn in members.items()
        }
        self._nonfinite: dict[Target, tuple[torch.dtype, Tensor]] = {}

    @property
    def targets(self) -> list[Target]:
        """Where something is changed; empty for a batch of unsteered rows."""
        return list(self._groups)

    def apply(self, target: Target, states: Tensor) -> Tensor:
        """Steers the states of one target in the current `window`.

        Args:
            target: where they come from.
            states: ``[n_rows, window.length, d]``.

        Returns:
            States of the same shape, dtype and device; the argument is not changed.
        """
        flat = states.reshape(-1, states.shape[-1])
        for group in self._groups[target]:
            flat, steered = group.apply(flat, self.window)
            if steered is not None:
                bad = ~torch.isfinite(steered).all()
                before = self._nonfinite.get(target)
                self._nonfinite[target] = states.dtype, bad if before is None else before[1] | bad
        return flat.reshape(states.shape)

    def check_finite(self) -> None:
        """Reads, once a batch, whether the range of the states' dtype was left.

        Raises:
            UsageError: a steered state is infinite or not a number.
        """
        for (layer, site), (dtype, bad) in self._nonfinite.items():
            if bool(bad):
                half = dtype in (torch.float16, torch.bfloat16)
                instead = ", or load the model with --dtype float32 or bfloat16" if half else ""
                raise UsageError(
                    f"Steering left the range of {str(dtype).removeprefix('torch.')} at layer {layer} ({site}). "
                    f"Lower the strength{instead}."
                )


def _turn(item: tuple[tuple[int, str], list[tuple[int, Intervention]]]) -> tuple[int, str]:
    return item[0]


def check_plan(plan: SteerPlan, layout: Layout) -> None:
    """Checks that a plan fits a model.

    Raises:
        UsageError: unknown kind, layer out of range, no such site, missing, unknown
            or misshapen parameters.
    """
    for intervention in plan.interventions:
        spec = kind(intervention.kind)
        layout.module(intervention.layer, intervention.site)
        where = f"'{intervention.kind}' at layer {intervention.layer}"
        wanted, given = {*spec.vectors, *spec.scalars}, set(intervention.params)
        if wanted != given:
            raise UsageError(f"{where} takes the parameters {sorted(wanted)}, not {sorted(given)}.")
        for name, value in intervention.params.items():
            size = value.array.size if isinstance(value, FrozenArray) else 1
            expected = layout.site_width(intervention.layer, intervention.site) if name in spec.vectors else 1
            if size != expected:
                raise UsageError(
                    f"Parameter '{name}' of {where} has {size} values, the model takes {expected}. "
                    "Was it fitted on another model?"
                )
