"""What a model behind a server can be asked: text for text, nothing of its inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from valuebench_harness.errors import UsageError
from valuebench_harness.steerers.registry import NO_GATE

if TYPE_CHECKING:
    from valuebench_harness.steerers.base import Steerer

REMOTE = "openai:"
"""Prefix of the name of a model behind an OpenAI-compatible server."""


def refuse_activations(steerer: Steerer[Any], gate: str, *, learns: bool) -> None:
    """Raises ``UsageError`` for a method or gate that works on hidden states.

    Args:
        steerer: the method.
        gate: name of the gate.
        learns: whether the method has something to fit, which takes the model itself.
    """
    if learns or steerer.strengths != "switch":
        raise UsageError(
            f"'{steerer.name}' steers activations, and a model behind a server shows none: only methods that write "
            "into the prompt work there (base, ica, role, instruction). Run the checkpoint itself with --model."
        )
    if gate != NO_GATE:
        raise UsageError(f"Gate '{gate}' reads hidden states, and a model behind a server shows none: use --gate none.")
