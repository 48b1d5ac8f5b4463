"""Muon for the matrices, Adam for embeddings and norms.

Muon (Jordan et al., 2024, https://kellerjordan.github.io/posts/muon/) replaces the momentum of
a matrix by the nearest orthogonal matrix, found with five Newton-Schulz steps. On two cores it
reaches the losses of Adam in about half the tokens. Matrices of one shape are stacked, so that a
step costs a few batched products.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import torch
from torch import nn

_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


@dataclass(frozen=True)
class Settings:
    """Learning rates are multiplied by the schedule's factor of the step."""

    muon_rate: float = 0.008
    muon_momentum: float = 0.95
    muon_decay: float = 0.05
    adam_rate: float = 0.003
    adam_betas: tuple[float, float] = (0.9, 0.97)
    clip: float = 1.0


def orthogonalize(stack: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Brings the singular values of each matrix in ``stack`` [n, rows, columns] near one, in bfloat16."""
    a, b, c = _NEWTON_SCHULZ
    tall = stack.shape[1] > stack.shape[2]
    x: torch.Tensor = (stack.mT if tall else stack).bfloat16()
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.mT if tall else x).to(stack.dtype)


class Optimizer:
    """Both optimisers over a model's parameters; its state is a flat dictionary of tensors."""

    def __init__(self, model: nn.Module, settings: Settings) -> None:
        self._settings = settings
        self._stacks: dict[tuple[int, ...], list[tuple[str, nn.Parameter]]] = defaultdict(list)
        self._others: dict[str, nn.Parameter] = {}
        self.state: dict[str, torch.Tensor] = {"steps": torch.zeros(1)}
        for name, parameter in model.named_parameters():
            if parameter.dim() == 2 and "embed" not in name:
                self._stacks[tuple(parameter.shape)].append((name, parameter))
                self.state[f"momentum.{name}"] = torch.zeros_like(parameter)
            else:
                self._others[name] = parameter
                self.state[f"mean.{name}"] = torch.zeros_like(parameter)
                self.state[f"square.{name}"] = torch.zeros_like(parameter)

    @torch.no_grad()
    def step(self, factor: float) -> None:
        """Moves the parameters along their gradients and clears the gradients."""
        self.state["steps"] += 1
        self._muon(factor)
        self._adam(factor)

    def _muon(self, factor: float) -> None:
        s = self._settings
        for shape, members in self._stacks.items():
            rate = s.muon_rate * factor
            directions = []
            for name, parameter in members:
                assert parameter.grad is not None
                momentum = self.state[f"momentum.{name}"].lerp_(parameter.grad, 1 - s.muon_momentum)
                directions.append(parameter.grad.lerp(momentum, s.muon_momentum))
                parameter.grad = None
            scale = max(1.0, shape[0] / shape[1]) ** 0.5
            for (_, parameter), update in zip(members, orthogonalize(torch.stack(directions)), strict=True):
                parameter.mul_(1 - rate * s.muon_decay).add_(update, alpha=-rate * scale)

    def _adam(self, factor: float) -> None:
        s = self._settings
        steps = float(self.state["steps"])
        nn.utils.clip_grad_norm_(self._others.values(), s.clip)
        for name, parameter in self._others.items():
            assert parameter.grad is not None
            mean = self.state[f"mean.{name}"].lerp_(parameter.grad, 1 - s.adam_betas[0])
            square = self.state[f"square.{name}"].lerp_(parameter.grad.square(), 1 - s.adam_betas[1])
            mean_hat = mean / (1 - s.adam_betas[0] ** steps)
            square_hat = square / (1 - s.adam_betas[1] ** steps)
            parameter.add_(mean_hat / (square_hat.sqrt() + 1e-8), alpha=-s.adam_rate * factor)
            parameter.grad = None
