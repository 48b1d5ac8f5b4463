"""What steering did to an answer, in words, as far as a run stores it: gate, whether it was steered, layers."""

from __future__ import annotations

from collections.abc import Sequence

from valuebench_harness.harness.records import Condition, FitRecord
from valuebench_harness.harness.run import Answer
from valuebench_harness.reports.numbers import ranges


def touch(answer: Answer, layers: tuple[int, ...]) -> str:
    """``Steered at layers 1-3. Gate open, g(x) 0.83.``; empty for the unsteered model.

    Args:
        answer: with its sample and condition.
        layers: that the condition steers; empty where they are not known, as for a method that rewrites prompts.
            Where the sample tells at which layers states were changed, those are named.
    """
    if answer.condition.value is None:
        return ""
    sample = answer.sample
    moved = [m for m in (sample.moved_prompt, sample.moved_answer) if m is not None]
    if moved:
        layers = tuple(sorted({layer for m in moved for layer, _ in m.layers}))
    place = f" at layer{'s' if len(layers) > 1 else ''} {ranges(layers)}" if layers else ""
    if not sample.steered:
        words = "Left as it was."
    elif moved and not layers:
        words = "Steered, but no state had to change."
    else:
        words = f"Steered{place}."
    if sample.gate_open is not None:
        score = "" if sample.gate_score is None else f", g(x) {sample.gate_score:.2f}"
        words += f" Gate {'open' if sample.gate_open else 'closed'}{score}."
    return words


def steered_layers(condition: Condition, fits: Sequence[FitRecord]) -> tuple[int, ...]:
    """Layers that a condition steers: those asked for, else those of its values' fits where all fits agree."""
    if condition.layers is not None:
        return condition.layers
    found = {fit.layers for fit in fits if fit.value in condition.targets}
    return found.pop() if len(found) == 1 else ()
