"""Checks on what is learned: the same pairs give the same artifact, and the artifact is all there is."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from valuebench_harness.harness.check.outcome import Outcome, failed, not_applicable, passed
from valuebench_harness.harness.check.subject import BrokenSteererError
from valuebench_harness.steerers.artifact import Artifact

if TYPE_CHECKING:
    from valuebench_harness.harness.check.subject import Subject

LONG_FIT = 60.0
"""Seconds above which a fit is not repeated."""


def check_fit(subject: Subject) -> Outcome:
    """Fitting twice with one seed gives one artifact.

    A fault looks like this: a draw that is not seeded from ``context.seed``; a fit that depends on
    what was fitted before; layers that the model does not have.
    """
    if not subject.learns:
        return not_applicable("it learns nothing")
    artifact, seconds = subject.artifact, subject.learned.seconds
    if artifact is None:
        raise BrokenSteererError("fit() returned None, though the class defines it: return context.artifact(...)")
    empty = [name for name, a in artifact.arrays.items() if not np.isfinite(a).all()]
    if empty:
        return failed(f"array '{empty[0]}' holds values that are not finite")
    words = f"fitted in {seconds:.1f} s for layers {_listed(artifact.meta.layers)}"
    if seconds > LONG_FIT:
        return passed(f"{words}; not repeated, since it takes long", seconds=seconds)
    again = subject.fit(subject.fresh()).artifact
    if again is None or again.digest != artifact.digest:
        gap = _gap(artifact, again)
        return failed(f"two fits with seed {subject.config.seed} differ: {gap}", seconds=seconds)
    return passed(f"{words}; a second time the same bit for bit", seconds=seconds)


def check_round_trip(subject: Subject) -> Outcome:
    """An artifact that was saved and loaded plans as the first one did, in a steerer that never saw the fit.

    A fault looks like this: something learned is kept on the steerer instead of in the artifact; an
    array holds more than float32 can; ``plan()`` writes into the artifact's arrays.
    """
    artifact = subject.artifact
    if artifact is None:
        return not_applicable("it has no artifact")
    messages = subject.prompts[0]
    planned = subject.plan(messages).plan.digest
    if Artifact(artifact.meta, artifact.arrays).digest != artifact.digest:
        return failed("the artifact's arrays changed after it was made: plan() must not write into them")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "artifact.safetensors"
        artifact.save(path)
        loaded, size = Artifact.load(path), path.stat().st_size
    lost = sorted(set(artifact.arrays) ^ set(loaded.arrays))
    if lost:
        return failed(f"array '{lost[0]}' is lost on the way through a file")
    for name, array in artifact.arrays.items():
        if not np.array_equal(np.asarray(array), loaded.arrays[name]):
            error = float(np.abs(np.asarray(array, dtype=np.float64) - loaded.arrays[name]).max())
            return failed(f"array '{name}' ({array.dtype}) comes back from a file changed by {error:.2g}", error=error)
    if loaded.meta != artifact.meta or loaded.digest != artifact.digest:
        return failed("the artifact's facts come back from a file changed")
    again = subject.ask(subject.fresh(), subject.request(messages), loaded).plan.digest
    if again != planned:
        return failed("a new steerer with the loaded artifact plans something else: keep what is learned in it")
    return passed(f"{size / 1000:,.0f} kB come back bit for bit and plan the same", bytes=size)


def _gap(first: Artifact, second: Artifact | None) -> str:
    if second is None:
        return "the second returned None"
    for name, array in first.arrays.items():
        other = second.arrays.get(name)
        if other is None or other.shape != array.shape:
            return f"array '{name}' has another shape"
        if not np.array_equal(array, other):
            return f"array '{name}' by up to {np.abs(array.astype(np.float64) - other).max():.2g}"
    return f"layers {_listed(first.meta.layers)} and {_listed(second.meta.layers)}, or settings"


def _listed(layers: tuple[int, ...]) -> str:
    return ", ".join(map(str, layers)) or "none"
