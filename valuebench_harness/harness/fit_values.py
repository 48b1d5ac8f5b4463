"""Fits a method for the values of a configuration, without a run: what ``vharness fit`` does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from valuebench_harness.errors import UsageError
from valuebench_harness.harness.config import RunConfig
from valuebench_harness.harness.export import export_vectors
from valuebench_harness.harness.family import family_of
from valuebench_harness.harness.fitting import Fitter, check_pairs, learns
from valuebench_harness.harness.plan import file_name, make_method, steered_values
from valuebench_harness.harness.progress import Reporter
from valuebench_harness.harness.session import load_model
from valuebench_harness.steerers.artifact import Artifact
from valuebench_harness.steerers.base import check_layers


def fit_values(
    config: RunConfig, out: Path, reporter: Reporter, export: Sequence[str] = ()
) -> Iterator[tuple[Artifact, Path]]:
    """Fits a method for every value of a configuration and writes one artifact each.

    Args:
        config: names the model, the method and the values.
        out: folder of the artifacts, ``{method}-{value}.safetensors``.
        reporter: shows progress.
        export: formats in which the method's vectors are written as well, see :func:`export_vectors`.

    Yields:
        The artifact and where it was written, value by value.

    Raises:
        UsageError: for bad input, a method that learns nothing among it.
        IncompleteError: where the folder cannot be written.
    """
    steerer, _, _ = make_method(config)
    if not learns(steerer):
        raise UsageError(f"'{steerer.name}' has nothing to fit: it learns nothing. 'vharness eval' uses it as it is.")
    family = family_of(config)
    values = steered_values(config, family)
    check_pairs(config, steerer, family, values)
    model = load_model(config)
    for note in model.notes:
        reporter.note(note)
    fitter = Fitter.of(config, family, model)
    if config.layers is not None:
        check_layers(config.layers, fitter.shape)
    with reporter.stage("fit", len(values), "fits") as advance:
        for value in values:
            artifact, _ = fitter.fit(steerer, value, config.layers)
            advance()
            if artifact is None:
                raise UsageError(f"'{steerer.name}' made no artifact for '{value}': its fit() returned None.")
            path = out / f"{file_name(steerer.name)}-{value}.safetensors"
            artifact.save(path)
            export_vectors(steerer, artifact, family.data.system.get(value), model, export, path)
            yield artifact, path
