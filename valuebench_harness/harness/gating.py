"""Gate decisions, made before steering and cached by content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from valuebench_harness.harness.cache import Cache, content_key
from valuebench_harness.steerers.gates.base import GateDecision, GatePrompt

if TYPE_CHECKING:
    from valuebench_harness.steerers.artifact import Artifact
    from valuebench_harness.steerers.gates.base import Gate
    from valuebench_harness.steerers.states import States

CHUNK = 512


def decide(
    gate: Gate[Any],
    artifacts: Mapping[str, Artifact],
    prompts: Mapping[str, Sequence[GatePrompt]],
    states: States,
    cache: Cache,
) -> dict[tuple[str, str], GateDecision]:
    """Decides on every prompt of every value.

    Args:
        gate: which decides.
        artifacts: value to the gate fitted for it.
        prompts: value to the unsteered prompts.
        states: of the unsteered model.
        cache: of decisions.

    Returns:
        Decisions by (value, rendered prompt).
    """
    keys = {
        (value, prompt.rendered): content_key(
            "gate", gate=gate.name, artifact=artifacts[value].digest, prompt=prompt.rendered, message=prompt.message
        )
        for value, found in prompts.items()
        for prompt in found
    }
    known = cache.get(keys.values())
    out = {at: GateDecision(**known[key]) for at, key in keys.items() if key in known}
    for value, found in prompts.items():
        missing = [p for p in dict.fromkeys(found) if (value, p.rendered) not in out]
        for start in range(0, len(missing), CHUNK):
            part = missing[start : start + CHUNK]
            decisions = gate.decide(part, artifacts[value], states)
            decided = {(value, p.rendered): d for p, d in zip(part, decisions, strict=True)}
            out.update(decided)
            cache.put("gate", {keys[at]: {"score": d.score, "open": d.open} for at, d in decided.items()})
    return out
