"""What a run is, as a reader needs it to trust it or to make it again."""

from __future__ import annotations

from collections.abc import Iterator

from valuebench_harness.harness.run import Run
from valuebench_harness.reports.clean import one_line
from valuebench_harness.reports.command import command

_MODEL = ("name", "commit", "dtype", "n_layers", "width", "device", "fingerprint")
LENGTH = 1_000


def facts(run: Run) -> list[tuple[str, str]]:
    """Pairs of a fact's name and its text, clean but not escaped."""
    return [(name, one_line(text, LENGTH)) for name, text in _facts(run) if text]


def _facts(run: Run) -> Iterator[tuple[str, str]]:
    info = run.info
    yield "make it again", command(info.config)
    for key in _MODEL:
        value = info.model.get(key)
        if value is not None:
            yield f"model: {key.replace('n_', '')}", str(value)
    yield "judge", info.judge
    yield "judge settings", ", ".join(f"{k}={v}" for k, v in info.config.judge_settings.items())
    yield "seed", str(info.config.seed)
    for fit in info.fits:
        accuracy = ", ".join(f"{layer}: {share:.2f}" for layer, share in sorted(fit.accuracy.items()))
        layers = ", ".join(map(str, fit.layers))
        yield f"fit: {fit.value}", f"layers {layers}" + (f"; held-out accuracy by layer {accuracy}" if accuracy else "")
    yield "plan hash", info.plan_hash
    yield "data hash", info.data_hash
    yield "versions", ", ".join(f"{name} {version}" for name, version in info.versions.items())
    yield "created", info.created
    yield "status", info.status
