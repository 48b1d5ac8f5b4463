"""AxBench's overall score: the harmonic mean of concept, instruction and fluency (Wu et al., 2025)."""

from __future__ import annotations


def harmonic(*scores: float | None) -> float | None:
    """Harmonic mean of scores that are 0 or larger, all on one scale; 0 as soon as one is 0.

    AxBench scores each from 0 to 2; here they are shares in [0, 1], so that its figures are twice these.

    Args:
        scores: at least one; ``None`` is one that could not be measured, which makes the mean undefined.

    Raises:
        ValueError: for a negative score.
    """
    known = [s for s in scores if s is not None]
    if any(s < 0 for s in known):
        raise ValueError(f"scores {known} must not be negative")
    if len(known) < len(scores) or not known:
        return None
    return len(known) / sum(1 / s for s in known) if all(known) else 0.0
