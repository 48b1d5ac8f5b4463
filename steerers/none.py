"""The unsteered model, as a method like any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from valuebench_harness.steerers.base import Settings, Steered, Steerer, SteerRequest

if TYPE_CHECKING:
    from valuebench_harness.steerers.artifact import Artifact


class Base(Steerer[Settings]):
    """Does nothing: every comparison's other side."""

    name = "base"
    source = "-"
    strengths = "switch"

    def plan(self, request: SteerRequest, artifact: Artifact | None) -> Steered:  # noqa: ARG002
        """Returns the request as it is."""
        return Steered(request.messages)
